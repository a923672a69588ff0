"""A request that waits in a connection's lane."""

from __future__ import annotations

from struct import Struct
from typing import Final

from fleuve.kafka.handlers import fetch, join_group, sync_group

QUEUED_OVERHEAD_BYTES: Final = 512
"""What a small frame in the lane takes beside its bytes: frames of some ten bytes would not be bounded otherwise."""

_LONG_IN_COMING: Final = (fetch.API.key, join_group.API.key, sync_group.API.key)
_api_key = Struct(">h").unpack_from


class QueuedRequest:
    """A frame that waits in the lane; `slab` is its memory if it has its own."""

    __slots__ = ("received", "size", "slab", "view")

    def __init__(self, view: memoryview, size: int, received: float, slab: bytearray | None) -> None:
        self.view = view
        self.size = size
        self.received = received
        self.slab = slab

    @property
    def is_long_in_coming(self) -> bool:
        """Whether its answer may take its time, as its client wants it."""
        return len(self.view) >= 2 and _api_key(self.view)[0] in _LONG_IN_COMING
