"""What must be true, as plainly as can be: a dictionary for each partition, filled by acknowledgements and reads.

Clients tell the model what they were told; the model raises `Violation` when that cannot be. It has no idea of how the
broker works. Every value that is ever produced is different from all others, so that a record is known by its value.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from fleuve.simulation.history import Violation

ENDS_KEPT = 100

Batch = tuple[int, int, list[tuple[int, bytes, int]]]
"""First offset, last offset, and (offset, value, timestamp) of its records."""


class Floor(NamedTuple):
    """What every later answer must reach: taken when a request is sent."""

    high_watermark: int
    log_start: int
    sent_at: float
    cut: int


@dataclass(slots=True)
class Keeping:
    """What may be deleted of a topic."""

    forever: bool = True
    """Nobody deletes, nothing expires."""
    retention_ms: int | None = None
    """Records younger than that must stay, unless somebody deletes them."""
    flushed: bool = True
    """False: Kafka's page-cache promise."""


@dataclass(slots=True, eq=False)
class Partition:
    """What is known of one partition."""

    name: str
    keeping: Keeping
    known: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """By offset: value and timestamp, as acknowledged or read."""
    acknowledged: dict[int, float] = field(default_factory=dict)
    """Offsets that a producer was told of, and when."""
    places: dict[bytes, int] = field(default_factory=dict)
    refused: set[bytes] = field(default_factory=set)
    """Values that a producer was told are not in the log."""
    ends: list[tuple[float, int]] = field(default_factory=lambda: [(-1.0, 0)])
    """When which end of the log was first known."""
    log_start: int = 0
    deletion_asked: int = 0
    """No client has asked to delete up to a higher offset."""
    cuts: int = 0
    """Power cuts that this topic's promise does not cover."""

    # ------------------------------------------------------------ what producers are told

    def acknowledge(self, base_offset: int, values: Iterable[tuple[bytes, int]], now: float) -> None:
        """Take an acknowledgement of records, each with its timestamp."""
        for index, (value, timestamp) in enumerate(values):
            offset = base_offset + index
            self._learn(offset, value, timestamp, "acknowledged")
            if value in self.refused:
                raise Violation(4, f"{self.name}: {value!r} was refused, and is acknowledged at {offset}")
            self.acknowledged[offset] = now
            self._reach(offset + 1, now)

    def refuse(self, value: bytes) -> None:
        """Take a producer's word that the broker has refused a value for good."""
        if value in self.places:
            raise Violation(4, f"{self.name}: {value!r} is in the log at {self.places[value]}, and is refused")
        self.refused.add(value)

    # ------------------------------------------------------------ what readers are told

    def floor(self, now: float) -> Floor:
        """Return what an answer to a request that is sent now must reach."""
        return Floor(self.ends[-1][1], self.log_start, now, self.cuts)

    def check_ends(self, floor: Floor, *, log_start: int | None, high_watermark: int, now: float) -> None:
        """Take where an answer says that the partition begins and ends."""
        if floor.cut == self.cuts:
            if high_watermark < floor.high_watermark:
                raise Violation(
                    1, f"{self.name} ends at {high_watermark}, and {floor.high_watermark} was known before the question"
                )
            self._reach(high_watermark, now)
        if log_start is not None:
            if log_start < floor.log_start:
                raise Violation(3, f"{self.name} begins at {log_start} again, after it began at {floor.log_start}")
            self.begin_at(log_start)

    def begin_at(self, log_start: int) -> None:
        """Take a log start, as answered."""
        if log_start <= self.log_start:
            return
        if self.keeping.forever:
            raise Violation(3, f"{self.name} begins at {log_start}, and nobody may delete from it")
        self.log_start = log_start

    def check_expiry(self, latest_wall_ms: int) -> None:
        """Check that nothing has expired before its time, as far as it is known."""
        retention_ms = self.keeping.retention_ms
        for offset in sorted(self.known):
            if offset >= self.log_start:
                break
            if offset < self.deletion_asked:
                continue
            value, timestamp = self.known[offset]
            if retention_ms is None or timestamp + retention_ms > latest_wall_ms:
                raise Violation(3, f"{self.name}: {value!r} at {offset} of {timestamp} is gone before its time")

    def read(self, offset: int, batches: list[Batch], floor: Floor, *, log_start: int, high_watermark: int) -> None:
        """Take what a fetch from `offset` on has got, with where the answer says that the partition begins and ends."""
        expected = offset
        for index, (first, last, records) in enumerate(batches):
            if not (first <= offset <= last or offset < first <= log_start if index == 0 else first == expected):
                raise Violation(2, f"{self.name}: a batch begins at {first} where {expected} was due")
            if last >= high_watermark:
                raise Violation(5, f"{self.name}: {last} is shown, and the high watermark is {high_watermark}")
            previous = first - 1
            for at, value, timestamp in records:
                if not previous < at <= last:
                    raise Violation(2, f"{self.name}: offset {at} in a batch of {first} to {last}")
                previous = at
                if floor.cut == self.cuts:
                    self._learn(at, value, timestamp, "read")
                    if value in self.refused:
                        raise Violation(4, f"{self.name}: {value!r} was refused, and is in the log at {at}")
            if floor.cut == self.cuts and len(records) != last - first + 1:
                self._check_gap(first, last, {at for at, *_ in records})
            expected = last + 1

    def _check_gap(self, first: int, last: int, found: set[int]) -> None:
        for offset in range(first, last + 1):
            if offset not in found and offset in self.known:
                raise Violation(1, f"{self.name}: {self.known[offset][0]!r} at {offset} is lost")

    def check_nothing(self, offset: int, floor: Floor, *, waited_until: float | None) -> None:
        """Take that a fetch found nothing at `offset`, though it waited so long."""
        if floor.cut != self.cuts:
            return
        if offset < floor.high_watermark:
            raise Violation(1, f"{self.name}: nothing at {offset}, and {floor.high_watermark} was known to be the end")
        if waited_until is not None and self.end_at(waited_until) > offset:
            raise Violation(1, f"{self.name}: a fetch at {offset} slept on though something came")

    def check_out_of_range(self, offset: int, floor: Floor) -> None:
        """Take that an offset was said to be out of range."""
        if floor.cut == self.cuts and offset <= floor.high_watermark and self.keeping.forever:
            raise Violation(3, f"{self.name}: {offset} is said to be out of range")

    def end_at(self, time: float) -> int:
        """Return the end of the log as it was known at a time."""
        return self.ends[bisect_right(self.ends, (time, 1 << 62)) - 1][1]

    # ------------------------------------------------------------ the end

    def check_all(self, batches: list[Batch], *, log_start: int, high_watermark: int) -> int:
        """Check a whole reading of the partition; return the number of records."""
        self.begin_at(log_start)
        found = {offset: value for _, _, records in batches for offset, value, _ in records}
        for offset, (value, _) in self.known.items():
            if log_start <= offset and found.get(offset) != value:
                kind = "acknowledged" if offset in self.acknowledged else "read before"
                raise Violation(1, f"{self.name}: {value!r} was {kind} at {offset}, where {found.get(offset)!r} is")
        check_sequences(self.name, [found[offset] for offset in sorted(found)], whole=log_start == 0)
        return len(found)

    def forget_deleted(self) -> None:
        """Forget what lies below the log start, so that a long simulation does not grow."""
        for offset in [offset for offset in self.known if offset < self.log_start]:
            value, _ = self.known.pop(offset)
            self.acknowledged.pop(offset, None)
            self.places.pop(value, None)
        del self.ends[:-ENDS_KEPT]

    def lose(self) -> None:
        """Forget what a power cut may have taken with it."""
        if not self.keeping.flushed:
            self.cuts += 1
            self.known.clear()
            self.acknowledged.clear()
            self.places.clear()
            self.ends = [(-1.0, 0)]

    def _learn(self, offset: int, value: bytes, timestamp: int, how: str) -> None:
        known = self.known.setdefault(offset, (value, timestamp))
        if known[0] != value:
            raise Violation(2, f"{self.name}: {value!r} was {how} at {offset}, where {known[0]!r} was before")
        if known[1] != timestamp:
            raise Violation(3, f"{self.name}: {value!r} has timestamp {timestamp}, and had {known[1]} before")
        place = self.places.setdefault(value, offset)
        if place != offset:
            raise Violation(4, f"{self.name}: {value!r} is in the log at {place} and at {offset}")

    def _reach(self, end: int, now: float) -> None:
        if end > self.ends[-1][1]:
            self.ends.append((now, end))


