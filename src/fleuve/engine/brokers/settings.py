"""Settings that the brokers room reads: who this broker is."""

from __future__ import annotations

from fleuve.base.setting import AtLeast, Scope, Setting, ValueType

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="broker.id",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="-1",
        doc="Older name of `node.id`; where both are set they must be equal. -1: not set.",
    ),
    Setting(
        name="broker.rack",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default=None,
        doc="Rack or zone of this broker, shown to clients.",
    ),
    Setting(
        name="node.id",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default=None,
        check=AtLeast(0),
        doc="Id of this broker.",
        differs="Apache Kafka requires it; here it is 1 where none is given.",
    ),
)
