"""What the maintenance room counts."""

from __future__ import annotations

from fleuve.base.metric import Kind, Metric


class MaintenanceStats:
    """Plain numbers, all of them touched by the event loop's thread alone."""

    __slots__ = (
        "backlog_bytes",
        "backlog_objects",
        "damaged_runs",
        "deleted_objects",
        "errors",
        "expired_producers",
        "garbage_objects",
        "merged_bytes",
        "merged_runs",
        "merges",
        "retention_deleted_bytes",
    )

    def __init__(self) -> None:
        self.backlog_objects = 0
        self.backlog_bytes = 0
        self.merges = 0
        self.merged_runs = 0
        self.merged_bytes = 0
        self.retention_deleted_bytes = 0
        self.garbage_objects = 0
        self.deleted_objects = 0
        self.expired_producers = 0
        self.damaged_runs = 0
        self.errors = 0


METRICS = (
    Metric(
        "fleuve_maintenance_backlog_objects",
        Kind.GAUGE,
        "Closed journal files that wait to be merged.",
        "backlog_objects",
    ),
    Metric(
        "fleuve_maintenance_backlog_bytes",
        Kind.GAUGE,
        "Bytes of batches in closed journal files that wait to be merged.",
        "backlog_bytes",
    ),
    Metric("fleuve_maintenance_merges_total", Kind.COUNTER, "Objects written by merges.", "merges"),
    Metric("fleuve_maintenance_merged_runs_total", Kind.COUNTER, "Index rows that merges replaced.", "merged_runs"),
    Metric("fleuve_maintenance_merged_bytes_total", Kind.COUNTER, "Bytes written by merges.", "merged_bytes"),
    Metric(
        "fleuve_maintenance_retention_deleted_bytes_total",
        Kind.COUNTER,
        "Bytes of batches that retention deleted.",
        "retention_deleted_bytes",
    ),
    Metric(
        "fleuve_maintenance_garbage_objects",
        Kind.GAUGE,
        "Objects that nobody refers to and that wait to be deleted.",
        "garbage_objects",
    ),
    Metric(
        "fleuve_maintenance_deleted_objects_total",
        Kind.COUNTER,
        "Objects deleted from the store.",
        "deleted_objects",
    ),
    Metric(
        "fleuve_maintenance_expired_producers_total",
        Kind.COUNTER,
        "Idempotent producers that were forgotten in a partition.",
        "expired_producers",
    ),
    Metric(
        "fleuve_maintenance_damaged_runs_total",
        Kind.COUNTER,
        "Stored runs that were found damaged and left as they are; see the log.",
        "damaged_runs",
    ),
    Metric(
        "fleuve_maintenance_errors_total",
        Kind.COUNTER,
        "Steps of maintenance that failed and will be tried again.",
        "errors",
    ),
)
