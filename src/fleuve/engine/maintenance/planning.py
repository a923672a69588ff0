"""What to merge and what to delete: pure functions of the index.

Three kinds of objects, and how bytes move between them:

    journal object   many partitions, one run for each flush ─┐
                                                              ├─▶ gathered object   many partitions, one run each
    gathered objects of one level, `FANOUT` generations ──────┤
                                                              └─▶ segment           one partition, from `OWN_BYTES`
    segments of one size, `FANOUT` neighbours ──────────────────▶ segment           `FANOUT` times as large

A partition gets a segment of its own only when there is enough for it. What is less is gathered: sorted by
partition, one piece for each, in one object for all. So a merge writes few files, however many partitions there are,
and a partition has O(log of its history) rows and files up to the largest size of a segment.

A gathered object is not a segment: its runs have no footer and are found by the catalog's rows alone. Its level (how
often its bytes were gathered) and its generation (the merge that wrote it) are in its name,
`segments/gathered/<level>-<generation>/<part>.gathered`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from fleuve.base.ids import PartitionId
from fleuve.ports.log import StoredRun
from fleuve.ports.maintenance import ObjectRow

OWN_BYTES: Final = 1 << 20
"""From here on a partition's part of a merge is a segment; below, a reader may read it from its beginning."""

FANOUT: Final = 8
"""Things of one size that are merged into the next one: each byte is rewritten once for each factor of this."""

JOB_OBJECTS_MAX: Final = 64
"""Journal objects in one merge: bounds how long the first of them waits to be given back."""

SPAN_PARTS: Final = 8
"""A segment covers at most this part of what retention keeps, since it can only go as a whole."""
SPAN_MS_MIN: Final = 600_000
SPAN_BYTES_MIN: Final = 1 << 20

_GATHERED: Final = re.compile(r"segments/gathered/((\d+)-[^/]+)/\d+\.gathered")

UNLIMITED: Final = 1 << 62


class Retention(NamedTuple):
    """How long and how much a partition keeps."""

    time_ms: int | None
    """Records older than this may go; None: nothing expires by time."""
    size_bytes: int | None
    """The oldest may go while this much is left; None: nothing expires by size."""


