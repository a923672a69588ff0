"""kafka-configs: describes and alters the settings of topics, brokers and groups."""

from __future__ import annotations

import re

import pytest

TOOLS = "kafka-configs"


@pytest.fixture
def topic(tools, topic):
    """A topic that is there."""
    tools("topics", "--create", "--topic", topic, "--partitions", 1)
    return topic


def settings(printed):
    """Return each setting that was described with its value and its synonyms, by name."""
    found = re.findall(r"^  (\S+?)=(.*) sensitive=(?:false|true) synonyms=\{(.*)\}$", printed.out, re.MULTILINE)
    return {name: (value, re.split(r", (?=[A-Z_]+:)", synonyms)) for name, value, synonyms in found}


def test_a_topic_that_was_left_alone_has_settings_only_in_full(tools, topic):
    own = tools("configs", "--describe", "--topic", topic)
    everything = settings(tools("configs", "--describe", "--topic", topic, "--all"))

    assert own.lines[0] == f"Dynamic configs for topic {topic} are:"
    assert set(settings(own)) <= {"min.insync.replicas"}
    assert everything["retention.ms"][0] == "604800000"
    assert everything["cleanup.policy"] == ("delete", ["DEFAULT_CONFIG:log.cleanup.policy=delete"])
    assert len(everything) >= 30


def test_settings_of_a_topic_are_set_and_taken_back(tools, topic):
    altered = tools(
        "configs", "--alter", "--entity-type", "topics", "--entity-name", topic,
        "--add-config", "max.message.bytes=1000000,cleanup.policy=[compact,delete]",
    )  # fmt: skip
    before = settings(tools("configs", "--describe", "--topic", topic))
    tools("configs", "--alter", "--topic", topic, "--delete-config", "cleanup.policy")
    after = settings(tools("configs", "--describe", "--topic", topic))

    assert altered.lines == [f"Completed updating config for topic {topic}."]
    assert before["cleanup.policy"] == (
        "compact,delete",
        ["DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete", "DEFAULT_CONFIG:log.cleanup.policy=delete"],
    )
    assert before["max.message.bytes"][0] == "1000000"
    assert "cleanup.policy" not in after
    assert after["max.message.bytes"] == before["max.message.bytes"]


