"""Which value is in force. The listings are those that a running Apache Kafka 4.3 gave."""

from __future__ import annotations

import pytest

from fleuve.app.registry import registry
from fleuve.engine.topics.resolution import ConfigSource, Resolver

DYNAMIC, ALL, STATIC, DEFAULT, TOPIC, GROUP = (
    ConfigSource.DYNAMIC_BROKER,
    ConfigSource.DYNAMIC_DEFAULT_BROKER,
    ConfigSource.STATIC_BROKER,
    ConfigSource.DEFAULT,
    ConfigSource.TOPIC,
    ConfigSource.GROUP,
)


def resolver(static=None, *, this_broker=None, all_brokers=None):
    made = Resolver(registry(), static or {})
    made.set_dynamic(this_broker=this_broker or {}, all_brokers=all_brokers or {})
    return made


def only(entries, name):
    (entry,) = [entry for entry in entries if entry.name == name]
    return entry


def test_this_broker_comes_before_all_brokers_before_static_before_the_default():
    made = resolver(
        {"log.retention.ms": "9000"},
        this_broker={"log.retention.ms": "7000"},
        all_brokers={"log.retention.ms": "8000"},
    )
    entry = only(made.broker_entries(), "log.retention.ms")
    assert (entry.value, entry.source) == ("7000", DYNAMIC)
    assert entry.synonyms == (
        ("log.retention.ms", "7000", DYNAMIC),
        ("log.retention.ms", "8000", ALL),
        ("log.retention.ms", "9000", STATIC),
        ("log.retention.hours", "168", DEFAULT),
    )


def test_a_topics_override_comes_before_its_brokers_settings():
    made = resolver(this_broker={"log.retention.ms": "7000"})
    assert only(made.topic_entries({}), "retention.ms").value == "7000"
    entry = only(made.topic_entries({"retention.ms": " 5 "}), "retention.ms")
    assert (entry.value, entry.source) == ("5", TOPIC)
    assert entry.synonyms == (
        ("retention.ms", "5", TOPIC),
        ("log.retention.ms", "7000", DYNAMIC),
        ("log.retention.hours", "168", DEFAULT),
    )


@pytest.mark.parametrize(
    ("static", "value"),
    [
        ({"log.retention.hours": "24"}, "86400000"),
        ({"log.retention.hours": "24", "log.retention.minutes": "5"}, "300000"),
        ({"log.retention.minutes": "5", "log.retention.ms": "3"}, "3"),
        ({"log.retention.hours": "-1"}, "-1"),
        ({"log.retention.ms": "-2"}, "-1"),
    ],
)
def test_retention_is_taken_from_the_finest_unit_that_is_set(static, value):
    assert only(resolver(static).topic_entries({}), "retention.ms").value == value


def test_a_listing_that_begins_with_another_synonym_is_not_shown():
    # Kafka's oddity: the value is the hours', and nothing says so.
    entry = only(resolver({"log.retention.hours": "24"}).topic_entries({}), "retention.ms")
    assert (entry.synonyms, entry.source) == ((), DEFAULT)


def test_the_flush_interval_falls_back_to_the_schedulers():
    made = resolver({"log.flush.scheduler.interval.ms": "500"})
    assert only(made.topic_entries({}), "flush.ms").value == "500"


def test_static_values_keep_their_default_in_sight():
    entry = only(resolver({"num.partitions": "4"}).broker_entries(), "num.partitions")
    assert entry.synonyms == (("num.partitions", "4", STATIC), ("num.partitions", "1", DEFAULT))
    assert entry.read_only


def test_all_brokers_show_what_is_set_and_nothing_else():
    made = resolver({"num.partitions": "4"}, all_brokers={"log.retention.ms": "8000"})
    (entry,) = made.all_brokers_entries()
    assert (entry.name, entry.value, entry.source) == ("log.retention.ms", "8000", ALL)
    assert entry.synonyms == (("log.retention.ms", "8000", ALL),)


def test_secrets_have_no_value_anywhere():
    entry = only(resolver(this_broker={"ssl.key.password": "x"}).broker_entries(), "ssl.key.password")
    assert (entry.value, entry.sensitive, entry.source) == (None, True, DYNAMIC)
    assert entry.synonyms == (("ssl.key.password", None, DYNAMIC),)


def test_internal_settings_are_listed_once_they_are_set():
    name = "producer.id.expiration.check.interval.ms"
    assert name not in {entry.name for entry in resolver().broker_entries()}
    assert only(resolver({name: "5"}).broker_entries(), name).value == "5"


def test_a_groups_override_comes_before_the_brokers_setting():
    entry = only(resolver().group_entries({"consumer.session.timeout.ms": "50000"}), "consumer.session.timeout.ms")
    assert (entry.value, entry.source) == ("50000", GROUP)
    assert entry.synonyms == (
        ("consumer.session.timeout.ms", "50000", GROUP),
        ("group.consumer.session.timeout.ms", "45000", DEFAULT),
    )


def test_what_is_not_honoured_says_so_in_its_documentation():
    entries = resolver().broker_entries()
    assert "Accepted without effect: " in only(entries, "num.io.threads").doc
    assert "Refused: " in only(entries, "ssl.keystore.location").doc


def test_entries_follow_the_dynamic_values():
    made = resolver()
    assert only(made.topic_entries({}), "retention.ms").value == "604800000"
    made.set_dynamic(this_broker={"log.retention.ms": "7"}, all_brokers={})
    assert only(made.topic_entries({}), "retention.ms").value == "7"
    assert only(made.topic_entries({"flush.ms": "1"}), "retention.ms").value == "7"


def test_overrides_that_no_setting_stands_for_are_not_listed():
    assert [entry.name for entry in resolver().topic_entries({"gone": "1"})] == [
        entry.name for entry in resolver().topic_entries({})
    ]


def test_an_unknown_broker_setting_is_a_key_error():
    with pytest.raises(KeyError):
        resolver().broker_text("no.such.setting")
