"""Settings that maintenance reads: what expires, and when small files are merged into segments."""

from __future__ import annotations

from fleuve.base.setting import AtLeast, OneOf, Scope, Setting, UpdateMode, ValueType

_POLICIES = OneOf("compact", "delete")
_KEEPS_ALL = (
    "`compact` requires keys and stops expiry by time and size, but keeps every record: compaction itself comes later."
)
_RETENTION = ("log.retention.ms", "log.retention.minutes", "log.retention.hours")

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="cleanup.policy",
        scope=Scope.TOPIC,
        type=ValueType.LIST,
        default="delete",
        check=_POLICIES,
        doc="What happens to old records: `delete` by time and size, `compact` to the last one of each key, or both.",
        differs=_KEEPS_ALL,
        synonyms=("log.cleanup.policy",),
    ),
    Setting(
        name="retention.bytes",
        scope=Scope.TOPIC,
        type=ValueType.LONG,
        default="-1",
        doc="Size of a partition above which its oldest records go; -1: no limit.",
        synonyms=("log.retention.bytes",),
    ),
    Setting(
        name="retention.ms",
        scope=Scope.TOPIC,
        type=ValueType.LONG,
        default="604800000",
        check=AtLeast(-1),
        doc="Age at which records go; -1: never.",
        synonyms=_RETENTION,
    ),
    Setting(
        name="log.cleanup.policy",
        scope=Scope.BROKER,
        type=ValueType.LIST,
        default="delete",
        check=_POLICIES,
        doc="Default of `cleanup.policy`.",
        differs=_KEEPS_ALL,
        update_mode=UpdateMode.CLUSTER_WIDE,
    ),
    Setting(
        name="log.retention.bytes",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="-1",
        doc="Default of `retention.bytes`.",
        update_mode=UpdateMode.CLUSTER_WIDE,
    ),
    Setting(
        name="log.retention.check.interval.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="300000",
        check=AtLeast(1),
        doc="How often expired records are looked for.",
    ),
    Setting(
        name="log.retention.hours",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="168",
        doc="Default of `retention.ms`, in hours, where neither `log.retention.ms` nor `.minutes` is set.",
        synonyms=_RETENTION,
    ),
    Setting(
        name="log.retention.minutes",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default=None,
        doc="Default of `retention.ms`, in minutes, where `log.retention.ms` is not set.",
        synonyms=_RETENTION,
    ),
    Setting(
        name="log.retention.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default=None,
        doc="Default of `retention.ms`; any negative number means forever.",
        synonyms=_RETENTION,
        update_mode=UpdateMode.CLUSTER_WIDE,
    ),
    Setting(
        name="fleuve.garbage.grace.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="10000",
        check=AtLeast(0),
        doc="How long a file that nothing refers to any more stays, for reads that are under way.",
    ),
    Setting(
        name="fleuve.merge.age.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="300000",
        check=AtLeast(0),
        doc="Age of the oldest closed journal file from which files are merged though they are few.",
    ),
    Setting(
        name="fleuve.merge.backlog.files",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="4",
        check=AtLeast(1),
        doc="Closed journal files from which they are merged into segments, however young they are.",
    ),
    Setting(
        name="fleuve.merge.interval.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="10000",
        check=AtLeast(1),
        doc="How often closed journal files are looked for that can be merged.",
    ),
    Setting(
        name="fleuve.merge.segment.bytes",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="268435456",
        check=AtLeast(1_048_576),
        doc="Size of the largest file of segments that a merge writes.",
    ),
)