def test_settings_come_from_a_file(tools, topic, tmp_path):
    file = tmp_path / "topic.properties"
    file.write_text("retention.ms=9999\nsegment.ms=60000\n")

    tools("configs", "--alter", "--topic", topic, "--add-config-file", file)

    found = settings(tools("configs", "--describe", "--topic", topic))
    assert (found["retention.ms"][0], found["segment.ms"][0]) == ("9999", "60000")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("nonsense=1", "Unknown topic config name: nonsense"),
        ("retention.ms=x", "Invalid value x for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms=-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ("segment.bytes=1.5", "Invalid value 1.5 for configuration segment.bytes: Not a number of type INT"),
        (
            "compression.type=gz",
            "compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        ("cleanup.policy=remove", "Invalid value remove for configuration cleanup.policy"),
        (
            "min.cleanable.dirty.ratio=2",
            "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        ("preallocate=maybe", "Invalid value maybe for configuration preallocate: Expected value to be either true or"),
        ("message.timestamp.type=Never", "Invalid value Never for configuration message.timestamp.type"),
        ("min.compaction.lag.ms=2000,max.compaction.lag.ms=1000", "conflict topic config setting"),
    ],
)
def test_a_bad_value_for_a_topic_is_refused_with_the_reason_and_changes_nothing(tools, topic, setting, words):
    assert words in tools.refused(
        "configs", "--alter", "--topic", topic, "--add-config", f"retention.bytes=5,{setting}"
    )
    assert "retention.bytes" not in settings(tools("configs", "--describe", "--topic", topic))


def test_what_was_not_set_can_be_taken_back(tools, topic):
    done = f"Completed updating config for topic {topic}."
    assert tools("configs", "--alter", "--topic", topic, "--delete-config", "segment.ms").lines == [done]
    assert tools("configs", "--alter", "--topic", topic, "--delete-config", "nonsense").lines == [done]


def test_a_topic_that_is_missing_is_told(tools, topic):
    assert tools("configs", "--describe", "--topic", f"{topic}-no").lines == [
        f"The topic '{topic}-no' doesn't exist and doesn't have dynamic config."
    ]
    assert f"The topic '{topic}-no' does not exist." in tools.refused(
        "configs", "--alter", "--topic", f"{topic}-no", "--add-config", "retention.ms=1"
    )


def test_all_topics_are_described(tools, topic):
    lines = tools("configs", "--describe", "--entity-type", "topics").lines

    assert f"Dynamic configs for topic {topic} are:" in lines


def test_a_broker_takes_settings_and_gives_them_back(tools):
    altered = tools("configs", "--alter", "--broker", 1, "--add-config", "log.cleaner.threads=2")
    during = settings(tools("configs", "--describe", "--broker", 1))
    tools("configs", "--alter", "--broker", 1, "--delete-config", "log.cleaner.threads")
    after = settings(tools("configs", "--describe", "--broker", 1))

    assert altered.lines == ["Completed updating config for broker 1."]
    assert during["log.cleaner.threads"] == (
        "2",
        ["DYNAMIC_BROKER_CONFIG:log.cleaner.threads=2", "DEFAULT_CONFIG:log.cleaner.threads=1"],
    )
    assert "log.cleaner.threads" not in after


def test_the_default_of_all_brokers_reaches_broker_and_topics(tools, topic):
    altered = tools("configs", "--alter", "--broker-defaults", "--add-config", "log.segment.delete.delay.ms=70000")
    try:
        default = settings(tools("configs", "--describe", "--broker-defaults"))
        of_broker = settings(tools("configs", "--describe", "--broker", 1, "--all"))
        of_topic = settings(tools("configs", "--describe", "--topic", topic, "--all"))
    finally:
        tools("configs", "--alter", "--broker-defaults", "--delete-config", "log.segment.delete.delay.ms")

    assert altered.lines == ["Completed updating default config for brokers in the cluster."]
    assert default["log.segment.delete.delay.ms"][0] == "70000"
    for name, found in (("log.segment.delete.delay.ms", of_broker), ("file.delete.delay.ms", of_topic)):
        value, (first, *_) = found[name]
        assert (value, first) == ("70000", "DYNAMIC_DEFAULT_BROKER_CONFIG:log.segment.delete.delay.ms=70000")
    assert "log.segment.delete.delay.ms" not in settings(tools("configs", "--describe", "--broker-defaults"))


def test_a_broker_describes_everything_with_its_source(tools):
    found = settings(tools("configs", "--describe", "--broker", 1, "--all"))

    assert len(found) >= 200
    assert found["node.id"][0] == "1"
    assert found["message.max.bytes"] == ("1048588", ["DEFAULT_CONFIG:message.max.bytes=1048588"])
    assert found["ssl.keystore.password"] == ("null", [""])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("log.dirs=/x", "Cannot update these configs dynamically: [log.dirs]"),
        ("num.io.threads=0", "Invalid value 0 for configuration num.io.threads: Value must be at least 1"),
        ("num.io.threads=x", "Invalid value x for configuration num.io.threads: Not a number of type INT"),
    ],
)
@pytest.mark.parametrize("whose", [["--broker", 1], ["--broker-defaults"]])
def test_a_bad_value_for_brokers_is_refused_with_the_reason(tools, whose, setting, words):
    assert words in tools.refused("configs", "--alter", *whose, "--add-config", setting)


def test_a_broker_that_is_none_is_told(tools):
    assert tools("configs", "--describe", "--broker", 7).lines == [
        "The broker '7' doesn't exist and doesn't have dynamic config."
    ]
    assert "must be a valid integer broker id, but it is: x" in tools.refused(
        "configs", "--alter", "--broker", "x", "--add-config", "log.retention.ms=5"
    )


def test_a_group_takes_settings_and_gives_them_back(tools, group):
    name = "consumer.session.timeout.ms"
    altered = tools("configs", "--alter", "--group", group, "--add-config", f"{name}=50000")
    during = settings(tools("configs", "--describe", "--group", group))
    everybody = tools("configs", "--describe", "--entity-type", "groups")
    tools("configs", "--alter", "--group", group, "--delete-config", name)

    assert altered.lines == [f"Completed updating config for group {group}."]
    assert during[name] == (
        "50000",
        [f"DYNAMIC_GROUP_CONFIG:{name}=50000", "DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000"],
    )
    assert f"Dynamic configs for group {group} are:" in everybody.lines
    assert tools("configs", "--describe", "--group", group).lines == [
        f"The group '{group}' doesn't exist and doesn't have dynamic config."
    ]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            "consumer.session.timeout.ms=5",
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        ("nonsense=5", "Unknown group config name: nonsense"),
    ],
)
def test_a_bad_value_for_a_group_is_refused_with_the_reason(tools, group, setting, words):
    assert words in tools.refused("configs", "--alter", "--group", group, "--add-config", setting)
