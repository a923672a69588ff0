"""Configs of topics, brokers and groups: what is in force, and how it changes while the broker runs.

All overrides are in memory, since the produce path asks; `load` reads them at the start. A change is committed to the
store first and applied then. Whoever keeps something made of configs subscribes and is told which resource changed.

Other rooms use:
* `topic_configs(topic_id)`: the typed configs in force; one dictionary look-up.
* `validate_topic_overrides`, `topic_configs_with`, `topic_entries`, then `topic_created` / `topic_deleted`: the topics
  room, which writes a topic's first overrides in the transaction that creates it (under `topic_resource(topic_id)`).
* `broker_int`, `broker_bool`, `broker_text`: broker settings that may change while the broker runs.
* `subscribe`: a function that is called after each change, with the resource.

What a topic is called, and whether it exists, is the topics room's business: here it is an id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from fleuve.base.ids import GroupId, NodeId, TopicId
from fleuve.base.setting import InvalidConfig, Scope
from fleuve.engine.topics import config_changes as rules
from fleuve.engine.topics.config_changes import Edit
from fleuve.engine.topics.configs import HONOURED, TopicConfigs
from fleuve.engine.topics.resolution import ConfigEntry, Resolver, SettingTable
from fleuve.ports.configs import (
    ALL_BROKERS,
    NO_CONFIGS,
    ConfigResource,
    ConfigStore,
    ResourceType,
    StoredConfigs,
    broker_resource,
    topic_resource,
)
from fleuve.ports.errors import CommitOutcomeUnknown, VersionConflict

ATTEMPTS_MAX = 8
"""How often a change is made again after another broker was faster."""

Subscriber = Callable[[ConfigResource], None]


class ConfigService:
    """Answers what configs are in force, and changes them.

    `static` are the broker settings given at start, by name, as text, with what the broker found out itself (its
    node id, the listeners it opened).
    """

    def __init__(self, store: ConfigStore, table: SettingTable, static: Mapping[str, str], *, node_id: NodeId) -> None:
        self._store = store
        self._table = table
        self._resolver = Resolver(table, static)
        self._this_broker = broker_resource(node_id)
        self._stored: dict[ConfigResource, StoredConfigs] = {}
        self._topics: dict[TopicId, TopicConfigs] = {}
        self._default = self._made({})
        self._subscribers: list[Subscriber] = []

    async def load(self) -> None:
        """Read all overrides from the store; to be called once, before anything else."""
        self._stored = await self._store.load_all()
        self._apply_all()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have `subscriber` called after every change, with the resource that changed, on the event loop.

        A broker's change may change the configs of every topic.
        """
        self._subscribers.append(subscriber)

    # -- what is in force

    def topic_configs(self, topic_id: TopicId) -> TopicConfigs:
        """Return the configs in force for a topic; the same object until they change."""
        return self._topics.get(topic_id, self._default)

    def topic_configs_with(self, overrides: Mapping[str, str]) -> TopicConfigs:
        """Return the configs that a topic with these (valid) overrides has."""
        return self._made(overrides) if overrides else self._default

    def topic_overrides(self, topic_id: TopicId) -> Mapping[str, str]:
        """Return the overrides of a topic, as they were given."""
        return self._overrides(topic_resource(topic_id))

    def broker_text(self, name: str) -> str | None:
        """Return the text in force for a broker setting; None where it has no value. Raises KeyError if unknown."""
        return self._resolver.broker_text(name)

    def broker_int(self, name: str) -> int:
        """Return the number in force for a broker setting that has one."""
        text = self._resolver.broker_text(name)
        assert text is not None
        return int(text)

    def broker_bool(self, name: str) -> bool:
        """Return the truth in force for a broker setting."""
        text = self._resolver.broker_text(name)
        return text is not None and text.strip().lower() == "true"

    # -- for the topics room

    def validate_topic_overrides(self, overrides: Mapping[str, str | None]) -> dict[str, str]:
        """Return the overrides as they are stored. Raises InvalidConfig, with Kafka's message."""
        nulls = [name for name, text in overrides.items() if text is None]
        if nulls:
            raise InvalidConfig(f"Null value not supported for topic configs: {','.join(nulls)}")
        texts = {name: text for name, text in overrides.items() if text is not None}
        rules.check_topic(texts, table=self._table, resolver=self._resolver)
        return texts

    def topic_created(self, topic_id: TopicId, overrides: Mapping[str, str]) -> None:
        """Note a topic that was stored with these overrides (version 1)."""
        if overrides:
            self._stored[topic_resource(topic_id)] = StoredConfigs(dict(overrides), 1)
            self._topics[topic_id] = self._made(overrides)

    def topic_deleted(self, topic_id: TopicId) -> None:
        """Forget a topic that the store has forgotten."""
        self._stored.pop(topic_resource(topic_id), None)
        self._topics.pop(topic_id, None)

    # -- descriptions

    def topic_entries(self, overrides: Mapping[str, str]) -> list[ConfigEntry]:
        """Describe the configs of a topic with these overrides."""
        return self._resolver.topic_entries(overrides)

    def describe_topic(self, topic_id: TopicId) -> list[ConfigEntry]:
        """Describe a topic's configs, by name."""
        return self._resolver.topic_entries(self._overrides(topic_resource(topic_id)))

    def describe_broker(self) -> list[ConfigEntry]:
        """Describe this broker's configs, by name."""
        return self._resolver.broker_entries()

    def describe_all_brokers(self) -> list[ConfigEntry]:
        """Describe the dynamic configs of all brokers: those that are set."""
        return self._resolver.all_brokers_entries()

    def describe_group(self, group_id: GroupId) -> list[ConfigEntry]:
        """Describe a group's configs, by name, whether it exists or not."""
        return self._resolver.group_entries(self._overrides(ConfigResource(ResourceType.GROUP, group_id)))

    def groups_with_overrides(self) -> list[GroupId]:
        """Return the groups that have overrides."""
        return [
            GroupId(resource.key)
            for resource, stored in self._stored.items()
            if resource.type is ResourceType.GROUP and stored.overrides
        ]

    # -- changes

    def check(self, kind: ResourceType, edit: Edit) -> None:
        """Raise what `change` would, for a resource of that kind without overrides; change nothing."""
        self._after(ConfigResource(kind, ""), {}, edit)

    async def change(self, resource: ConfigResource, edit: Edit, *, validate_only: bool = False) -> None:
        """Change a resource's overrides: as a whole, or not at all.

        Raises InvalidConfigRequest, InvalidConfig; CatalogUnavailable where nothing happened.
        """
        for _ in range(ATTEMPTS_MAX):
            stored = await self._store.load(resource)
            overrides = self._after(resource, stored.overrides, edit)
            if validate_only or overrides == stored.overrides:
                return
            try:
                version = await self._store.save(resource, overrides, expected_version=stored.version)
            except VersionConflict:
                continue
            except CommitOutcomeUnknown:
                # What the store shows now decides what is in force; the client hears that its change may be lost.
                self._apply(resource, await self._store.load(resource))
                raise
            self._apply(resource, StoredConfigs(overrides, version))
            return
        raise VersionConflict(f"configs of {resource.key!r} are contended: {ATTEMPTS_MAX} lost races")

    def _after(self, resource: ConfigResource, before: Mapping[str, str], edit: Edit) -> dict[str, str]:
        after = rules.edited(resource.type, before, edit, table=self._table, resolver=self._resolver)
        self._check(resource, before, after)
        return after

    def _check(self, resource: ConfigResource, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        match resource.type:
            case ResourceType.TOPIC:
                rules.check_topic(after, table=self._table, resolver=self._resolver)
            case ResourceType.GROUP:
                rules.check_group(after, table=self._table, resolver=self._resolver)
            case ResourceType.BROKER:
                rules.check_broker(before, after, all_brokers=resource == ALL_BROKERS, table=self._table)

    # -- applying

    def _overrides(self, resource: ConfigResource) -> Mapping[str, str]:
        return self._stored.get(resource, NO_CONFIGS).overrides

    def _made(self, overrides: Mapping[str, str]) -> TopicConfigs:
        texts: dict[str, str] = {}
        for name in HONOURED:
            row = self._table.find(Scope.TOPIC, name)
            assert row is not None
            texts[name] = self._resolver.text(row, overrides) or ""
        return TopicConfigs.of(texts)

    def _apply(self, resource: ConfigResource, stored: StoredConfigs) -> None:
        self._stored[resource] = stored
        if resource.type is ResourceType.TOPIC:
            topic_id = TopicId(UUID(resource.key))
            self._topics[topic_id] = self._made(stored.overrides)
        elif resource in (ALL_BROKERS, self._this_broker):
            self._apply_all()
        for subscriber in self._subscribers:
            subscriber(resource)

    def _apply_all(self) -> None:
        self._resolver.set_dynamic(
            this_broker=self._overrides(self._this_broker), all_brokers=self._overrides(ALL_BROKERS)
        )
        self._default = self._made({})
        self._topics = {
            TopicId(UUID(resource.key)): self._made(stored.overrides)
            for resource, stored in self._stored.items()
            if resource.type is ResourceType.TOPIC and stored.overrides
        }
