"""What the log is told by the broker's settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPolicy:
    """Bounds and times of the log room."""

    tail_cache_bytes: int = 64 << 20
    """Memory for batches: those that wait for their flush, and the newest ones, for readers."""
    produce_buffer_bytes: int = 64 << 20
    """Batches that wait for their flush; beyond it producers wait."""
    producer_expiration_ms: int = 86_400_000
    """`producer.id.expiration.ms`."""
    catch_up_reads_max: int = 8
    """Fetches that read from the store at the same time; more of them wait, tail readers do not."""
    extent_bytes_max: int = 16 << 20
    """What one flush takes at most: bounds how long the first batch in it waits for the last."""

    def __post_init__(self) -> None:
        """Raise ValueError where a bound makes no sense."""
        if min(self.tail_cache_bytes, self.produce_buffer_bytes, self.catch_up_reads_max, self.extent_bytes_max) < 1:
            raise ValueError("log policy: every bound must be at least 1")
