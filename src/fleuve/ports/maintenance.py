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
    """It holds one run of one partition; other objects hold runs of many."""
    created_ms: TimestampMs
    """When the catalog heard of it."""


class Usage(NamedTuple):
    """What is left of an object."""

    runs: int
    size_bytes: int
    """Of its runs."""


class Swap(NamedTuple):
    """A merge's result for one partition: these runs, which follow each other, become that one."""

    old: Sequence[StoredRun]
    new: Run
    """Ends where the last old one ends; may begin later than the first one, where records were deleted."""
    object_name: str
    is_segment: bool
    log_start_seen: int


class MaintenanceCatalog(Protocol):
    """Rows of objects and runs, as maintenance sees them.

    All methods raise CatalogUnavailable where nothing happened, CommitOutcomeUnknown where that is not known. A
    change is durable when its method returns, together with all that was committed before it.
    """

    async def objects(self, *, segments: bool) -> list[ObjectRow]:
        """Return the known objects, oldest first; those that are segments only with `segments`."""
        ...

    async def usage(self, object_names: Sequence[str]) -> dict[str, Usage]:
        """Return what is left of each of these objects; one that is not known has nothing."""
        ...

    async def runs_of_objects(
        self, object_names: Sequence[str], *, after: tuple[PartitionId, int] | None, limit: int
    ) -> list[StoredRun]:
        """Return up to `limit` runs that lie in these objects, by partition and offset.

        `after` is the partition and first offset of the last run that was seen, None to begin.
        """
        ...

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """Replace runs by merged ones, in one transaction; for each swap whether it happened.

        A swap is discarded (False) if its partition is gone, the log start is not the one that it saw, or the runs
        from its first to its last old one are not exactly those.
        """
        ...

    async def partitions_with_runs(self, *, after: PartitionId, limit: int) -> list[PartitionId]:
        """Return up to `limit` partitions above `after` that hold any run, ascending."""
        ...

    async def sweep_deleted(self, *, limit: int) -> int:
        """Drop up to about `limit` of the log's rows of partitions that do not exist any more; return how many.

        0: none is left.
        """
        ...

    async def unreferenced(self) -> list[ObjectRow]:
        """Return the objects without a run that are not marked as garbage."""
        ...

    async def mark_garbage(self, object_names: Sequence[str]) -> None:
        """Mark those of these objects that hold no run as garbage from now on."""
        ...

    async def garbage(self, *, before_ms: int) -> list[str]:
        """Return the objects that were marked as garbage by then and hold no run."""
        ...

    async def forget_objects(self, object_names: Sequence[str]) -> None:
        """Drop the rows of objects that are deleted from the store; one that holds a run stays."""
        ...

    async def expire_producers(self, *, before_ms: int) -> int:
        """Forget producers whose last batch was appended before then; return how many."""
        ...
