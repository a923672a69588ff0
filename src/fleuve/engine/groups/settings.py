"""Settings that the groups room reads: sessions, rebalances, committed offsets."""

from __future__ import annotations

from fleuve.base.setting import AtLeast, Scope, Setting, ValueType

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="group.initial.rebalance.delay.ms",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="3000",
        doc="How long an empty group waits for further members before its first rebalance.",
    ),
    Setting(
        name="group.max.session.timeout.ms",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="1800000",
        doc="Longest session time-out that a member may ask for.",
    ),
    Setting(
        name="group.min.session.timeout.ms",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="6000",
        doc="Shortest session time-out that a member may ask for.",
    ),
    Setting(
        name="group.max.size",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="2147483647",
        check=AtLeast(1),
        doc="Most members of a group.",
    ),
    Setting(
        name="offset.metadata.max.bytes",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="4096",
        doc="Bytes of the metadata that a client may store with a committed offset.",
    ),
    Setting(
        name="offsets.retention.check.interval.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="600000",
        check=AtLeast(1),
        doc="How often expired offsets are looked for.",
    ),
    Setting(
        name="offsets.retention.minutes",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="10080",
        check=AtLeast(1),
        doc="Minutes after which the offsets of a group without members are forgotten.",
    ),
)
