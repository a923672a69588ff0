"""What clients of a broker attempted, were told and saw, each with the moment; and whether a broker keeps it.

The moments are places in the history of a `Disk`: whatever was told by some place must hold after a power cut at that
place or later. What was attempted and not answered may have happened, or not.

The checks give findings as sentences.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

NEVER = 1 << 62
FLUSHED = {"topic", "offset"}
"""Settings that are never there already, so that each comes with a flush."""

Partition = tuple[str, int]
"""Topic and index."""
Key = tuple[object, ...]
"""What can be set: ("topic", name), ("config", topic, name), ("offset", group, topic, index), ("start", topic, index).

The last is a partition's log start."""


class Producer(NamedTuple):
    """An idempotent producer."""

    producer_id: int
    epoch: int


@dataclass
class Batch:
    """A batch that was sent."""

    partition: Partition
    values: list[bytes]
    producer: Producer | None
    sequence: int
    sent: int
    told: int = NEVER
    offset: int = -1


@dataclass
class Setting:
    """A value that was to be set."""

    key: Key
    value: Any
    attempted: int
    told: int = NEVER


class Seen(NamedTuple):
    """A record that a consumer read."""

    partition: Partition
    offset: int
    value: bytes
    at: int


@dataclass
class Log:
    """What a broker shows of a partition."""

    start: int
    end: int
    records: dict[int, bytes]
    """Values by offset."""


@dataclass
class Told:
    """Everything, in order."""

    batches: list[Batch] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    page_cache: set[str] = field(default_factory=set)
    """Topics that may lose what was not flushed."""

    def until(self, place: int, *, killed: bool = False) -> Told:
        """Return what must hold after a power cut at a place, as if it were long ago.

        With `killed` the process alone is gone, and nothing is lost yet: but nothing more is flushed, either.
        """
        kept = place if killed else self._page_cache_kept(place)

        def holds(topic: str, told: int) -> bool:
            return told <= (kept if topic in self.page_cache else place)

        def moment(place: int) -> int:
            return place if killed else 0

        batches = []
        for one in self.batches:
            if one.sent <= place:
                told, offset = (moment(one.told), one.offset) if holds(one.partition[0], one.told) else (NEVER, -1)
                batches.append(
                    Batch(one.partition, one.values, one.producer, one.sequence, moment(one.sent), told, offset)
                )
        settings = [
            Setting(one.key, one.value, moment(one.attempted), moment(one.told) if one.told <= place else NEVER)
            for one in self.settings
            if one.attempted <= place
        ]
        seen = [one._replace(at=moment(one.at)) for one in self.seen if holds(one.partition[0], one.at)]
        return Told(batches, settings, seen, self.page_cache)

    def _page_cache_kept(self, place: int) -> int:
        """Return the place up to which even what has the page-cache promise is flushed.

        There is one journal: whatever was acknowledged before a flushed batch was sent is flushed with it. And what
        is set in the catalog, with a flush of its own, flushes the journal first.
        """
        flushed = [one.sent for one in self.batches if one.told <= place and one.partition[0] not in self.page_cache]
        flushed += [one.attempted for one in self.settings if one.told <= place and one.key[0] in FLUSHED]
        return max(flushed, default=-1)

    def possible(self, key: Key, default: Any) -> list[Any]:
        """Return the values that something may have: the last one that was told, and what was attempted since."""
        values = [default]
        for setting in self.settings:
            if setting.key == key:
                if setting.told < NEVER:
                    values.clear()
                values.append(setting.value)
        return values

    def keys(self, kind: str) -> list[Key]:
        """Return what of that kind was ever set."""
        return list(dict.fromkeys(one.key for one in self.settings if one.key[0] == kind))

    def batches_of(self, partition: Partition) -> list[Batch]:
        """Return the batches that were sent to a partition."""
        return [one for one in self.batches if one.partition == partition]

    def unanswered(self) -> list[Batch]:
        """Return the batches of idempotent producers that have no answer, in order."""
        return [one for one in self.batches if one.producer is not None and one.told == NEVER]

    # ---------------------------------------------------------------- checks

    def check_setting(self, key: Key, found: Any, default: Any) -> list[str]:
        """Compare what is set with what may be."""
        possible = self.possible(key, default)
        return [] if found in possible else [f"{key} is {found!r}, and should be one of {possible!r}"]

    def check_log(self, partition: Partition, log: Log, *, finished: bool = False) -> list[str]:
        """Compare a partition with what was told; `finished` when everything that was sent has its answer."""
        loses = partition[0] in self.page_cache
        findings = []
        missing = [offset for offset in range(log.start, log.end) if offset not in log.records]
        if missing and not loses:
            findings.append(f"{partition}: offsets {missing} have no record")
        promised = {
            one.offset + index: value
            for one in self.batches_of(partition)
            if one.told < NEVER
            for index, value in enumerate(one.values)
        }
        promised |= {one.offset: one.value for one in self.seen if one.partition == partition}
        for offset, value in promised.items():
            found = log.records.get(offset)
            if offset >= log.start and found != value:
                findings.append(f"{partition} offset {offset}: was {value[:40]!r}, is {found and found[:40]!r}")
            if offset >= log.end:
                findings.append(f"{partition}: offset {offset} was given, the log ends at {log.end}")
        return findings + self._check_order(partition, log, finished=finished)

    def _check_order(self, partition: Partition, log: Log, *, finished: bool) -> list[str]:
        findings = []
        sent: dict[Producer | None, list[bytes]] = {}
        for batch in self.batches_of(partition):
            sent.setdefault(batch.producer, []).extend(batch.values)
        found = [value for _, value in sorted(log.records.items())]
        known = {value for values in sent.values() for value in values}
        findings += [f"{partition}: {value[:40]!r} was never sent" for value in found if value not in known]
        for producer, values in sent.items():
            places = [values.index(value) for value in found if value in set(values)]
            if len(set(places)) != len(places):
                findings.append(f"{partition}: records of {producer} are there twice")
            if producer is None or partition[0] in self.page_cache:
                continue
            first = places[0] if places and log.start else 0
            if places != list(range(first, first + len(places))):
                findings.append(f"{partition}: the records of {producer} have the numbers {places}")
            if finished and (places or not log.start) and len(values) != first + len(places):
                findings.append(f"{partition}: {producer} sent {len(values)} records, {first + len(places)} are there")
        return findings
