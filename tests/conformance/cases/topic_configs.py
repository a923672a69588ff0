"""Settings of topics: described, changed one by one, and replaced."""

from __future__ import annotations

from conformance.configs import APPEND, DELETE, SET, SUBTRACT, TOPIC, Change, change, describe, replace, shows
from conformance.groups import offsets_topic
from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import alter_configs, describe_configs, incremental_alter_configs

NUMBERS = [
    "", " ", "many", "-3", "-2", "-1", "0", "1", " 5 ", "+5", "05", "1.5", "1e3", "0x10", "1_000", "2147483647",
    "2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "true",
]  # fmt: skip
WORDS = ["", " ", "true", "TRUE", " false ", "1", "yes", "nonsense", "delete", "compact", "compact,delete"]
VALUES = {
    "boolean": WORDS,
    "string": [
        *WORDS, "none", "gzip", "GZIP", "uncompressed", "producer", "zstd", "CreateTime", "LogAppendTime", "createtime",
    ],
    "list": [*WORDS, "delete,", ",delete", "delete,delete", "delete, compact", "*", "0:1,1:2", "0-1", "none"],
    "number": NUMBERS,
}  # fmt: skip
TYPES = {1: "boolean", 2: "string", 7: "list"}


@case
def all_settings_of_a_topic(kafka: Kafka) -> None:
    """Names, values, types and sources, with and without synonyms and documentation, in every version."""
    topic = kafka.topic(configs={"retention.ms": "1000", "cleanup.policy": "compact"})
    a = kafka.connect()
    for version in versions(describe_configs):
        describe(a, version, (TOPIC, topic.name))
    describe(a, 4, (TOPIC, topic.name), include_synonyms=True)
    describe(a, 4, (TOPIC, topic.name), include_documentation=True)


@case
def all_settings_of_the_internal_topic(kafka: Kafka) -> None:
    """`__consumer_offsets`, as it is made."""
    a = kafka.connect()
    offsets_topic(a)
    describe(a, 4, (TOPIC, "__consumer_offsets"), include_synonyms=True)


@case
def some_settings_of_a_topic(kafka: Kafka) -> None:
    """Keys that there are and that there are not, twice, none; and topics that there are not."""
    topic = kafka.topic()
    resource = (TOPIC, topic.name)
    a = kafka.connect()
    for version in versions(describe_configs):
        for keys in ["retention.ms"], ["nonsense"], ["retention.ms", "retention.ms", "", "segment.bytes"]:
            describe(a, version, (TOPIC, topic.name), keys=keys)
        for name in kafka.name("none"), "", "..", "a b":
            describe(a, version, (TOPIC, name), keys=["retention.ms"])
        describe(a, version, resource, (TOPIC, kafka.name("none")), resource, keys=["preallocate"])
        describe(a, version)
        for kind in 0, 1, 3, 127, -1:
            describe(a, version, (kind, topic.name), keys=["retention.ms"])


@case
def values_of_every_setting(kafka: Kafka) -> None:
    """What each setting takes and does not take."""
    topic = kafka.topic()
    a = kafka.connect()
    known = describe(a, 4, (TOPIC, topic.name)).results[0].configs
    for entry in sorted(known, key=lambda entry: str(entry.name)):
        for value in VALUES[TYPES.get(entry.config_type, "number")]:
            change(a, 1, ((TOPIC, topic.name), [(entry.name, SET, value)]), validate_only=True)


@case
def a_setting_changes(kafka: Kafka) -> None:
    """Set, deleted and replaced, in every version, and seen; validate_only changes nothing."""
    topic = kafka.topic()
    resource = (TOPIC, topic.name)
    a = kafka.connect()
    for version in versions(incremental_alter_configs):
        ms = str(1_000 + version)
        change(a, version, (resource, [("retention.ms", SET, "7")]), validate_only=True)
        change(a, version, (resource, [("retention.ms", SET, ms), ("segment.bytes", SET, "2097152")]))
        shows(a, resource, {"retention.ms": ms}, "segment.bytes")
        change(a, version, (resource, [("retention.ms", DELETE, None)]))
        shows(a, resource, {"retention.ms": "-1"}, "segment.bytes")
        change(a, version, (resource, [("retention.ms", DELETE, "ignored"), ("nonsense", DELETE, None)]))
        change(a, version, (resource, []))
    for version in versions(alter_configs):
        ms = str(2_000 + version)
        replace(a, version, (resource, [("retention.ms", "7")]), validate_only=True)
        replace(a, version, (resource, [("retention.ms", ms)]))
        shows(a, resource, {"retention.ms": ms}, "segment.bytes")
        replace(a, version, (resource, []))
        shows(a, resource, {"retention.ms": "-1"}, "segment.bytes")


