"""A topic's configs as the hot paths read them: typed, frozen, made once for each change.

`TopicConfigs.of` makes them from the texts that are in force; `config_service` knows which those are, and hands out
one object for all topics that have no overrides.

The produce path reads `max_message_bytes`, `log_append_time`, `timestamp_before_max_ms`, `timestamp_after_max_ms`,
`compact` (keys required); the flush reads `flush_messages` and `flush_ms`; retention reads `retention_ms` and
`retention_bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fleuve.base.ids import TopicId

UNLIMITED = 9_223_372_036_854_775_807
"""What Kafka writes for "no limit" where −1 is not allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicConfigs:
    """The configs of one topic that Fleuve honours."""

    retention_ms: int | None
    """Records older than this may go; None: nothing expires by time (no limit, or the policy is not `delete`)."""
    retention_bytes: int | None
    """A partition's oldest records may go while this much is left; None: nothing expires by size."""
    max_message_bytes: int
    """Size of the largest batch that is taken."""
    log_append_time: bool
    """Whether records get the broker's time (`message.timestamp.type=LogAppendTime`)."""
    timestamp_before_max_ms: int
    """How far before the broker's time a record's timestamp may lie."""
    timestamp_after_max_ms: int
    """How far after the broker's time a record's timestamp may lie."""
    flush_messages: int
    """Records after which a flush is due; 1: flushed before the ack (our default)."""
    flush_ms: int
    """Milliseconds after which what was acknowledged before its flush is flushed at the latest."""
    compact: bool
    """Whether `cleanup.policy` has `compact`: every record needs a key."""
    delete: bool
    """Whether `cleanup.policy` has `delete`: the two retentions apply."""

    @property
    def flushed(self) -> bool:
        """Whether the topic has the flushed promise (else: Kafka's page-cache promise)."""
        return self.flush_messages == 1

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> TopicConfigs:
        """Return the configs for the texts in force, which must have been validated."""
        policies = {policy.strip() for policy in texts["cleanup.policy"].split(",")}
        delete = "delete" in policies
        retention_ms, retention_bytes = int(texts["retention.ms"]), int(texts["retention.bytes"])
        return cls(
            retention_ms=retention_ms if delete and retention_ms >= 0 else None,
            retention_bytes=retention_bytes if delete and retention_bytes >= 0 else None,
            max_message_bytes=int(texts["max.message.bytes"]),
            log_append_time=texts["message.timestamp.type"].strip() == "LogAppendTime",
            timestamp_before_max_ms=int(texts["message.timestamp.before.max.ms"]),
            timestamp_after_max_ms=int(texts["message.timestamp.after.max.ms"]),
            flush_messages=int(texts["flush.messages"]),
            flush_ms=int(texts["flush.ms"]),
            compact="compact" in policies,
            delete=delete,
        )


HONOURED = (
    "cleanup.policy",
    "flush.messages",
    "flush.ms",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
)
"""The texts that `TopicConfigs.of` needs."""


DEFAULTS = TopicConfigs(
    retention_ms=604_800_000,
    retention_bytes=None,
    max_message_bytes=1_048_588,
    log_append_time=False,
    timestamp_before_max_ms=UNLIMITED,
    timestamp_after_max_ms=3_600_000,
    flush_messages=1,
    flush_ms=UNLIMITED,
    compact=False,
    delete=True,
)
"""What a topic has where nobody set anything."""


class TopicConfigSource(Protocol):
    """Where other rooms get a topic's configs; `ConfigService` is one."""

    def topic_configs(self, topic_id: TopicId) -> TopicConfigs:
        """Return the configs in force, cheaply (one dictionary look-up); the same object until they change."""
        ...


class FixedConfigs:
    """A TopicConfigSource that gives every topic the same: for tests and tools."""

    def __init__(self, configs: TopicConfigs = DEFAULTS) -> None:
        self.configs = configs

    def topic_configs(self, topic_id: TopicId) -> TopicConfigs:
        """Return the one set of configs."""
        del topic_id
        return self.configs
