"""What clients were told, and whether a log keeps it: acknowledged is there, once, in order, for good.

Values say who sent them: `<producer>:<number>:<padding>`, numbered from 0 for each producer and partition. A producer
whose name begins with `once-` is idempotent and sends again until it has its answer; any other sends each value once.

The checks give findings as sentences, since a test of the checks wants them, too.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Partition = tuple[str, int]
"""Topic and index."""
FINDINGS_MAX = 20


@dataclass
class Ledger:
    """Written by any thread, read when all have ended."""

    sent: dict[tuple[str, Partition], int] = field(default_factory=lambda: defaultdict(int))
    """How many values a producer has sent to a partition."""
    acknowledged: dict[Partition, dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))
    """Values by offset, as producers were told."""
    read: dict[Partition, dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))
    """Values by offset, as consumers saw them."""
    commits: dict[tuple[str, Partition], int] = field(default_factory=dict)
    """The offset whose commit was acknowledged last, for each group and partition."""
    topics: dict[str, bool] = field(default_factory=dict)
    """Topics whose creation (True) or deletion (False) was acknowledged last. Being changed: not in here."""
    deleted: dict[Partition, int] = field(default_factory=dict)
    """The log start that was acknowledged last."""
    deleting: dict[Partition, int] = field(default_factory=dict)
    """The highest log start that was asked for."""
    configs: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """By topic and name: the value whose setting was acknowledged last, and those that were asked for since."""
    findings: list[str] = field(default_factory=list)
    """What a client saw that must not be."""

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self.count = 0
        """Records acknowledged."""

    def acknowledge(self, partition: Partition, base_offset: int, values: Sequence[bytes]) -> None:
        """Note that these values were acknowledged at these offsets."""
        with self._changed:
            there = self.acknowledged[partition]
            for offset, value in enumerate(values, base_offset):
                if there.setdefault(offset, value) != value:
                    self.find(f"{partition} offset {offset} was given to {there[offset]!r} and to {value!r}")
            self.count += len(values)
            self._changed.notify_all()

    def saw(self, partition: Partition, offset: int, value: bytes) -> None:
        """Note what a consumer read."""
        with self._changed:
            if self.read[partition].setdefault(offset, value) != value:
                self.find(f"{partition} offset {offset} was read as {self.read[partition][offset]!r} and {value!r}")

    def end_of(self, partition: Partition) -> int:
        """Return the offset behind the last one that was acknowledged."""
        with self._changed:
            return max(self.acknowledged[partition], default=-1) + 1

    def find(self, finding: str) -> None:
        """Note something that must not be."""
        self.findings.append(finding)

    def wait_for(self, count: int, *, timeout_s: float) -> None:
        """Return when so many records are acknowledged altogether. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.count >= count or bool(self.findings), timeout_s):
                raise TimeoutError(f"{self.count} records are acknowledged after {timeout_s} s, not {count}")

    # ------------------------------------------------------------ checks

    def check_log(self, partition: Partition, stored: Sequence[tuple[int, bytes]], *, start: int = 0) -> list[str]:
        """Compare a partition, read from its log start, with what was said about it."""
        findings = []
        told, asked = self.deleted.get(partition, 0), self.deleting.get(partition, 0)
        if not told <= start <= asked:
            findings.append(f"{partition} begins at {start}; deleted were records below {told}, at most below {asked}")
        offsets = [offset for offset, _ in stored]
        if offsets != list(range(start, start + len(offsets))):
            hole = next(index for index, offset in enumerate(offsets, start) if offset != index)
            findings.append(f"{partition}: offset {offsets[hole - start]} follows {hole - 1}")
        by_offset = dict(stored)
        for what, promised in (("acknowledged", self.acknowledged), ("read", self.read)):
            for offset, value in promised.get(partition, {}).items():
                if offset >= start and by_offset.get(offset) != value:
                    findings.append(f"{partition} offset {offset}: {what} as {value!r}, is {by_offset.get(offset)!r}")
        findings += self._check_order(partition, stored, begins=start == 0)
        return findings[:FINDINGS_MAX]

    def _check_order(self, partition: Partition, stored: Sequence[tuple[int, bytes]], *, begins: bool) -> list[str]:
        findings = []
        last: dict[str, int] = {}
        for offset, value in stored:
            producer, number = origin(value)
            # Of a log whose beginning is deleted nobody knows what was before.
            last.setdefault(producer, -1 if begins else number - 1)
            place = f"{partition} offset {offset}: {producer} number {number}"
            if number >= self.sent[producer, partition]:
                findings.append(f"{place} was never sent")
            if number <= last[producer]:
                findings.append(f"{place} comes after {last[producer]}")
            elif producer.startswith("once-") and number != last[producer] + 1:
                findings.append(f"{place} follows {last[producer]}")
            last[producer] = number
        return findings

    def check_commits(self, group: str, topic: str, found: Mapping[int, int]) -> list[str]:
        """Compare a group's committed offsets with those that were acknowledged: they may be ahead, never behind."""
        return [
            f"{group} committed {offset} in {partition}, found {found.get(partition[1])}"
            for (name, partition), offset in self.commits.items()
            if name == group and partition[0] == topic and found.get(partition[1], -1) < offset
        ]

    def check_config(self, topic: str, name: str, found: int) -> list[str]:
        """Compare a config with the values that it may have."""
        possible = self.configs.get((topic, name))
        return [] if possible is None or found in possible else [f"{name} of {topic} is {found}, not one of {possible}"]

    def check_topics(self, found: Mapping[str, int]) -> list[str]:
        """Compare the topics with those whose creation or deletion was acknowledged."""
        return [
            f"topic {name} was {'created' if there else 'deleted'}, and is {'not ' if there else ''}there"
            for name, there in self.topics.items()
            if there != (name in found)
        ]


def value_of(producer: str, number: int, size: int = 0) -> bytes:
    """Return the value with that number, padded to `size` bytes."""
    return b"%s:%d:" % (producer.encode(), number) + b"." * max(0, size - len(producer) - len(str(number)) - 2)


def origin(value: bytes) -> tuple[str, int]:
    """Return who sent a value, and its number."""
    producer, number, _ = value.split(b":", 2)
    return producer.decode(), int(number)
