"""Settings that the log reads: what a topic takes, when it is flushed, how much memory it uses."""

from __future__ import annotations

from fleuve.base.setting import AtLeast, Between, OneOf, Scope, Setting, UpdateMode, ValueType

_FLUSHED_FIRST = (
    "1 here: every record is on the device before it is acknowledged. Apache Kafka never flushes by count. "
    "A larger number is Kafka's page-cache promise."
)
_TIMESTAMP_TYPES = OneOf("CreateTime", "LogAppendTime")

TOPIC = (
    Setting(
        name="flush.messages",
        scope=Scope.TOPIC,
        type=ValueType.LONG,
        default="1",
        check=AtLeast(1),
        doc="Records after which the log is flushed to the device. 1: every record before it is acknowledged.",
        differs=_FLUSHED_FIRST,
        synonyms=("log.flush.interval.messages",),
    ),
    Setting(
        name="flush.ms",
        scope=Scope.TOPIC,
        type=ValueType.LONG,
        default="9223372036854775807",
        check=AtLeast(0),
        doc="Time after which what was acknowledged without a flush is flushed.",
        synonyms=("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
    ),
    Setting(
        name="max.message.bytes",
        scope=Scope.TOPIC,
        type=ValueType.INT,
        default="1048588",
        check=AtLeast(0),
        doc="Size of the largest record batch that is taken, after compression.",
        synonyms=("message.max.bytes",),
    ),
    Setting(
        name="message.timestamp.after.max.ms",
        scope=Scope.TOPIC,
        type=ValueType.LONG,
        default="3600000",
        check=AtLeast(0),
        doc="How far a record's timestamp may lie after the broker's time.",
        synonyms=("log.message.timestamp.after.max.ms",),
    ),
    Setting(
        name="message.timestamp.before.max.ms",
        scope=Scope.TOPIC,
        type=ValueType.LONG,
        default="9223372036854775807",
        check=AtLeast(0),
        doc="How far a record's timestamp may lie before the broker's time.",
        synonyms=("log.message.timestamp.before.max.ms",),
    ),
    Setting(
        name="message.timestamp.type",
        scope=Scope.TOPIC,
        type=ValueType.STRING,
        default="CreateTime",
        check=_TIMESTAMP_TYPES,
        doc="Whether a record's timestamp is the producer's (`CreateTime`) or the broker's (`LogAppendTime`).",
        synonyms=("log.message.timestamp.type",),
    ),
)

BROKER = (
    Setting(
        name="log.flush.interval.messages",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="1",
        check=AtLeast(1),
        doc="Default of `flush.messages`: records after which a log is flushed to the device.",
        differs=_FLUSHED_FIRST,
        update_mode=UpdateMode.CLUSTER_WIDE,
    ),
    Setting(
        name="log.flush.interval.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default=None,
        check=AtLeast(0),
        doc="Default of `flush.ms`; where it is not set, `log.flush.scheduler.interval.ms` is.",
        differs="A negative time is refused; Apache Kafka takes it, and can then describe no topic's configs any more.",
        synonyms=("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
        update_mode=UpdateMode.CLUSTER_WIDE,
    ),
    Setting(
        name="log.flush.scheduler.interval.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="9223372036854775807",
        check=AtLeast(0),
        doc="Stands in for `log.flush.interval.ms` where that is not set.",
        differs="Kafka also looks this often whether a flush is due; here a flush is due by its own time.",
    ),
    Setting(
        name="log.message.timestamp.after.max.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="3600000",
        check=AtLeast(0),
        doc="Default of `message.timestamp.after.max.ms`.",
        update_mode=UpdateMode.CLUSTER_WIDE,
    ),
    Setting(
        name="log.message.timestamp.before.max.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="9223372036854775807",
        check=AtLeast(0),
        doc="Default of `message.timestamp.before.max.ms`.",
        update_mode=UpdateMode.CLUSTER_WIDE,
    ),
    Setting(
        name="log.message.timestamp.type",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default="CreateTime",
        check=_TIMESTAMP_TYPES,
        doc="Default of `message.timestamp.type`.",
        update_mode=UpdateMode.CLUSTER_WIDE,
    ),
    Setting(
        name="message.max.bytes",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="1048588",
        check=AtLeast(0),
        doc="Default of `max.message.bytes`: size of the largest record batch that is taken.",
        update_mode=UpdateMode.CLUSTER_WIDE,
    ),
)

OURS = (
    Setting(
        name="fleuve.tail.cache.bytes",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="67108864",
        check=AtLeast(1_048_576),
        doc="Memory for the newest records, from which consumers at the end of the log are served.",
    ),
    Setting(
        name="fleuve.produce.buffer.bytes",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="67108864",
        check=AtLeast(1_048_576),
        doc="Produced bytes that may wait for their flush; beyond it producers wait at their sockets.",
    ),
    Setting(
        name="fleuve.journal.file.bytes",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="67108864",
        check=Between(1_048_576, 4_294_967_296),
        doc="Size at which a journal file is closed and the next one begun.",
    ),
    Setting(
        name="fleuve.journal.roll.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="3600000",
        check=AtLeast(1_000),
        doc="Age at which a journal file with records is closed though it is not full, so that it can be merged.",
    ),
)

SETTINGS: tuple[Setting, ...] = TOPIC + BROKER + OURS