def sequenced(producer_id: int, epoch: int, sequence: int) -> bytes:
    """Return the value of a record of an idempotent producer."""
    return b"i/%d/%d/%d" % (producer_id, epoch, sequence)


def check_sequences(name: str, values: list[bytes], *, whole: bool) -> None:
    """Check that each idempotent producer's records are there once and in order; `whole`: from its first on."""
    at: dict[int, tuple[int, int]] = {}
    for value in values:
        if not value.startswith(b"i/"):
            continue
        producer_id, epoch, sequence = map(int, value.split(b"/")[1:4])
        before = at.get(producer_id)
        if before is None:
            due = (epoch, 0 if whole else sequence)
        elif epoch > before[0]:
            due = (epoch, 0)
        else:
            due = (before[0], before[1] + 1)
        if (epoch, sequence) != due:
            raise Violation(4, f"{name}: {value!r} is where epoch {due[0]}, sequence {due[1]} of its producer was due")
        at[producer_id] = epoch, sequence


@dataclass(slots=True, eq=False)
class Topic:
    """A topic that was acknowledged, or may have come into being."""

    name: str
    id: UUID
    keeping: Keeping
    partitions: list[Partition]
    deletion_asked: bool = False
    deleted: bool = False
    recreatable: bool = False
    configs: dict[str, set[str]] = field(default_factory=dict)
    """By name: the values that it may have."""


class Model:
    """Everything that is known."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.topics: dict[UUID, Topic] = {}

    def created(self, name: str, topic_id: UUID, count: int, keeping: Keeping) -> Topic:
        """Take that a topic is there."""
        topic = self.topics.get(topic_id)
        if topic is None:
            topic = self.topics[topic_id] = Topic(name, topic_id, keeping, [])
        self.extended(topic, count)
        return topic

    def extended(self, topic: Topic, count: int) -> None:
        """Take that a topic has so many partitions."""
        for index in range(len(topic.partitions), count):
            topic.partitions.append(Partition(f"{topic.name}-{index}", topic.keeping))

    def living(self) -> list[Topic]:
        """Return the topics that nobody has asked to delete."""
        return [topic for topic in self.topics.values() if not topic.deletion_asked]

    def forget_deleted(self) -> None:
        """Forget topics and records that were deleted."""
        for topic_id in [topic.id for topic in self.topics.values() if topic.deleted]:
            del self.topics[topic_id]
        for topic in self.topics.values():
            for partition in topic.partitions:
                partition.forget_deleted()

    def lose_power(self) -> None:
        """Forget what a power cut may have taken with it."""
        for topic in self.topics.values():
            for partition in topic.partitions:
                partition.lose()
