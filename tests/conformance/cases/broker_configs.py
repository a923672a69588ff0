"""Settings of brokers: of one, and of all of them."""

from __future__ import annotations

from conformance.configs import APPEND, BROKER, DELETE, SET, SUBTRACT, Change, change, describe, replace, shows
from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import alter_configs, describe_configs, incremental_alter_configs

ALONE = True
"""The settings of all brokers are everybody's."""

THIS, ALL = (BROKER, "1"), (BROKER, "")
READ_ONLY = {"node.id", "num.partitions", "offsets.topic.num.partitions", "log.dirs", "auto.create.topics.enable"}
DIFFERENT = ["background.threads", "log.cleaner.threads", "min.insync.replicas", "producer.id.expiration.ms"]
PLAIN = frozenset(
    {
        "compression.type", "log.cleanup.policy", "log.flush.interval.ms",
        "log.message.timestamp.after.max.ms", "log.message.timestamp.type", "log.preallocate", "log.retention.bytes",
        "log.retention.ms", "log.roll.ms", "log.segment.bytes", "message.max.bytes",
        "unclean.leader.election.enable", "log.cleaner.min.cleanable.ratio",
        "log.index.interval.bytes", "log.segment.delete.delay.ms",
        "log.local.retention.ms", "log.cleaner.io.buffer.load.factor",
    }
)  # fmt: skip
"""Settings that change while a broker runs, of all types."""
VALUES = [
    "", " ", "many", "-2", "-1", "0", "1", " 5 ", "1.5", "4096", "2147483647", "2147483648", "9223372036854775807",
    "true", "FALSE", "delete", "compact,delete", "delete,", "gzip", "CreateTime",
]  # fmt: skip


@case
def all_settings_of_a_broker(kafka: Kafka) -> None:
    """Names, values, types and sources, with and without synonyms and documentation, in every version."""
    a = kafka.connect()
    for version in versions(describe_configs):
        describe(a, version, ALL)
    describe(a, 1, THIS)
    describe(a, 4, THIS)
    describe(a, 4, THIS, include_synonyms=True)
    describe(a, 4, THIS, keys=["log.retention.ms", "num.partitions"], include_documentation=True)


@case
def some_settings_of_a_broker(kafka: Kafka) -> None:
    """Keys that there are and that there are not; brokers that there are not."""
    a = kafka.connect()
    for version in versions(describe_configs):
        for name in "1", "", "2", "-1", "x", "01", " 1":
            describe(
                a, version, (BROKER, name), keys=["log.retention.ms", "nonsense", "log.retention.ms", "num.partitions"]
            )


@case
def values_of_settings(kafka: Kafka) -> None:
    """What they take and do not take, of one broker and of all."""
    a = kafka.connect()
    for name in sorted(PLAIN):
        for value in VALUES:
            for resource in THIS, ALL:
                change(a, 1, (resource, [(name, SET, value)]), validate_only=True)


@case
def values_that_fleuve_sees_otherwise(kafka: Kafka) -> None:
    """Numbers of threads that change by more than half and double, and settings that one of the two has fixed."""
    a = kafka.connect()
    for name in DIFFERENT:
        for value in "5", "8", "4096":
            change(a, 1, (THIS, [(name, SET, value)]), validate_only=True)


@case
def a_setting_changes(kafka: Kafka) -> None:
    """Of one broker and of all of them: set, seen, hidden by the nearer one, and deleted."""
    a = kafka.connect()
    key = "log.flush.interval.ms"
    for version in versions(incremental_alter_configs):
        change(a, version, (ALL, [(key, SET, "5000")]), validate_only=True)
        change(a, version, (ALL, [(key, SET, "5001")]))
        shows(a, THIS, {key: "5001"})
        describe(a, 4, ALL)
        change(a, version, (THIS, [(key, SET, "5002")]))
        shows(a, THIS, {key: "5002"})
        change(a, version, (ALL, [(key, SET, "5003")]))
        describe(a, 4, THIS, keys=[key])
        change(a, version, (THIS, [(key, DELETE, None)]))
        shows(a, THIS, {key: "5003"})
        change(a, version, (ALL, [(key, DELETE, None)]))
        shows(a, THIS, {key: None})
    for version in versions(alter_configs):
        replace(a, version, (THIS, [(key, "5004")]), validate_only=True)
        replace(a, version, (THIS, [(key, "5005")]))
        shows(a, THIS, {key: "5005"})
        replace(a, version, (THIS, []))
        shows(a, THIS, {key: None})


@case
def a_change_reaches_topics(kafka: Kafka) -> None:
    """A topic without a setting of its own has the broker's."""
    topic = (2, kafka.topic().name)
    a = kafka.connect()
    change(a, 1, (ALL, [("message.max.bytes", SET, "70000"), ("log.cleanup.policy", SET, "compact,delete")]))
    shows(a, topic, {"max.message.bytes": "70000", "cleanup.policy": "compact,delete"})
    change(a, 1, (ALL, [("message.max.bytes", DELETE, None), ("log.cleanup.policy", DELETE, None)]))
    shows(a, topic, {"max.message.bytes": "1048588", "cleanup.policy": "delete"})


@case
def what_is_wrong_with_a_change(kafka: Kafka) -> None:
    """Brokers that there are not, settings that are fixed, null, twice, and lists."""
    a = kafka.connect()
    key = "log.retention.ms"
    lists: list[list[Change]] = [
        [(key, SET, None)],
        [(key, APPEND, "1")],
        [(key, SUBTRACT, "1")],
        [(key, SET, "5"), (key, SET, "6")],
        [(key, SET, "5"), (key, DELETE, None)],
        [("log.retention.hours", SET, "5")],
        [("log.retention.ms", SET, "0")],
        [("log.cleanup.policy", APPEND, "compact")],
        [("log.cleanup.policy", APPEND, "nonsense")],
        [("log.cleanup.policy", SUBTRACT, "delete")],
        [("nonsense", DELETE, None)],
        [("nonsense", APPEND, "1")],
        [],
    ]
    for name in sorted(READ_ONLY):
        lists += [[(name, SET, "1")], [(name, DELETE, None)]]
    for version in versions(incremental_alter_configs):
        for changes in lists:
            for resource in THIS, ALL:
                change(a, version, (resource, changes), validate_only=True)
        for name in "2", "x", "-1", "01":
            change(a, version, ((BROKER, name), [(key, SET, "5")]), validate_only=True)
    for version in versions(alter_configs):
        for values in [(key, "x")], [(key, None)], [("num.partitions", "1")], [("node.id", "7")]:
            for resource in THIS, ALL:
                replace(a, version, (resource, list(values)), validate_only=True)
        for name in "2", "x":
            replace(a, version, ((BROKER, name), [(key, "5")]), validate_only=True)
