"""What the log room counts."""

from __future__ import annotations

from fleuve.base.metric import Histogram, Kind, Metric


class LogStats:
    """Plain numbers, all of them touched by the event loop's thread alone."""

    __slots__ = (
        "appended_batches",
        "appended_bytes",
        "appended_records",
        "arena_bytes",
        "buffer_bytes",
        "buffer_bytes_max",
        "catch_up_bytes",
        "commit_seconds",
        "duplicates",
        "flush_errors",
        "flush_seconds",
        "pinned_bytes",
        "rejected_batches",
        "tail_bytes",
    )

    def __init__(self) -> None:
        self.appended_batches = 0
        self.appended_bytes = 0
        self.appended_records = 0
        self.rejected_batches = 0
        self.duplicates = 0
        self.buffer_bytes = 0
        self.buffer_bytes_max = 0
        self.flush_seconds = Histogram()
        self.commit_seconds = Histogram()
        self.flush_errors = 0
        self.tail_bytes = 0
        self.catch_up_bytes = 0
        self.arena_bytes = 0
        self.pinned_bytes = 0


METRICS = (
    Metric("fleuve_log_appended_batches_total", Kind.COUNTER, "Batches appended to the log.", "appended_batches"),
    Metric("fleuve_log_appended_bytes_total", Kind.COUNTER, "Bytes of batches appended to the log.", "appended_bytes"),
    Metric("fleuve_log_appended_records_total", Kind.COUNTER, "Records appended to the log.", "appended_records"),
    Metric("fleuve_log_rejected_batches_total", Kind.COUNTER, "Batches that were refused.", "rejected_batches"),
    Metric(
        "fleuve_log_duplicate_batches_total",
        Kind.COUNTER,
        "Batches of idempotent producers that were in the log already.",
        "duplicates",
    ),
    Metric("fleuve_log_buffer_bytes", Kind.GAUGE, "Bytes of batches that wait for their flush.", "buffer_bytes"),
    Metric("fleuve_log_buffer_bytes_max", Kind.GAUGE, "Bound of fleuve_log_buffer_bytes.", "buffer_bytes_max"),
    Metric("fleuve_log_flush_seconds", Kind.HISTOGRAM, "Time to write and flush an extent.", "flush_seconds"),
    Metric("fleuve_log_commit_seconds", Kind.HISTOGRAM, "Time of a flush's catalog commit.", "commit_seconds"),
    Metric(
        "fleuve_log_flush_errors_total",
        Kind.COUNTER,
        "Flushes that failed.",
        "flush_errors",
    ),
    Metric("fleuve_log_tail_read_bytes_total", Kind.COUNTER, "Bytes read from memory by fetches.", "tail_bytes"),
    Metric("fleuve_log_catch_up_read_bytes_total", Kind.COUNTER, "Bytes read from the store.", "catch_up_bytes"),
    Metric("fleuve_log_cache_bytes", Kind.GAUGE, "Memory of the tail cache, pinned memory included.", "arena_bytes"),
    Metric(
        "fleuve_log_cache_pinned_bytes",
        Kind.GAUGE,
        "Memory that has left the tail cache and is still being sent to slow readers.",
        "pinned_bytes",
    ),
)
