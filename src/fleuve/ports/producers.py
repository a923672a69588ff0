"""Where producer ids come from."""

from __future__ import annotations

from typing import Protocol

from fleuve.base.ids import ProducerId, TimestampMs


class ProducerStore(Protocol):
    """Hands out blocks of producer ids; no id is ever in two of them."""

    async def allocate(self, size: int) -> ProducerId:
        """Take the next `size` ids for the caller alone, durably; return the first.

        Raises CatalogUnavailable; if the outcome is unknown, the ids are lost.
        """
        ...

    async def allocated_ms(self, producer_id: ProducerId) -> TimestampMs | None:
        """Return when the block with `producer_id` was handed out; None if it is not recorded."""
        ...

    async def forget(self, *, before_ms: int) -> int:
        """Drop the records of blocks handed out before then, but the newest; return how many. Ids are not reused."""
        ...
