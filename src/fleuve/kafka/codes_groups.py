"""Kafka's codes for the errors of groups."""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.engine.groups import errors
from fleuve.wire.errors import ErrorCode

CODES: dict[type[FleuveError], ErrorCode] = {
    errors.GroupError: ErrorCode.UNKNOWN_SERVER_ERROR,
    errors.UnknownMember: ErrorCode.UNKNOWN_MEMBER_ID,
    errors.MemberIdRequired: ErrorCode.MEMBER_ID_REQUIRED,
    errors.IllegalGeneration: ErrorCode.ILLEGAL_GENERATION,
    errors.RebalanceInProgress: ErrorCode.REBALANCE_IN_PROGRESS,
    errors.FencedInstance: ErrorCode.FENCED_INSTANCE_ID,
    errors.InconsistentProtocol: ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    errors.GroupFull: ErrorCode.GROUP_MAX_SIZE_REACHED,
    errors.GroupTooLarge: ErrorCode.UNKNOWN_SERVER_ERROR,
    errors.InvalidSessionTimeout: ErrorCode.INVALID_SESSION_TIMEOUT,
    errors.InvalidGroupId: ErrorCode.INVALID_GROUP_ID,
    errors.GroupNotFound: ErrorCode.GROUP_ID_NOT_FOUND,
    errors.NonEmptyGroup: ErrorCode.NON_EMPTY_GROUP,
    errors.SubscribedToTopic: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
    errors.OffsetMetadataTooLarge: ErrorCode.OFFSET_METADATA_TOO_LARGE,
    errors.NotCoordinator: ErrorCode.NOT_COORDINATOR,
    errors.CoordinatorNotAvailable: ErrorCode.COORDINATOR_NOT_AVAILABLE,
}
