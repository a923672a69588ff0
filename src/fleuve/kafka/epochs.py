"""A client's leader epoch against the partition's (KIP-320)."""

from __future__ import annotations

from fleuve.base.ids import PartitionId
from fleuve.engine.log.errors import FencedLeaderEpoch, UnknownLeaderEpoch, UnknownPartition
from fleuve.engine.log.service import LogService

NOT_GIVEN = -1


async def check_leader_epoch(log: LogService, partition_id: PartitionId, given: int) -> None:
    """Check a client's leader epoch; -1 is none.

    Raises FencedLeaderEpoch and UnknownLeaderEpoch, and UnknownPartition and StorageFailed from asking.
    """
    if given in (NOT_GIVEN, log.leader_epoch(partition_id)):
        return
    # What the log has in mind may be missing; the catalog knows.
    state = (await log.states([partition_id])).get(partition_id)
    if state is None:
        raise UnknownPartition(f"partition {partition_id} does not exist")
    if given < state.leader_epoch:
        raise FencedLeaderEpoch(f"leader epoch {given} is older than the partition's {state.leader_epoch}")
    if given > state.leader_epoch:
        raise UnknownLeaderEpoch(f"leader epoch {given} is newer than the partition's {state.leader_epoch}")
