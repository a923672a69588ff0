"""What maintenance is told by the broker's settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenancePolicy:
    """Intervals, ages and sizes. Read anew for each round, so settings that are dynamic take effect."""

    merge_interval_ms: int = 10_000
    """`fleuve.merge.interval.ms`."""
    merge_backlog_files: int = 4
    """`fleuve.merge.backlog.files`: closed journal objects that are merged at once."""
    merge_age_ms: int = 300_000
    """`fleuve.merge.age.ms`: fewer are merged when the oldest is as old as this."""
    segment_bytes: int = 256 << 20
    """`fleuve.merge.segment.bytes`: what a merged object holds at most."""
    garbage_grace_ms: int = 10_000
    """`fleuve.garbage.grace.ms`: how long an object that nobody refers to stays, for readers that are under way."""
    journal_roll_ms: int = 3_600_000
    """`fleuve.journal.roll.ms`: age at which the growing journal object is closed."""
    retention_check_interval_ms: int = 300_000
    """`log.retention.check.interval.ms`."""
    producer_expiration_check_interval_ms: int = 600_000
    """`producer.id.expiration.check.interval.ms`."""
    producer_expiration_ms: int = 86_400_000
    """`producer.id.expiration.ms`."""

    def __post_init__(self) -> None:
        """Raise ValueError where a number makes no sense."""
        intervals = (
            self.merge_interval_ms,
            self.retention_check_interval_ms,
            self.producer_expiration_check_interval_ms,
        )
        if min(intervals) < 1 or self.merge_backlog_files < 1 or self.segment_bytes < 1 << 20:
            raise ValueError("maintenance policy: intervals from 1 ms, backlog from 1 file, segments from 1 MiB")
