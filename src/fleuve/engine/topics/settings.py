"""Settings that the topics room reads: how topics come and go."""

from __future__ import annotations

from fleuve.base.setting import AtLeast, Scope, Setting, ValueType

_ANY_FACTOR = (
    "Any factor from 1 is accepted and shown back, however many brokers there are; "
    "`fleuve.replication.factor.strict=true` gives Kafka's errors."
)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="auto.create.topics.enable",
        scope=Scope.BROKER,
        type=ValueType.BOOLEAN,
        default="true",
        doc="Whether a topic that a client asks for is created.",
    ),
    Setting(
        name="default.replication.factor",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="1",
        doc="Replication factor of topics that are created without one.",
        differs=_ANY_FACTOR,
    ),
    Setting(
        name="delete.topic.enable",
        scope=Scope.BROKER,
        type=ValueType.BOOLEAN,
        default="true",
        doc="Whether topics can be deleted.",
    ),
    Setting(
        name="num.partitions",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="1",
        check=AtLeast(1),
        doc="Partitions of topics that are created without a number of them.",
    ),
    Setting(
        name="offsets.topic.num.partitions",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="50",
        check=AtLeast(1),
        doc="Partitions that `__consumer_offsets` is shown with.",
        differs="The topic is there for the tools that look for it; offsets are kept in the catalog.",
    ),
    Setting(
        name="offsets.topic.replication.factor",
        scope=Scope.BROKER,
        type=ValueType.SHORT,
        default="3",
        check=AtLeast(1),
        doc="Replication factor that `__consumer_offsets` is shown with.",
        differs=_ANY_FACTOR,
    ),
    Setting(
        name="fleuve.replication.factor.strict",
        scope=Scope.BROKER,
        type=ValueType.BOOLEAN,
        default="false",
        doc="Whether a replication factor above the number of brokers is an error, as in Apache Kafka.",
    ),
)
