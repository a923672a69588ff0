"""What merge, retention and garbage collection need of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from fleuve.base.ids import PartitionId, TimestampMs
from fleuve.ports.log import Run, StoredRun


class ObjectRow(NamedTuple):
    """An object that the catalog knows."""

    name: str
    is_segment: bool
    created_ms: TimestampMs
    garbage_since_ms: TimestampMs | None
    """When its last run went; None while any is left."""


class Swap(NamedTuple):
    """A merge's result for one partition: these exact runs become that one."""

    old: Sequence[StoredRun]
    new: Run
    object_name: str
    log_start_seen: int


class MaintenanceCatalog(Protocol):
    """Rows of objects and runs, as maintenance sees them."""

    async def objects(self) -> list[ObjectRow]:
        """Return every known object, oldest first."""
        ...

    async def runs_of_objects(self, object_names: Sequence[str]) -> list[StoredRun]:
        """Return the runs that lie in these objects, by partition and offset."""
        ...

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """Replace runs by merged ones, durably; for each swap whether it happened.

        A swap whose old runs are not exactly there any more, or whose partition's log start has moved past its first
        offset, is discarded (False).
        """
        ...

    async def partitions_with_runs(self) -> list[PartitionId]:
        """Return the partitions that hold any run."""
        ...

    async def partition_runs(self, partition_id: PartitionId) -> list[StoredRun]:
        """Return all runs of a partition in offset order."""
        ...

    async def sweep_deleted(self) -> int:
        """Drop the log rows of partitions that do not exist any more; return how many partitions went."""
        ...

    async def mark_garbage(self) -> None:
        """Mark the objects without a run as garbage from now on, except `growing` ones."""
        ...

    async def forget_objects(self, object_names: Sequence[str]) -> None:
        """Drop the rows of objects that are deleted from the store."""
        ...

    async def expire_producers(self, *, before_ms: int) -> int:
        """Forget producers whose last batch was appended before then; return how many."""
        ...
