"""Config overrides, as the catalog keeps them: one row for each resource that has any.

The overrides of a topic live under the topic's *id*, so that a topic that is deleted and created again under the
same name starts afresh. A topic store writes them in the same transaction as the topic, and removes them with it.
The store knows no setting by name: it keeps text.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple, Protocol

from fleuve.base.ids import NodeId, TopicId


class ResourceType(IntEnum):
    """What may have overrides, by Kafka's codes."""

    TOPIC = 2
    BROKER = 4
    GROUP = 32


class ConfigResource(NamedTuple):
    """What overrides belong to."""

    type: ResourceType
    key: str
    """A topic's id, a node id or "" for all brokers, or a group's id."""


ALL_BROKERS = ConfigResource(ResourceType.BROKER, "")


def topic_resource(topic_id: TopicId) -> ConfigResource:
    """Return the resource under which a topic's overrides are kept."""
    return ConfigResource(ResourceType.TOPIC, str(topic_id))


def broker_resource(node_id: NodeId) -> ConfigResource:
    """Return the resource under which one broker's overrides are kept."""
    return ConfigResource(ResourceType.BROKER, str(node_id))


class StoredConfigs(NamedTuple):
    """The overrides of one resource, and how often they were written: 1, 2, …"""

    overrides: Mapping[str, str]
    version: int


NO_CONFIGS = StoredConfigs({}, 0)
"""What a resource has that was never written."""


class ConfigStore(Protocol):
    """Keeps overrides. Every change is durable when its method returns.

    All methods raise CatalogUnavailable where nothing happened, CommitOutcomeUnknown where that is not known.
    """

    async def load_all(self) -> dict[ConfigResource, StoredConfigs]:
        """Return all overrides."""
        ...

    async def load(self, resource: ConfigResource) -> StoredConfigs:
        """Return the overrides of one resource, `NO_CONFIGS` where it has none."""
        ...

    async def save(self, resource: ConfigResource, overrides: Mapping[str, str], *, expected_version: int) -> int:
        """Replace the overrides of `resource` and return their new version.

        Raises VersionConflict where the stored version is not `expected_version`: somebody else was faster.
        """
        ...
