"""What must be true of a consumer group: who is in which generation, and what was committed.

Each commit has an offset of its own, so that a fetched offset tells the commit that it comes from.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from fleuve.simulation.history import Violation

Key = tuple[UUID, int]
COMMITS_KEPT = 20


@dataclass(slots=True, kw_only=True)
class Commit:
    """One commit of one offset."""

    key: Key
    offset: int
    generation: int
    member_id: str
    sent_at: float
    done_at: float | None = None
    """When it was known to have happened; None: never, or not yet."""
    refused: bool = False


@dataclass(slots=True)
class GroupModel:
    """What is known of one group."""

    name: str
    generation: int = 0
    """The highest whose assignment a member got. One that ends before may come again after a crash, as in Kafka."""
    leaders: dict[int, str] = field(default_factory=dict)
    """By generation."""
    left: set[str] = field(default_factory=set)
    """Members of whom the coordinator has said that they are gone."""
    instances: dict[str, str] = field(default_factory=dict)
    """By instance id: the member that joined with it last."""
    commits: dict[Key, dict[int, Commit]] = field(default_factory=dict)
    offset_last: int = 0

    # ------------------------------------------------------------ membership

    def joined(
        self,
        member_id: str,
        generation: int,
        *,
        generation_before: int,
        instance_id: str | None,
        instance_before: str | None,
    ) -> None:
        """Take that a member has joined; what was known when it asked is `generation_before`, `instance_before`."""
        if generation < generation_before:
            raise Violation(6, f"{self.name}: {member_id} joins generation {generation} after {generation_before}")
        if member_id in self.left:
            raise Violation(6, f"{self.name}: {member_id} is in generation {generation} though it has left")
        if instance_id is not None:
            if self.instances.get(instance_id) == instance_before:
                # Nobody else has joined with it meanwhile: this is the last one.
                self.instances[instance_id] = member_id
            else:
                self.instances.pop(instance_id, None)

    def synced(self, generation: int, leader: str) -> None:
        """Take that a member got its assignment."""
        known = self.leaders.setdefault(generation, leader)
        if known != leader and not self.instances:
            raise Violation(6, f"{self.name}: generation {generation} has two leaders, {known} and {leader}")
        self.generation = max(self.generation, generation)

    def forget_leavers(self) -> None:
        """Forget who has left: that is not stored before the next generation is, as in Kafka."""
        self.left.clear()

    def forget_old(self, living: Collection[UUID]) -> None:
        """Forget what is of no use any more, so that a long simulation does not grow."""
        self.commits = {key: commits for key, commits in self.commits.items() if key[0] in living}
        for commits in self.commits.values():
            taken = sorted(offset for offset, commit in commits.items() if not commit.refused)
            for offset in commits.keys() - set(taken[-COMMITS_KEPT:]):
                del commits[offset]
        self.left.clear()
        self.leaders.clear()

    # ------------------------------------------------------------ offsets

    def committing(self, key: Key, *, generation: int, member_id: str, instance_id: str | None, now: float) -> Commit:
        """Return a commit that is about to be sent."""
        self.offset_last += 1
        commit = Commit(key=key, offset=self.offset_last, generation=generation, member_id=member_id, sent_at=now)
        self.commits.setdefault(key, {})[commit.offset] = commit
        return commit

    def is_fenced(self, commit: Commit, instance_id: str | None) -> str | None:
        """Return why a commit that is about to be sent must be refused; None if it may be taken."""
        if commit.generation < 0:
            return None
        if commit.generation < self.generation:
            return f"generation {self.generation} has begun"
        if commit.member_id in self.left:
            return "it has left"
        if instance_id is not None and self.instances.get(instance_id, commit.member_id) != commit.member_id:
            return f"{self.instances[instance_id]} is {instance_id} now"
        return None

    def committed(self, commit: Commit, *, fenced: str | None, now: float) -> None:
        """Take that a commit was acknowledged."""
        if fenced is not None:
            raise Violation(
                6,
                f"{self.name}: {commit.member_id} of generation {commit.generation} has committed {commit.offset},"
                f" and {fenced}",
            )
        commit.done_at = now

    def fetched(self, key: Key, offset: int, *, sent_at: float, now: float) -> None:
        """Take an answer to an OffsetFetch."""
        commits = self.commits.get(key, {})
        before = [one for one in commits.values() if one.done_at is not None and one.done_at < sent_at]
        if offset < 0:
            if before:
                raise Violation(6, f"{self.name}: no offset for {key}, and {before[-1].offset} was committed")
            return
        found = commits.get(offset)
        if found is None:
            raise Violation(6, f"{self.name}: offset {offset} for {key} was never committed")
        if found.refused:
            raise Violation(6, f"{self.name}: offset {offset} for {key} was refused, and is there")
        if found.done_at is None:
            # Now it is known to have happened.
            found.done_at = now
            return
        for later in before:
            if later.sent_at > found.done_at:
                raise Violation(6, f"{self.name}: offset {offset} for {key} is back, after {later.offset}")
