"""What a position comes to in the partitions of a cluster as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleuve.cli.client.cluster import Cluster
from fleuve.cli.client.errors import CommandFailed
from fleuve.cli.client.offsets import Range, at_time, ranges
from fleuve.cli.client.partitions import Partition
from fleuve.cli.client.positions import Kind, Place, Position, place


@dataclass(frozen=True, slots=True)
class Found:
    """Where partitions begin and end, and the place that was asked for in each."""

    ranges: Mapping[Partition, Range]
    places: Mapping[Partition, Place]
    """Without those that a shift cannot be counted in, since there is nothing to count from."""


def places(
    cluster: Cluster, position: Position, partitions: Sequence[Partition], current: Mapping[Partition, int]
) -> Found:
    """Return what a position comes to; `current` is what a shift counts from.

    Raises CommandFailed if a partition does not tell where it begins and ends: nobody could say what would happen.
    """
    found = ranges(cluster, partitions)
    times = at_time(cluster, partitions, position.number) if position.kind is Kind.TIME else {}
    came_to = {}
    for partition in partitions:
        earliest, latest = found[partition].earliest, found[partition].latest
        if earliest is None or latest is None or (position.kind is Kind.TIME and partition not in times):
            topic, index = partition
            raise CommandFailed(
                f"topic {topic}, partition {index}: does not tell its offsets; see `fleuve topic describe`"
            )
        there = place(
            position,
            earliest=earliest,
            latest=latest,
            current=current.get(partition),
            at_time=times.get(partition),
        )
        if there is not None:
            came_to[partition] = there
    return Found(found, came_to)