@case
def a_list_grows_and_shrinks(kafka: Kafka) -> None:
    """Appended to and subtracted from: what was there, what was not, and settings that are no lists."""
    topic = kafka.topic()
    resource = (TOPIC, topic.name)
    a = kafka.connect()
    for operation, value, policy in [
        (APPEND, "compact", "delete,compact"),
        (APPEND, "compact", "delete,compact"),
        (APPEND, "compact,compact,delete", "delete,compact"),
        (APPEND, "nonsense", "delete,compact"),
        (APPEND, "", "delete,compact"),
        (SUBTRACT, "", "delete,compact"),
        (SUBTRACT, "nonsense", "delete,compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "compact", ""),
        (SUBTRACT, "compact", ""),
        (APPEND, "delete", "delete"),
        (SET, " compact , delete ", "compact,delete"),
    ]:
        change(a, 1, (resource, [("cleanup.policy", operation, value)]))
        shows(a, resource, {"cleanup.policy": policy})
    for operation in APPEND, SUBTRACT:
        for name in "retention.ms", "compression.type", "preallocate", "nonsense", "":
            for nothing in "1", None:
                change(a, 1, (resource, [(name, operation, nothing)]))
    throttled = "leader.replication.throttled.replicas"
    for operation, value in [
        (APPEND, ""), (APPEND, "0:1"), (APPEND, "1:1"), (SUBTRACT, "0:1"), (APPEND, ""), (APPEND, "*"), (APPEND, "x"),
    ]:  # fmt: skip
        change(a, 1, (resource, [(throttled, operation, value)]))


@case
def what_is_wrong_with_a_change(kafka: Kafka) -> None:
    """Unknown settings, topics, types and operations; null; twice; and a good one beside a bad one."""
    topic, other = kafka.topic(), kafka.topic(name="other")
    resource = (TOPIC, topic.name)
    a = kafka.connect()
    lists: list[list[Change]] = [
        [("nonsense", SET, "1")],
        [("", SET, "1")],
        [("retention.ms", SET, None)],
        [("retention.ms", APPEND, None)],
        [("retention.ms", 4, "1")],
        [("retention.ms", -1, "1")],
        [("retention.ms", SET, "1"), ("retention.ms", SET, "1")],
        [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)],
        [("retention.ms", SET, "1"), ("nonsense", SET, "1")],
        [("nonsense", SET, None), ("retention.ms", SET, "x")],
        [("min.compaction.lag.ms", SET, "5"), ("max.compaction.lag.ms", SET, "4")],
        [("max.message.bytes", SET, "100"), ("segment.bytes", SET, "50")],
        [("local.retention.ms", SET, "1000"), ("retention.ms", SET, "10")],
        [("local.retention.bytes", SET, "1000"), ("retention.bytes", SET, "10")],
        [("remote.storage.enable", SET, "true")],
        [("remote.storage.enable", SET, "false")],
        [("log.retention.ms", SET, "1")],
    ]
    replacements: list[list[tuple[str, str | None]]] = [
        [("nonsense", "1")], [("", "1")], [("retention.ms", None)], [("retention.ms", "1"), ("retention.ms", "2")],
        [("retention.ms", "x"), ("nonsense", "1")], [("cleanup.policy", "x")], [("retention.ms", "x")],
    ]  # fmt: skip
    for version in versions(incremental_alter_configs):
        for changes in lists:
            change(a, version, (resource, changes), validate_only=True)
        for name in kafka.name("none"), "", "a b":
            change(a, version, ((TOPIC, name), [("retention.ms", SET, "1")]))
        change(a, version, (resource, lists[0]), ((TOPIC, other.name), [("retention.ms", SET, "9")]))
        change(a, version, (resource, []), (resource, []))
        change(a, version, (resource, []), (resource, []), ((TOPIC, other.name), [("retention.ms", SET, "9")]))
        for kind in 0, 1, 3, 127, -1:
            change(a, version, ((kind, topic.name), [("retention.ms", SET, "1")]))
        change(a, version)
    for version in versions(alter_configs):
        for values in replacements:
            replace(a, version, (resource, values), validate_only=True)
        for name in kafka.name("none"), "", "a b":
            replace(a, version, ((TOPIC, name), [("retention.ms", "1")]))
        replace(a, version, (resource, [("nonsense", "1")]), ((TOPIC, other.name), [("retention.ms", "9")]))
        for kind in 0, 1, 3, 127, -1:
            replace(a, version, ((kind, topic.name), [("retention.ms", "1")]))
        replace(a, version)


@case
def a_resource_that_is_replaced_twice(kafka: Kafka) -> None:
    """Kafka never answers."""
    resource = (TOPIC, kafka.topic().name)
    request = alter_configs.AlterConfigsRequest(
        resources=[
            alter_configs.AlterConfigsResource(resource_type=kind, resource_name=name, configs=[])
            for kind, name in (resource, resource)
        ]
    )
    a = kafka.connect()
    a.send(alter_configs, request, 2)
    a.silent()
