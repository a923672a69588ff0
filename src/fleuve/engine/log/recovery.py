"""Brings the catalog up to what the store holds, before a broker serves.

Produce commits of an embedded catalog are relaxed: after a power cut it is a consistent state of some moment before,
and the journal holds what came later. Each extent behind the catalog's last flush is decided again, exactly as the
first time: the decision depends on rows of the catalog and on what the extent itself says, and on nothing else.

It may also be the other way round, for topics with the page-cache promise: the catalog knows batches whose bytes did
not reach the device. Their offsets are never given again: an empty batch takes their place, as Kafka's cleaner leaves
them, and the partition gets a new leader epoch, so that clients that saw them notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from fleuve.base.ids import FlushId, PartitionId, ProducerId
from fleuve.base.log import Logger
from fleuve.engine.log import extent
from fleuve.engine.log.batch import Batch
from fleuve.engine.log.decide import Circumstances
from fleuve.engine.log.flush import commit_of
from fleuve.engine.log.segment import SegmentIndex
from fleuve.ports.errors import CorruptState
from fleuve.ports.log import LogCatalog, Run
from fleuve.ports.recovery import RecoveryCatalog, UnfinishedIncarnation
from fleuve.ports.store import Extent, ExtentStore, ObjectStore
from fleuve.records.batch import (
    OFFSET_DELTA_MAX,
    check_batch,
    empty_batch,
    is_log_append_time,
)
from fleuve.records.errors import CorruptBatch, InvalidRecord, UnsupportedCompression


class Recovered(NamedTuple):
    """What a recovery did."""

    incarnations: int
    flushes_replayed: int
    partitions_filled: int


class Recovery:
    """Replays what earlier runs of the broker left."""

    def __init__(
        self,
        *,
        catalog: LogCatalog,
        recovery: RecoveryCatalog,
        extents: ExtentStore,
        objects: ObjectStore,
        logger: Logger,
        unique: Callable[[], str],
    ) -> None:
        self._catalog = catalog
        self._recovery = recovery
        self._extents = extents
        self._objects = objects
        self._logger = logger
        self._unique = unique

    async def run(self) -> Recovered:
        """Replay, fill what is lost, and close the earlier incarnations.

        Raises CorruptState where acknowledged data cannot be read, CatalogUnavailable and StoreUnavailable.
        """
        replayed = filled = 0
        unfinished = await self._recovery.unfinished()
        for incarnation in unfinished:
            count = 0 if self._catalog.produce_commits_durable else await self._replay(incarnation)
            replayed += count
            filled += await self._fill(incarnation)
            await self._recovery.close_incarnation(incarnation.incarnation)
            if count:
                self._logger.info("replayed the journal", incarnation=incarnation.incarnation, flushes=count)
        return Recovered(len(unfinished), replayed, filled)

    async def _replay(self, unfinished: UnfinishedIncarnation) -> int:
        number = unfinished.last_flush
        count = 0
        whole = unfinished.whole
        async for found in self._extents.scan(unfinished.incarnation, after=number):
            # Numbers that are missing could not be written. Their void is durable before anything behind them is
            # committed; here it never was, so nobody was told that what lies behind them is in the log. The catalog
            # remembers that they are missing: after another crash the care goes on.
            while number + 1 < found.flush.number:
                number += 1
                whole = False
                await self._recovery.skip(FlushId(unfinished.incarnation, number))
            number = found.flush.number
            await self._decide(found, whole=whole)
            count += 1
        return count

    async def _decide(self, found: Extent, *, whole: bool) -> None:
        """Decide a flush again; `whole` if nothing is missing before it, so that no batch can overtake a lost one."""
        header = extent.decode(found.header)
        batches = list(_batches(found, header))
        unsettled = set(header.unsettled)
        if not whole:
            unsettled.update((batch.partition_id, ProducerId(batch.producer_id)) for batch in batches)
        rows, deciding = commit_of(
            found.flush,
            found.placed,
            batches,
            Circumstances(header.append_time_ms, header.producer_expiration_ms, unsettled),
        )
        await self._catalog.commit(rows, deciding)

    # ------------------------------------------------------------ what did not reach the device

    async def _fill(self, unfinished: UnfinishedIncarnation) -> int:
        filled = 0
        for name in await self._recovery.objects_of(unfinished.incarnation):
            lost = await self._recovery.runs_beyond(name, position=await self._extents.valid_end(name))
            for partition_id, group in groupby(lost, attrgetter("partition_id")):
                await self._fill_partition(partition_id, list(group))
                filled += 1
        return filled

    async def _fill_partition(self, partition_id: PartitionId, lost: list[Run]) -> None:
        offset_first, offset_end = lost[0].offset_first, lost[-1].offset_end
        state = (await self._catalog.states([partition_id])).get(partition_id)
        if state is None:
            return
        data, index = bytearray(), SegmentIndex()
        for first in range(offset_first, offset_end, OFFSET_DELTA_MAX):
            last = min(first + OFFSET_DELTA_MAX, offset_end) - 1
            index.add(first, len(data), -1)
            data += empty_batch(first, last, state.leader_epoch + 1)
        name = f"segments/{partition_id}/{offset_first:020d}-{offset_end:020d}-{self._unique()}.segment"
        length = len(data)
        await self._objects.write_segment(name, [bytes(data), index.encode(partition_id)])
        fill = Run(partition_id, offset_first, offset_end, 0, length, -1, state.leader_epoch + 1)
        await self._recovery.replace_lost(lost, [fill], object_name=name, epoch_starts={partition_id: offset_first})
        self._logger.warning(
            "records that were acknowledged before their flush are lost; their offsets stay empty",
            partition_id=partition_id,
            offset_first=offset_first,
            offset_end=offset_end,
        )


def _batches(found: Extent, header: extent.ExtentHeader) -> Iterable[Batch]:
    """Yield the extent's batches as they were decided. Raises CorruptState."""
    position = 0
    for partition_id, length in header.groups:
        end = position + length
        while position < end:
            try:
                batch = check_batch(found.body, position, end, control_allowed=True)
            except (CorruptBatch, InvalidRecord, UnsupportedCompression) as error:
                raise CorruptState(f"flush {found.flush} in {found.placed.object_name}: {error}") from error
            yield Batch(
                partition_id,
                batch.size_bytes,
                batch.last_offset_delta,
                batch.max_timestamp,
                batch.producer_id,
                batch.producer_epoch,
                batch.base_sequence,
                batch.max_timestamp if is_log_append_time(batch.attributes) else -1,
            )
            position += batch.size_bytes