class Limits(NamedTuple):
    """How large a merged run of a partition may become."""

    size_bytes: int
    span_ms: int
    """Between the youngest records of its first and of its last old run."""

    @classmethod
    def of(cls, retention: Retention, *, segment_bytes: int) -> Limits:
        """Return the limits for a partition with this retention."""
        size, span = segment_bytes, UNLIMITED
        if retention.size_bytes is not None:
            size = min(size, max(retention.size_bytes // SPAN_PARTS, SPAN_BYTES_MIN))
        if retention.time_ms is not None:
            span = max(retention.time_ms // SPAN_PARTS, SPAN_MS_MIN)
        return cls(size, span)


@dataclass(frozen=True, slots=True)
class Part:
    """Runs of one partition that follow each other and become one."""

    partition_id: PartitionId
    runs: tuple[StoredRun, ...]

    @property
    def size_bytes(self) -> int:
        """The bytes of its runs."""
        return sum(stored.run.length for stored in self.runs)


@dataclass(frozen=True, slots=True)
class Output:
    """An object that a merge writes: a segment of one part, or a gathered object."""

    parts: tuple[Part, ...]
    is_segment: bool

    @property
    def size_bytes(self) -> int:
        """The bytes of its parts."""
        return sum(part.size_bytes for part in self.parts)


# ---------------------------------------------------------------- which objects


class Generation(NamedTuple):
    """What one merge gathered: how often its bytes were gathered, and its name."""

    level: int
    name: str


def generation_of(object_name: str) -> Generation | None:
    """Return the generation of a gathered object; None if it is another one."""
    match = _GATHERED.fullmatch(object_name)
    return None if match is None else Generation(int(match[2]), match[1])


def gathered_name(level: int, unique: str, part: int) -> str:
    """Return the name of the `part`th object that a merge gathers."""
    return f"segments/gathered/{level:02d}-{unique}/{part:06d}.gathered"


def segment_name(partition_id: PartitionId, offset_first: int, offset_end: int, unique: str) -> str:
    """Return the name of a segment."""
    return f"segments/{partition_id}/{offset_first:020d}-{offset_end:020d}-{unique}.segment"


def due_journals(closed: Sequence[ObjectRow], *, files: int, age_ms: int, now_ms: int) -> list[str]:
    """Return the closed journal objects, given oldest first, that are to be merged now; empty if that can wait."""
    if not closed or (len(closed) < files and now_ms - closed[0].created_ms < age_ms):
        return []
    return [row.name for row in closed[:JOB_OBJECTS_MAX]]


def due_generations(object_names: Iterable[str]) -> tuple[int, list[str]] | None:
    """Return (level, names) of gathered objects that are to be gathered again, the lowest level first, or None."""
    levels: defaultdict[int, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for object_name in object_names:
        generation = generation_of(object_name)
        if generation is not None:
            levels[generation.level][generation.name].append(object_name)
    for level in sorted(levels):
        if len(levels[level]) >= FANOUT:
            return level, [name for names in levels[level].values() for name in names]
    return None


# ---------------------------------------------------------------- which runs


def parts_of(
    runs: Iterable[StoredRun], *, limits: dict[PartitionId, Limits], damaged: Collection[tuple[str, int, int]] = ()
) -> list[Part]:
    """Return the runs, given by partition and offset, in parts that may become one run each.

    A part ends where the offsets have a gap, at a damaged run (which stays as it is), and where the partition's limits
    are reached; partitions without limits are left out.
    """
    parts: list[Part] = []
    current: list[StoredRun] = []
    size = 0

    def end() -> None:
        nonlocal size
        if current:
            parts.append(Part(current[0].run.partition_id, tuple(current)))
            current.clear()
        size = 0

    for stored in runs:
        run = stored.run
        if (limit := limits.get(run.partition_id)) is None or damage_key(stored) in damaged:
            end()
            continue
        if current and (
            current[-1].run.partition_id != run.partition_id
            or current[-1].run.offset_end != run.offset_first
            or size + run.length > limit.size_bytes
            or not _within(current[0], stored, limit.span_ms)
        ):
            end()
        current.append(stored)
        size += run.length
    end()
    return parts


def damage_key(stored: StoredRun) -> tuple[str, int, int]:
    """Return what a run that was found damaged is remembered by."""
    return (stored.object_name, stored.run.partition_id, stored.run.offset_first)


def outputs_of(parts: Iterable[Part], *, object_bytes: int) -> list[Output]:
    """Return the objects to write: a segment for each part that is large enough, the others gathered."""
    segments: list[Output] = []
    gathered: list[Output] = []
    small: list[Part] = []
    size = 0
    for part in parts:
        length = part.size_bytes
        if length >= OWN_BYTES:
            segments.append(Output((part,), is_segment=True))
            continue
        if small and size + length > object_bytes:
            gathered.append(Output(tuple(small), is_segment=False))
            small, size = [], 0
        small.append(part)
        size += length
    if small:
        gathered.append(Output(tuple(small), is_segment=False))
    return segments + gathered


def due_segments(runs: Sequence[StoredRun], limits: Limits) -> list[Part]:
    """Return the parts of a partition's runs that are to become larger segments.

    `runs` are all of them in offset order. For each size, the smallest first: `FANOUT` segments of that size with
    nothing larger between them are merged, and what is smaller between them goes with them. A segment of at least
    half the limit is full: it is never written again.
    """
    for tier in range(_tier(limits.size_bytes) + 1):
        parts = [
            part
            for stretch in _stretches(runs, tier, limits)
            if sum(stored.is_segment and _tier(stored.run.length) == tier for stored in stretch) >= FANOUT
            for part in parts_of(stretch, limits={stretch[0].run.partition_id: limits})
            if len(part.runs) > 1
        ]
        if parts:
            return parts
    return []


def _stretches(runs: Sequence[StoredRun], tier: int, limits: Limits) -> list[list[StoredRun]]:
    """Return the longest stretches of neighbours none of which is larger than `tier`, full, or in a journal."""
    stretches: list[list[StoredRun]] = [[]]
    for stored in runs:
        run = stored.run
        last = stretches[-1]
        movable = stored.is_segment or generation_of(stored.object_name) is not None
        if not movable or run.length * 2 >= limits.size_bytes or _tier(run.length) > tier:
            stretches.append([])
        elif last and (last[-1].run.offset_end != run.offset_first or not _within(last[0], stored, limits.span_ms)):
            stretches.append([stored])
        else:
            last.append(stored)
    return [stretch for stretch in stretches if stretch]


def _tier(length: int) -> int:
    tier = 0
    while length >= OWN_BYTES * FANOUT:
        length //= FANOUT
        tier += 1
    return tier


def _within(first: StoredRun, last: StoredRun, span_ms: int) -> bool:
    times = (first.run.timestamp_max, last.run.timestamp_max)
    return min(times) < 0 or abs(times[1] - times[0]) <= span_ms


# ---------------------------------------------------------------- retention


def expired(
    runs: Sequence[StoredRun],
    retention: Retention,
    *,
    size_bytes: int,
    now_ms: int,
    written_ms: dict[str, int],
) -> int:
    """Return how many of the oldest `runs` go; `size_bytes` is the size of the partition from the first of them on.

    As in Apache Kafka: by size, the oldest go while at least the limit is left without them; by time, the oldest go
    while the youngest record of each is older than the limit. A run without timestamps is as old as its object
    (`written_ms`, by name).
    """
    left = size_bytes
    for count, (run, object_name, _) in enumerate(runs):
        too_much = retention.size_bytes is not None and left - run.length >= retention.size_bytes
        if not too_much:
            if retention.time_ms is None:
                return count
            youngest = run.timestamp_max if run.timestamp_max >= 0 else written_ms.get(object_name, now_ms)
            if now_ms - youngest <= retention.time_ms:
                return count
        left -= run.length
    return len(runs)
