"""Settings that the producers room reads."""

from __future__ import annotations

from fleuve.base.setting import AtLeast, Scope, Setting, UpdateMode, ValueType

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="producer.id.expiration.check.interval.ms",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="600000",
        check=AtLeast(1),
        doc="How often expired producer state is looked for.",
        internal=True,
    ),
    Setting(
        name="producer.id.expiration.ms",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="86400000",
        check=AtLeast(1),
        doc="Time after its last record at which a producer's sequence numbers are forgotten.",
        update_mode=UpdateMode.CLUSTER_WIDE,
        fixed_at_start=True,
    ),
)
