"""Configs of topics: what they are, where each comes from, and how they are changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, ResourceType

from fleuve.cli.client.cluster import REQUEST_S_MAX, Cluster
from fleuve.cli.client.errors import CommandFailed, failure

_SOURCES = {
    ConfigSource.DYNAMIC_TOPIC_CONFIG: "topic",
    ConfigSource.DYNAMIC_BROKER_CONFIG: "broker, changed while it runs",
    ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG: "cluster, changed while it runs",
    ConfigSource.STATIC_BROKER_CONFIG: "broker",
    ConfigSource.DEFAULT_CONFIG: "default",
}


@dataclass(frozen=True, slots=True)
class Config:
    """A config of a topic, and where its value comes from."""

    name: str
    value: str | None
    """None where it is secret."""
    source: str

    @property
    def is_default(self) -> bool:
        """Whether nobody has set it anywhere."""
        return self.source == "default"


def topic_configs(cluster: Cluster, topics: Sequence[str]) -> tuple[dict[str, list[Config]], list[CommandFailed]]:
    """Return the configs of topics, sorted by name, and what to say of those that the broker does not tell."""
    if not topics:
        return {}, []
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    found, refused = {}, []
    for resource, future in cluster.admin.describe_configs(resources, request_timeout=REQUEST_S_MAX).items():
        try:
            entries = future.result()
        except KafkaException as error:
            refused.append(failure(error, what=f"configs of topic {resource.name}"))
            continue
        found[resource.name] = [
            Config(entry.name, entry.value, _source(entry)) for entry in sorted(entries.values(), key=_name)
        ]
    return found, refused


def _name(entry: ConfigEntry) -> str:
    return str(entry.name)


def _source(entry: ConfigEntry) -> str:
    source = ConfigSource(entry.source)
    return _SOURCES.get(source, source.name.lower().removesuffix("_config").replace("_", " "))


def alter_topic(cluster: Cluster, topic: str, changes: Mapping[str, str | None], *, validate_only: bool) -> None:
    """Set configs of a topic, and unset those whose new value is None. Raises KafkaException."""
    entries = [
        ConfigEntry(
            name,
            value,
            incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET,
        )
        for name, value in changes.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    futures = cluster.admin.incremental_alter_configs(
        [resource], validate_only=validate_only, request_timeout=REQUEST_S_MAX
    )
    for future in futures.values():
        future.result()
