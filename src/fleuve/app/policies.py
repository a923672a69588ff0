"""Turns settings into what each room is told: one small value for each, so that no room sees the whole tree."""

from __future__ import annotations

from fleuve.app.sources import Settings
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.log.policy import LogPolicy
from fleuve.engine.maintenance.policy import MaintenancePolicy
from fleuve.engine.topics.requests import TopicRules
from fleuve.kafka.limits import Limits
from fleuve.kafka.settings import host_limits


def log_policy(settings: Settings) -> LogPolicy:
    """Return what the log is told."""
    return LogPolicy(
        tail_cache_bytes=settings.integer("fleuve.tail.cache.bytes"),
        produce_buffer_bytes=settings.integer("fleuve.produce.buffer.bytes"),
        producer_expiration_ms=settings.integer("producer.id.expiration.ms"),
    )


def group_policy(settings: Settings) -> GroupPolicy:
    """Return what the coordinator of groups is told."""
    return GroupPolicy(
        initial_rebalance_delay_ms=settings.integer("group.initial.rebalance.delay.ms"),
        session_timeout_ms_min=settings.integer("group.min.session.timeout.ms"),
        session_timeout_ms_max=settings.integer("group.max.session.timeout.ms"),
        members_max=settings.integer("group.max.size"),
        offset_metadata_bytes_max=settings.integer("offset.metadata.max.bytes"),
        offsets_retention_ms=settings.integer("offsets.retention.minutes") * 60_000,
        offsets_retention_check_interval_ms=settings.integer("offsets.retention.check.interval.ms"),
    )


def topic_rules(settings: Settings) -> TopicRules:
    """Return what the topics room is told."""
    return TopicRules(
        num_partitions=settings.integer("num.partitions"),
        default_replication_factor=settings.integer("default.replication.factor"),
        auto_create=settings.boolean("auto.create.topics.enable"),
        delete_enabled=settings.boolean("delete.topic.enable"),
        offsets_partitions=settings.integer("offsets.topic.num.partitions"),
        offsets_segment_bytes=settings.integer("offsets.topic.segment.bytes"),
        offsets_replication_factor=settings.integer("offsets.topic.replication.factor"),
        strict_replication=settings.boolean("fleuve.replication.factor.strict"),
    )


def limits(settings: Settings, *, connections_max: int) -> Limits:
    """Return the bounds of connections; of them there can be no more than `connections_max`."""
    idle_ms = settings.integer("connections.max.idle.ms")
    queued_bytes = settings.integer("queued.max.request.bytes")
    return Limits(
        request_size_max=settings.integer("socket.request.max.bytes"),
        request_memory=queued_bytes if queued_bytes > 0 else settings.integer("fleuve.request.memory.bytes"),
        fetch_memory=settings.integer("fleuve.fetch.memory.bytes"),
        requests_max=settings.integer("fleuve.connection.requests.max"),
        connections_max=min(connections_max, settings.integer("max.connections")),
        connections_per_ip_max=settings.integer("max.connections.per.ip"),
        connections_per_ip_overrides=host_limits(settings.string("max.connections.per.ip.overrides")),
        idle_s=idle_ms / 1000 if idle_ms >= 0 else None,
    )


def maintenance_policy(settings: Settings) -> MaintenancePolicy:
    """Return what maintenance is told."""
    return MaintenancePolicy(
        merge_interval_ms=settings.integer("fleuve.merge.interval.ms"),
        merge_backlog_files=settings.integer("fleuve.merge.backlog.files"),
        merge_age_ms=settings.integer("fleuve.merge.age.ms"),
        segment_bytes=settings.integer("fleuve.merge.segment.bytes"),
        garbage_grace_ms=settings.integer("fleuve.garbage.grace.ms"),
        journal_roll_ms=settings.integer("fleuve.journal.roll.ms"),
        retention_check_interval_ms=settings.integer("log.retention.check.interval.ms"),
        producer_expiration_check_interval_ms=settings.integer("producer.id.expiration.check.interval.ms"),
        producer_expiration_ms=settings.integer("producer.id.expiration.ms"),
    )
