"""A checked batch on its way into the log."""

from __future__ import annotations

from fleuve.base.ids import PartitionId
from fleuve.engine.log.append import AppendRequest
from fleuve.engine.log.slab import Slab


class Batch:
    """A checked batch: what the decision needs of its header, where its bytes are, and who waits for it."""

    __slots__ = (
        "append_time_ms",
        "last_offset_delta",
        "partition_id",
        "producer_epoch",
        "producer_id",
        "request",
        "sequence",
        "size",
        "slab",
        "slot",
        "start",
        "timestamp_max",
    )

    def __init__(
        self,
        partition_id: PartitionId,
        size: int,
        last_offset_delta: int,
        timestamp_max: int,
        producer_id: int,
        producer_epoch: int,
        sequence: int,
        append_time_ms: int,
    ) -> None:
        self.partition_id = partition_id
        self.size = size
        self.last_offset_delta = last_offset_delta
        self.timestamp_max = timestamp_max
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.sequence = sequence
        self.append_time_ms = append_time_ms
        """−1 unless the topic has LogAppendTime."""


class PendingBatch(Batch):
    """A batch that lies in memory and waits for its flush. Filled by the one that makes it: this is the hot path."""

    __slots__ = ("records_count", "request", "slab", "slot", "start", "sync_after_messages", "sync_after_ms")

    records_count: int
    slab: Slab
    start: int
    """Of its bytes in the slab."""
    request: AppendRequest
    slot: int
    sync_after_messages: int
    """`flush.messages` of its topic: 1 means flushed before the ack."""
    sync_after_ms: int
    """`flush.ms` of its topic."""
