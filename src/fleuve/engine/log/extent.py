"""The header of an extent: whatever a replay needs to decide as the first time, beside the batches themselves.

    0   format version         uint8   1
    1   append time, ms        int64   the wall clock when the flush began
    9   producer expiration    int64   ms, `producer.id.expiration.ms` as it was in force
    17  groups                 uint32
    21  per group, ascending by partition id:
        partition id           uint64
        length                 uint32  bytes of its batches in the body, one after the other
        unsettled              uint32  count of what follows
        per producer whose earlier batches failed:
        partition id           uint64
        producer id            int64

The body is the groups' batches. They carry the offsets that their producers sent (0): real ones are given by the
commit, and a reader writes them in.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from fleuve.base.ids import PartitionId, ProducerId
from fleuve.ports.errors import CorruptState

FORMAT_VERSION: Final = 1

_HEAD: Final = struct.Struct(">BqqI")
_GROUP: Final = struct.Struct(">QI")
_COUNT: Final = struct.Struct(">I")
_UNSETTLED: Final = struct.Struct(">Qq")


class ExtentGroup(NamedTuple):
    """One partition's batches in an extent."""

    partition_id: PartitionId
    length: int


class ExtentHeader(NamedTuple):
    """What a decision depends on, beside batches and catalog rows."""

    append_time_ms: int
    producer_expiration_ms: int
    groups: Sequence[ExtentGroup]
    unsettled: Sequence[tuple[PartitionId, ProducerId]] = ()
    """Producers whose earlier batches failed: unless they are known, they must begin at sequence 0."""


def encode(header: ExtentHeader) -> bytes:
    """Return the header's bytes."""
    return b"".join(
        (
            _HEAD.pack(FORMAT_VERSION, header.append_time_ms, header.producer_expiration_ms, len(header.groups)),
            *(_GROUP.pack(partition_id, length) for partition_id, length in header.groups),
            _COUNT.pack(len(header.unsettled)),
            *(_UNSETTLED.pack(*key) for key in header.unsettled),
        )
    )


def decode(data: bytes) -> ExtentHeader:
    """Return the header in `data`. Raises CorruptState."""
    if len(data) < _HEAD.size or data[0] != FORMAT_VERSION:
        version = data[0] if data else "none"
        raise CorruptState(f"extent header: format {version}, {len(data)} bytes; this broker reads {FORMAT_VERSION}")
    _, append_time_ms, producer_expiration_ms, count = _HEAD.unpack_from(data)
    groups_end = _HEAD.size + count * _GROUP.size
    if len(data) < groups_end + _COUNT.size:
        raise CorruptState(f"extent header: {count} groups do not fit {len(data)} bytes")
    (unsettled_count,) = _COUNT.unpack_from(data, groups_end)
    if len(data) != groups_end + _COUNT.size + unsettled_count * _UNSETTLED.size:
        raise CorruptState(
            f"extent header: {count} groups and {unsettled_count} producers do not fit {len(data)} bytes"
        )
    groups = [
        ExtentGroup(PartitionId(partition_id), length)
        for partition_id, length in _GROUP.iter_unpack(data[_HEAD.size : groups_end])
    ]
    unsettled = [
        (PartitionId(partition_id), ProducerId(producer_id))
        for partition_id, producer_id in _UNSETTLED.iter_unpack(data[groups_end + _COUNT.size :])
    ]
    return ExtentHeader(append_time_ms, producer_expiration_ms, groups, unsettled)
