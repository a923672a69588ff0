"""The typed configs of a topic."""

from __future__ import annotations

from uuid import UUID

import pytest

from fleuve.base.ids import TopicId
from fleuve.engine.topics.configs import DEFAULTS, FixedConfigs, TopicConfigs

TEXTS = {
    "cleanup.policy": "delete",
    "flush.messages": "1",
    "flush.ms": "9223372036854775807",
    "max.message.bytes": "1048588",
    "message.timestamp.after.max.ms": "3600000",
    "message.timestamp.before.max.ms": "9223372036854775807",
    "message.timestamp.type": "CreateTime",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
}


def test_the_defaults_are_those_of_their_texts():
    assert TopicConfigs.of(TEXTS) == DEFAULTS
    assert FixedConfigs().topic_configs(TopicId(UUID(int=1))) is DEFAULTS


@pytest.mark.parametrize("policy", ["compact", ""])
def test_nothing_expires_unless_the_policy_deletes(policy):
    configs = TopicConfigs.of(TEXTS | {"cleanup.policy": policy, "retention.bytes": "10"})
    assert (configs.retention_ms, configs.retention_bytes) == (None, None)
    assert configs.compact == (policy == "compact")


def test_both_policies_expire_and_want_keys():
    configs = TopicConfigs.of(TEXTS | {"cleanup.policy": "compact, delete"})
    assert (configs.compact, configs.delete, configs.retention_ms) == (True, True, 604_800_000)


def test_no_limit_is_none():
    configs = TopicConfigs.of(TEXTS | {"retention.ms": "-1", "retention.bytes": " 5 "})
    assert (configs.retention_ms, configs.retention_bytes) == (None, 5)


def test_the_promise_is_flushed_at_one_record():
    assert DEFAULTS.flushed
    assert not TopicConfigs.of(TEXTS | {"flush.messages": "2"}).flushed


def test_the_brokers_time_is_asked_for_by_name():
    assert TopicConfigs.of(TEXTS | {"message.timestamp.type": "LogAppendTime"}).log_append_time
