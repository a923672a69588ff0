"""What a start after a crash needs of the catalog; only the engine's recovery uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from fleuve.base.ids import FlushId, Incarnation, PartitionId
from fleuve.ports.log import Run


class UnfinishedIncarnation(NamedTuple):
    """A run of a broker that ended without saying so."""

    incarnation: Incarnation
    last_flush: int
    whole: bool = True
    """Whether no flush up to the last one was skipped."""


class RecoveryCatalog(Protocol):
    """Rows that tell what is left to be done after a crash."""

    async def unfinished(self) -> list[UnfinishedIncarnation]:
        """Return the incarnations that are neither closed nor fenced, oldest first."""
        ...

    async def skip(self, flush: FlushId) -> None:
        """Move the incarnation to this flush, which the store does not have, durably; it is not whole any more.

        Raises Fenced if the incarnation does not stand before it.
        """
        ...

    async def close_incarnation(self, incarnation: Incarnation) -> None:
        """Fence it, durably: nothing of it is to be replayed any more."""
        ...

    async def runs_beyond(self, object_name: str, *, position: int) -> list[Run]:
        """Return the runs of an object that reach beyond `position`, by partition and offset."""
        ...

    async def objects_of(self, incarnation: Incarnation) -> list[str]:
        """Return the names of the extents' objects that the incarnation's commits refer to."""
        ...

    async def replace_lost(
        self,
        lost: Sequence[Run],
        found: Sequence[Run],
        *,
        object_name: str,
        epoch_starts: Mapping[PartitionId, int],
    ) -> None:
        """Replace runs whose bytes are lost by runs of `object_name` over the same offsets, durably.

        Each partition in `epoch_starts` gets a new leader epoch, one higher, that begins at the given offset.
        """
        ...
