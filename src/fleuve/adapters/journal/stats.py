"""What the journal counts."""

from __future__ import annotations

from fleuve.base.metric import Histogram, Kind, Metric


class JournalStats:
    """Counts of one journal; written by whoever holds the journal's lock."""

    __slots__ = ("bytes_written", "extents", "failures", "files", "flush_seconds")

    def __init__(self) -> None:
        self.bytes_written = 0
        self.extents = 0
        self.failures = 0
        self.files = 0
        self.flush_seconds = Histogram()


METRICS = (
    Metric("fleuve_journal_written_bytes_total", Kind.COUNTER, "Bytes written to journal files.", "bytes_written"),
    Metric("fleuve_journal_extents_total", Kind.COUNTER, "Extents written to journal files.", "extents"),
    Metric(
        "fleuve_journal_failures_total", Kind.COUNTER, "Writes and flushes of a journal file that failed.", "failures"
    ),
    Metric("fleuve_journal_files_total", Kind.COUNTER, "Journal files begun.", "files"),
    Metric("fleuve_journal_flush_seconds", Kind.HISTOGRAM, "Time a flush of the device took.", "flush_seconds"),
)
