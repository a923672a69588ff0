"""The APIs that this broker serves, each joined to what it needs. What is listed here is what ApiVersions says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleuve.engine.brokers.service import BrokerService
from fleuve.engine.groups.service import GroupService
from fleuve.engine.log.service import LogService
from fleuve.engine.producers.service import ProducerService
from fleuve.engine.topics.config_service import ConfigService
from fleuve.engine.topics.service import TopicService
from fleuve.kafka.api import Api, Handle
from fleuve.kafka.config_resources import ConfigChanger
from fleuve.kafka.handlers import (
    alter_configs,
    create_partitions,
    create_topics,
    delete_groups,
    delete_records,
    delete_topics,
    describe_cluster,
    describe_configs,
    describe_groups,
    describe_log_dirs,
    describe_topic_partitions,
    fetch,
    find_coordinator,
    heartbeat,
    incremental_alter_configs,
    init_producer_id,
    join_group,
    leave_group,
    list_config_resources,
    list_groups,
    list_offsets,
    metadata,
    offset_commit,
    offset_delete,
    offset_fetch,
    offset_for_leader_epoch,
    produce,
    sync_group,
)
from fleuve.kafka.memory import Budget
from fleuve.kafka.sessions import FetchSessions
from fleuve.kafka.stats import KafkaStats
from fleuve.kafka.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """The engine's services, as handlers see them."""

    log: LogService
    topics: TopicService
    configs: ConfigService
    groups: GroupService
    producers: ProducerService
    brokers: BrokerService


def table_of(
    rooms: Rooms,
    *,
    stats: KafkaStats,
    sessions: FetchSessions,
    fetch_memory: Budget,
    fetch_bytes_max: int,
    directory: str,
    volume_size: Callable[[], tuple[int, int]],
) -> Table:
    """Return the table of all APIs."""
    log, topics, configs, groups, brokers = rooms.log, rooms.topics, rooms.configs, rooms.groups, rooms.brokers
    node_id, epoch = brokers.node_id, log.leader_epoch
    changer = ConfigChanger(configs, topics, node_id=node_id)
    handlers: list[tuple[Api, Handle]] = [
        (
            fetch.API,
            fetch.Handler(log, topics, sessions=sessions, memory=fetch_memory, stats=stats, bytes_max=fetch_bytes_max),
        ),
        (list_offsets.API, list_offsets.Handler(log, topics)),
        (metadata.API, metadata.Handler(topics, brokers, leader_epoch=epoch)),
        (offset_commit.API, offset_commit.Handler(groups, topics)),
        (offset_fetch.API, offset_fetch.Handler(groups, topics)),
        (
            find_coordinator.API,
            find_coordinator.Handler(lambda: node_id, ensure_offsets_topic=topics.ensure_internal),
        ),
        (join_group.API, join_group.Handler(groups)),
        (heartbeat.API, heartbeat.Handler(groups)),
        (leave_group.API, leave_group.Handler(groups)),
        (sync_group.API, sync_group.Handler(groups)),
        (describe_groups.API, describe_groups.Handler(groups)),
        (list_groups.API, list_groups.Handler(groups)),
        (create_topics.API, create_topics.Handler(topics, configs)),
        (delete_topics.API, delete_topics.Handler(topics)),
        (delete_records.API, delete_records.Handler(log, topics)),
        (init_producer_id.API, init_producer_id.Handler(rooms.producers)),
        (offset_for_leader_epoch.API, offset_for_leader_epoch.Handler(log, topics)),
        (describe_configs.API, describe_configs.Handler(configs, topics, node_id=node_id)),
        (alter_configs.API, alter_configs.Handler(changer)),
        (describe_log_dirs.API, describe_log_dirs.Handler(log, topics, directory=directory, volume_size=volume_size)),
        (create_partitions.API, create_partitions.Handler(topics)),
        (delete_groups.API, delete_groups.Handler(groups)),
        (incremental_alter_configs.API, incremental_alter_configs.Handler(changer, node_id=node_id)),
        (offset_delete.API, offset_delete.Handler(groups, topics)),
        (describe_cluster.API, describe_cluster.Handler(brokers)),
        (
            list_config_resources.API,
            list_config_resources.Handler(configs, topics, nodes=brokers.nodes),
        ),
        (describe_topic_partitions.API, describe_topic_partitions.Handler(topics, brokers, leader_epoch=epoch)),
    ]
    return Table(handlers, produce_handler=produce.Handler(log, topics, stats), stats=stats)
