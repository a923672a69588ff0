"""What can be wrong with a request to a group.

Each class is one answer that a client treats differently; the edge translates it to Kafka's code of the same name.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError, Verdict
from fleuve.base.ids import MemberId


class GroupError(FleuveError):
    """Root of the errors of groups.

    `member_id` is the id that a JoinGroup answer must carry; None means the one that the request had.
    """

    member_id: MemberId | None

    def __init__(self, message: str, *, member_id: MemberId | None = None) -> None:
        super().__init__(message)
        self.member_id = member_id


class UnknownMember(GroupError, verdict=Verdict.REFRESH):
    """The group has no such member: join again without a member id."""


class MemberIdRequired(GroupError, verdict=Verdict.RETRY):
    """A new member must come again with the id in `member_id` (KIP-394)."""


class IllegalGeneration(GroupError, verdict=Verdict.REFRESH):
    """The request belongs to another generation than the group's."""


class RebalanceInProgress(GroupError, verdict=Verdict.RETRY):
    """The group is rebalancing: join again."""


class FencedInstance(GroupError, verdict=Verdict.REJECT):
    """Another member has taken the group instance id (KIP-345)."""


class InconsistentProtocol(GroupError, verdict=Verdict.REJECT):
    """The protocol type or the protocols do not go with those of the other members."""


class GroupFull(GroupError, verdict=Verdict.REJECT):
    """The group has `group.max.size` members."""


class GroupTooLarge(GroupError, verdict=Verdict.REJECT):
    """What the members say or are assigned is more than a group may have."""


class InvalidSessionTimeout(GroupError, verdict=Verdict.REJECT):
    """The session timeout is outside `group.min.session.timeout.ms` … `group.max.session.timeout.ms`."""


class InvalidGroupId(GroupError, verdict=Verdict.REJECT):
    """The group id is missing, or empty where an empty one is not allowed."""


class GroupNotFound(GroupError, verdict=Verdict.REJECT):
    """There is no such group."""


class NonEmptyGroup(GroupError, verdict=Verdict.REJECT):
    """The group still has members."""


class SubscribedToTopic(GroupError, verdict=Verdict.REJECT):
    """Members of the group are subscribed to the topic."""


class OffsetMetadataTooLarge(GroupError, verdict=Verdict.REJECT):
    """The metadata of a committed offset is longer than `offset.metadata.max.bytes`."""


class NotCoordinator(GroupError, verdict=Verdict.REFRESH):
    """Another broker coordinates the group now: look for the coordinator again."""


class CoordinatorNotAvailable(GroupError, verdict=Verdict.RETRY):
    """The group cannot be served at the moment; nothing was changed for sure."""
