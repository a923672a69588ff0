"""The registry against what Apache Kafka 4.3.0 says of its settings."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fleuve.app.registry import ROOMS, registry
from fleuve.base.setting import InvalidConfig, Scope, Status, UpdateMode, ValueType, canonical, parse
from fleuve.engine.topics.configs import DEFAULTS, HONOURED, TopicConfigs
from fleuve.engine.topics.resolution import ConfigSource, Resolver

KAFKA = Path(__file__).parent / "data" / "kafka_4_3_settings.tsv"
"""Printed by a running Apache Kafka 4.3.0; `\\N` is null."""

OTHER_DEFAULTS = {
    (Scope.TOPIC, "flush.messages"): "1",
    (Scope.BROKER, "log.flush.interval.messages"): "1",
    (Scope.BROKER, "listeners"): "PLAINTEXT://localhost:9092",
    (Scope.BROKER, "log.dir"): "./fleuve-data",
}
"""The documented differences."""


def kafka_rows():
    with KAFKA.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 390
    return [pytest.param(row, id=f"{row['scope']}:{row['name']}") for row in rows]


@pytest.mark.parametrize("row", kafka_rows())
def test_every_setting_of_kafka_is_there_and_looks_the_same(row):
    scope = Scope(row["scope"])
    ours = registry().find(scope, row["name"])
    assert ours is not None
    resolver = Resolver(registry(), {})
    if scope is Scope.BROKER:
        entries = resolver.broker_entries()
    else:
        entries = resolver.topic_entries({}) if scope is Scope.TOPIC else resolver.group_entries({})
    entry = next(entry for entry in entries if entry.name == row["name"])
    default = None if row["default"] == "\\N" else row["default"]
    assert entry.value == OTHER_DEFAULTS.get((scope, row["name"]), None if entry.sensitive else default)
    assert entry.type == row["type"]
    assert entry.source is ConfigSource.DEFAULT
    assert entry.read_only == (row["read_only"] == "1")
    assert entry.sensitive == (row["sensitive"] == "1")
    assert ",".join(synonym.name for synonym in entry.synonyms) == row["synonyms"]
    assert entry.doc
    if scope is Scope.BROKER:
        assert ours.update_mode == row["update_mode"]


def test_every_default_is_allowed_and_in_its_own_form():
    for scope in Scope:
        for row in registry().of(scope):
            if row.default is not None:
                assert canonical(row, row.default) == row.default, row.name


def test_what_is_not_honoured_says_why_and_everything_says_what_it_is():
    for scope in Scope:
        for row in registry().of(scope):
            assert row.doc.endswith((".", "`", ")")), row.name
            assert (row.status is Status.HONOURED) == (row.reason == ""), row.name


def test_what_kafka_does_not_list_is_internal_or_begins_with_fleuve():
    kafkas = {(row.values[0]["scope"], row.values[0]["name"]) for row in kafka_rows()}
    ours = [row for scope in Scope for row in registry().of(scope) if (scope, row.name) not in kafkas]
    assert [row.name for row in ours if not row.internal and not row.name.startswith("fleuve.")] == []
    assert not any(name.startswith("fleuve.") for _, name in kafkas)


def test_every_synonym_is_a_broker_setting_or_the_setting_itself():
    for scope in Scope:
        for row in registry().of(scope):
            for synonym in row.synonyms:
                assert synonym == row.name or registry().find(Scope.BROKER, synonym) is not None


def test_no_file_of_rows_is_forgotten():
    package = Path(__file__).parents[2] / "src" / "fleuve"
    files = {
        *package.glob("engine/*/settings.py"),
        *package.glob("kafka/settings.py"),
        *package.glob("web/settings.py"),
        *(path for path in package.glob("app/settings/*.py") if path.stem not in ("__init__", "rows")),
    }
    assert files == {Path(room.__file__) for room in ROOMS if room.__file__}


def test_the_typed_defaults_of_a_topic_are_those_of_its_rows():
    rows = {name: registry().find(Scope.TOPIC, name) for name in HONOURED}
    texts = {name: row.default for name, row in rows.items() if row is not None and row.default is not None}
    assert TopicConfigs.of(texts) == DEFAULTS


def test_secrets_are_sensitive():
    for row in registry().of(Scope.BROKER):
        assert row.sensitive == (row.type == "password")


def test_only_broker_settings_change_while_it_runs_in_kafkas_ways():
    for scope in (Scope.TOPIC, Scope.GROUP):
        assert all(row.update_mode is UpdateMode.READ_ONLY for row in registry().of(scope))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("num.partition", "did you mean num.partitions"),
        ("retention.ms", "a setting of a topic; its default for all topics is log.retention.ms"),
        ("share.session.timeout.ms", "a setting of a group"),
        ("zookeeper.connect", "Apache Kafka 4 has it no more"),
        ("quite.something.else.altogether", "docs/reference/settings.md"),
    ],
)
def test_an_unknown_name_gets_advice(name, advice):
    assert advice in registry().advice(name)


def test_a_listeners_own_setting_is_found_with_and_without_a_mechanism():
    found = [
        registry().find_for_listener(name)
        for name in ("listener.name.a.ssl.keystore.location", "listener.name.a.plain.sasl.jaas.config", "listener.x")
    ]
    assert [row and row.name for row in found] == ["ssl.keystore.location", "sasl.jaas.config", None]


def test_every_value_that_words_allow_parses():
    row = registry().find(Scope.TOPIC, "cleanup.policy")
    assert row is not None
    assert parse(row, "compact, delete,compact") == ("compact", "delete")


def test_every_honoured_setting_is_read_by_somebody():
    source = Path(__file__).parents[2] / "src" / "fleuve"
    own = ("settings.py", "sources.py", "rows.py")
    texts = [
        path.read_text(encoding="utf-8")
        for path in source.rglob("*.py")
        if path.name not in own and path.parent.name not in ("settings", "generated")
    ]
    # Broker settings that stand behind a topic's are read through it; these, by the getters of `Settings`.
    behind = {name for row in registry().of(Scope.TOPIC) for name in row.synonyms}
    getters = {"broker.id", "node.id", "log.dir", "log.dirs", "fleuve.data.dir", "listener.security.protocol.map"}
    unread = [
        row.name
        for scope in Scope
        for row in registry().of(scope)
        if row.status is Status.HONOURED
        and row.name not in behind | getters
        and not any(f'"{row.name}"' in text for text in texts)
    ]
    assert unread == []


SAMPLES = {
    ValueType.INT: ["-10", "-2", "-1", "0", "1", "2147483647"],
    ValueType.LONG: ["-9223372036854775808", "-10", "-2", "-1", "0", "1", "9223372036854775807"],
    ValueType.DOUBLE: ["-0.1", "0", "1", "1.5"],
    ValueType.BOOLEAN: ["true", "false"],
    ValueType.STRING: ["", "none", "producer", "CreateTime"],
    ValueType.LIST: ["", "none", "delete", "compact,delete"],
}


def defaults_of_topics():
    table = registry()
    for row in table.of(Scope.TOPIC):
        for name in row.synonyms:
            synonym = table.find(Scope.BROKER, name)
            for text in SAMPLES[synonym.type]:
                yield pytest.param(row, synonym, text, id=f"{name}={text}")


@pytest.mark.parametrize(("row", "synonym", "text"), list(defaults_of_topics()))
def test_what_a_broker_may_have_as_default_a_topic_may_have(row, synonym, text):
    try:
        parse(synonym, text)
    except InvalidConfig:
        return
    inherited = Resolver(registry(), {synonym.name: text}).inherited_text(row)
    assert inherited is not None
    parse(row, inherited)
