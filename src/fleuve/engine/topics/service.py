"""Topics: the registry that everybody asks, and the changes that go through the store.

The registry holds all topics in memory, since each Produce and Fetch asks it. It is loaded from the store at the
start; afterwards every change is committed first and applied then, so that the registry never shows what could
still be lost. Names, counts and configs are checked here (`names`, `requests`), who wins is decided by the store.

What a topic's partitions hold belongs to the log room, which drops its caches when it hears of a deletion
(`subscribe`); rows of logs and offsets whose partition is gone are swept by maintenance.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol, TypeVar
from uuid import UUID

from fleuve.base.clock import Clock
from fleuve.base.errors import FleuveError
from fleuve.base.ids import PartitionId, TimestampMs, TopicId
from fleuve.engine.topics.configs import TopicConfigs as TopicConfigs  # Part of the service: the log is told them.
from fleuve.engine.topics.errors import (
    InvalidPartitions,
    InvalidReplicaAssignment,
    InvalidTopicName,
    InvalidTopicRequest,
    TooManyPartitions,
    TopicDeletionDisabled,
    TopicExists,
    UnknownTopic,
    UnknownTopicId,
)
from fleuve.engine.topics.lane import Lane
from fleuve.engine.topics.names import (
    CLUSTER_METADATA,
    CONSUMER_OFFSETS,
    INTERNAL_NAMES,
    RESERVED_IDS,
    check_name,
    collision_key,
)
from fleuve.engine.topics.requests import (
    PARTITIONS_MAX,
    PARTITIONS_PER_REQUEST_MAX,
    TopicRules,
    TopicSpec,
    check_replicas,
    shape,
)
from fleuve.engine.topics.stats import TopicStats
from fleuve.ports.configs import ConfigResource, ResourceType
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown, VersionConflict
from fleuve.ports.topics import NewTopic, StoredTopic, TopicStore

CONSUMER_OFFSETS_OVERRIDES = {"cleanup.policy": "compact", "compression.type": "producer"}
"""As Kafka's broker creates it, so that tools find what they look for."""

T = TypeVar("T")

_UNBORN = PartitionId(-1)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. Immutable: a change makes another one, and the registry shows the newest."""

    id: TopicId
    name: str
    partition_ids: tuple[PartitionId, ...]
    """The index is the partition number. In the answer to a mere validation all are −1."""
    replication_factor: int
    configs: TopicConfigs
    created_ms: TimestampMs
    internal: bool = False


@dataclass(frozen=True, slots=True)
class TopicCreated:
    """The topic can be used."""

    topic: Topic


@dataclass(frozen=True, slots=True)
class TopicDeleted:
    """The topic is gone; its name may be taken again, its ids never."""

    topic: Topic


@dataclass(frozen=True, slots=True)
class TopicChanged:
    """Partitions were added, or configs changed."""

    before: Topic
    after: Topic


TopicEvent = TopicCreated | TopicDeleted | TopicChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A topic that shall have `count` partitions; `assignments` are for the new ones, None to place them freely."""

    name: str
    count: int
    assignments: Sequence[Sequence[int]] | None = None


class ConfigRules(Protocol):
    """What this room asks about configs; `ConfigService` answers."""

    def topic_configs(self, topic_id: TopicId) -> TopicConfigs:
        """Return the configs in force for a topic."""
        ...

    def validate_topic_overrides(self, overrides: Mapping[str, str | None]) -> Mapping[str, str]:
        """Return the overrides as they are to be stored; raise what is wrong with them."""
        ...

    def topic_created(self, topic_id: TopicId, overrides: Mapping[str, str]) -> None:
        """Take note of a new topic's overrides, which the topic store writes together with the topic."""
        ...

    def topic_deleted(self, topic_id: TopicId) -> None:
        """Forget a topic's overrides: it is gone, or did not come to be."""
        ...


Outcome = Topic | FleuveError
"""Of one topic in a request for several: each fails alone."""


class TopicService:
    """All topics of the cluster.

    `load` comes first; changes need `run` to be running. `nodes` returns the ids of the brokers that exist.
    """

    def __init__(
        self,
        store: TopicStore,
        *,
        configs: ConfigRules,
        rules: TopicRules,
        clock: Clock,
        random: Random,
        nodes: Callable[[], Collection[int]],
    ) -> None:
        self._store = store
        self._configs = configs
        self._rules = rules
        self._clock = clock
        self._random = random
        self._nodes = nodes
        self._lane = Lane()
        self._by_name: dict[str, Topic] = {}
        self._by_id: dict[TopicId, Topic] = {}
        self._collisions: dict[str, str] = {}
        """For names with a dot or an underscore: collision key → a name that has it."""
        self.stats = TopicStats()
        self._listeners: list[Callable[[TopicEvent], None]] = []

    # ------------------------------------------------------------ looking

    @property
    def rules(self) -> TopicRules:
        """The broker settings that hold for topics."""
        return self._rules

    @property
    def partition_count(self) -> int:
        """How many partitions there are."""
        return self.stats.partitions

    def get(self, name: str) -> Topic | None:
        """Return the topic of that name."""
        return self._by_name.get(name)

    def by_id(self, topic_id: UUID) -> Topic | None:
        """Return the topic with that id."""
        return self._by_id.get(TopicId(topic_id))

    def all(self) -> Collection[Topic]:
        """Return all topics, in no particular order. A view: copy it before you await."""
        return self._by_name.values()

    def subscribe(self, listener: Callable[[TopicEvent], None]) -> None:
        """Call `listener`, synchronously, with each change once it is committed and can be seen. It must not raise."""
        self._listeners.append(listener)

    # ------------------------------------------------------------ living

    async def load(self) -> None:
        """Read all topics from the store, and tell the listeners of what differs from what was known."""
        stored = {row.id: row for row in await self._store.load_all()}
        for topic in list(self._by_id.values()):
            if topic.id not in stored:
                self._remove(topic)
        for row in stored.values():
            before = self._by_id.get(row.id)
            if before is None:
                self._add(self._topic(row))
            elif before.partition_ids != row.partition_ids:
                self._replace(before, replace(before, partition_ids=row.partition_ids))

    async def run(self) -> None:
        """Carry out changes until cancelled."""
        await self._lane.run()

    def configs_changed(self, resource: ConfigResource) -> None:
        """Show the configs that are in force now: for ConfigService to call after each change."""
        match resource.type:
            case ResourceType.TOPIC:
                topic = self._by_id.get(TopicId(UUID(resource.key)))
                if topic is not None:
                    self._refresh_configs(topic)
            case ResourceType.BROKER:
                for topic in list(self._by_id.values()):
                    self._refresh_configs(topic)
            case ResourceType.GROUP:
                pass

    def _refresh_configs(self, topic: Topic) -> None:
        configs = self._configs.topic_configs(topic.id)
        if configs != topic.configs:
            self._replace(topic, replace(topic, configs=configs))

    # ------------------------------------------------------------ creating

    async def create(self, specs: Sequence[TopicSpec], *, validate_only: bool = False) -> list[Outcome]:
        """Create topics in one transaction; the outcomes are in the order of `specs`.

        With `validate_only`, return the topics as they would be. Raises what the store raises; an outcome may be
        any of this room's errors, or what is wrong with the configs.
        """
        if validate_only:
            planned = self._plan(specs)
            return [self._as_topic(new) if isinstance(new, NewTopic) else new for new in planned]
        return await self._lane.do(lambda: self._create(specs))

    async def auto_create(self, names: Sequence[str]) -> list[Outcome]:
        """Return the topics of these names, created with the broker's defaults where they do not exist.

        However many ask at once, each topic is created once.
        """
        return await self._lane.do(lambda: self._auto_create(names))

    async def ensure_internal(self) -> Topic:
        """Return `__consumer_offsets`, created if it is not there: the first FindCoordinator or commit shows it.

        Nothing is stored in it; tools look for it.
        """
        topic = self._by_name.get(CONSUMER_OFFSETS)
        if topic is None:
            (outcome,) = await self.auto_create([CONSUMER_OFFSETS])
            if isinstance(outcome, FleuveError):
                raise outcome
            topic = outcome
        return topic

    def default_spec(self, name: str) -> TopicSpec:
        """Return what auto-creation asks for."""
        if name != CONSUMER_OFFSETS:
            return TopicSpec(name=name)
        rules = self._rules
        # Nothing is stored in it, so a strict cluster that is too small for the factor may have it all the same.
        factor = rules.offsets_replication_factor
        return TopicSpec(
            name=name,
            partition_count=rules.offsets_partitions,
            replication_factor=min(factor, max(1, len(self._nodes()))) if rules.strict_replication else factor,
            overrides={**CONSUMER_OFFSETS_OVERRIDES, "segment.bytes": str(rules.offsets_segment_bytes)},
        )

    async def _auto_create(self, names: Sequence[str]) -> list[Outcome]:
        # Looked up again here: whoever was ahead in the lane may have created them.
        missing = [name for name in dict.fromkeys(names) if name not in self._by_name]
        outcomes = dict(zip(missing, await self._create([self.default_spec(name) for name in missing]), strict=True))
        return [topic if (topic := self._by_name.get(name)) is not None else outcomes[name] for name in names]

    async def _create(self, specs: Sequence[TopicSpec]) -> list[Outcome]:
        planned = self._plan(specs)
        new = [topic for topic in planned if isinstance(topic, NewTopic)]
        # Before the commit: from then on the topic may be seen, and must be seen with its configs.
        overridden = [topic for topic in new if topic.overrides]
        for topic in overridden:
            self._configs.topic_created(topic.id, topic.overrides)
        try:
            stored = iter(await self._committed(self._store.create(new)) if new else ())
            return [self._born(topic, next(stored)) if isinstance(topic, NewTopic) else topic for topic in planned]
        finally:
            for topic in overridden:
                if topic.id not in self._by_id:
                    self._configs.topic_deleted(topic.id)

    def _born(self, new: NewTopic, stored: StoredTopic | None) -> Outcome:
        if stored is None:
            # The registry did not have it: another broker was faster.
            return TopicExists(f"Topic '{new.name}' already exists.")
        topic = self._topic(stored)
        self._add(topic)
        self.stats.created += 1
        return topic

    def _plan(self, specs: Sequence[TopicSpec]) -> list[NewTopic | FleuveError]:
        planned: list[NewTopic | FleuveError] = []
        partitions = 0
        asked: dict[str, str] = {}
        nodes = self._nodes()
        now = self._clock.wall_ms()
        for spec in specs:
            try:
                new = self._checked(spec, asked, nodes=nodes, now=now)
            except FleuveError as error:
                planned.append(error)
                continue
            planned.append(new)
            asked[collision_key(new.name)] = new.name
            partitions += new.partition_count
        too_many = self._too_many(partitions)
        return planned if too_many is None else [too_many] * len(planned)

    def _checked(
        self, spec: TopicSpec, asked: Mapping[str, str], *, nodes: Collection[int], now: TimestampMs
    ) -> NewTopic:
        name = spec.name
        check_name(name)
        if name == CLUSTER_METADATA:
            raise InvalidTopicRequest(f"Creation of internal topic {name} is prohibited.")
        if name in self._by_name:
            raise TopicExists(f"Topic '{name}' already exists.")
        if (other := self._collisions.get(collision_key(name))) is not None:
            raise InvalidTopicName(f"Topic '{name}' collides with existing topic: {other}")
        if (other := asked.get(collision_key(name))) is not None:
            raise InvalidTopicName(f"Topic '{name}' collides with another topic of the request: {other}")
        overrides = self._configs.validate_topic_overrides(spec.overrides) if spec.overrides else {}
        partition_count, replication_factor = shape(spec, self._rules, nodes=nodes)
        return NewTopic(
            id=self._new_id(),
            name=name,
            partition_count=partition_count,
            replication_factor=replication_factor,
            created_ms=now,
            overrides=overrides,
            internal=name in INTERNAL_NAMES,
        )

    def _too_many(self, partitions: int) -> TooManyPartitions | None:
        if partitions > PARTITIONS_PER_REQUEST_MAX:
            return TooManyPartitions("Excessively large number of partitions per request.")
        if self.stats.partitions + partitions > PARTITIONS_MAX:
            return TooManyPartitions(
                f"The cluster has {self.stats.partitions} partitions; {partitions} more would pass its bound of "
                f"{PARTITIONS_MAX}."
            )
        return None

    def _new_id(self) -> TopicId:
        while True:
            topic_id = UUID(int=self._random.getrandbits(128), version=4)
            # In Kafka's text form an id of these would begin with '-': command lines would take it for an option.
            if topic_id not in RESERVED_IDS and topic_id.int >> 122 != 0b111110:
                return TopicId(topic_id)

    # ------------------------------------------------------------ deleting

    async def delete(self, topic_ids: Sequence[TopicId]) -> list[Outcome]:
        """Delete topics in one transaction; an outcome is the topic as it was, UnknownTopicId or what forbids it."""
        return await self._lane.do(lambda: self._delete(topic_ids))

    async def _delete(self, topic_ids: Sequence[TopicId]) -> list[Outcome]:
        if not self._rules.delete_enabled:
            return [TopicDeletionDisabled("Topic deletion is disabled.") for _ in topic_ids]
        gone = await self._committed(self._store.delete(topic_ids)) if topic_ids else []
        outcomes: list[Outcome] = []
        for topic_id, partition_ids in zip(topic_ids, gone, strict=True):
            topic = self._by_id.get(topic_id)
            if topic is not None:
                self._remove(topic)
            if topic is None or partition_ids is None:
                outcomes.append(UnknownTopicId("This server does not host this topic ID."))
            else:
                self.stats.deleted += 1
                outcomes.append(topic)
        return outcomes

    # ------------------------------------------------------------ growing

    async def add_partitions(self, growths: Sequence[Growth], *, validate_only: bool = False) -> list[Outcome]:
        """Raise numbers of partitions; the outcomes are in the order of `growths`, each fails alone.

        With `validate_only`, return the topics as they are.
        """
        if validate_only:
            return [self._growable(growth) for growth in growths]
        return await self._lane.do(lambda: self._grow_all(growths))

    async def _grow_all(self, growths: Sequence[Growth]) -> list[Outcome]:
        return [await self._grow(growth) for growth in growths]

    async def _grow(self, growth: Growth) -> Outcome:
        topic = self._growable(growth)
        if isinstance(topic, FleuveError):
            return topic
        try:
            partition_ids = await self._committed(
                self._store.add_partitions(
                    topic.id,
                    expected_count=len(topic.partition_ids),
                    count=growth.count,
                    now=self._clock.wall_ms(),
                )
            )
        except VersionConflict as error:
            # Another broker changed the topic: show what there is, and let the client look and ask again.
            await self._reload()
            return error
        except CatalogUnavailable as error:
            return error  # What was added to other topics stays added.
        grown = replace(topic, partition_ids=partition_ids)
        self._replace(topic, grown)
        return grown

    def _growable(self, growth: Growth) -> Outcome:
        topic = self._by_name.get(growth.name)
        if topic is None:
            return UnknownTopic()
        before, count = len(topic.partition_ids), growth.count
        if count == before:
            return InvalidPartitions(f"Topic already has {before} partition(s).")
        if count < before:
            return InvalidPartitions(
                f"The topic {topic.name} currently has {before} partition(s); {count} would not be an increase."
            )
        added = count - before
        if (too_many := self._too_many(added)) is not None:
            return too_many
        if growth.assignments is not None:
            if len(growth.assignments) != added:
                return InvalidReplicaAssignment(
                    f"Attempted to add {added} additional partition(s), but only {len(growth.assignments)} "
                    "assignment(s) were specified."
                )
            try:
                for replicas in growth.assignments:
                    check_replicas(replicas, nodes=self._nodes())
            except InvalidReplicaAssignment as error:
                return error
        return topic

    # ------------------------------------------------------------ the registry

    async def _committed(self, change: Awaitable[T]) -> T:
        try:
            return await change
        except CommitOutcomeUnknown:
            await self._reload()
            raise

    async def _reload(self) -> None:
        # If the store cannot be asked now, the next change finds out what it holds.
        with contextlib.suppress(CatalogUnavailable):
            await self.load()

    def _topic(self, row: StoredTopic) -> Topic:
        return Topic(
            id=row.id,
            name=row.name,
            partition_ids=row.partition_ids,
            replication_factor=row.replication_factor,
            configs=self._configs.topic_configs(row.id),
            created_ms=row.created_ms,
            internal=row.internal,
        )

    def _as_topic(self, new: NewTopic) -> Topic:
        return Topic(
            id=new.id,
            name=new.name,
            partition_ids=(_UNBORN,) * new.partition_count,
            replication_factor=new.replication_factor,
            configs=self._configs.topic_configs(new.id),
            created_ms=new.created_ms,
            internal=new.internal,
        )

    def _add(self, topic: Topic) -> None:
        assert topic.id not in self._by_id
        self._by_name[topic.name] = topic
        self._by_id[topic.id] = topic
        self.stats.topics += 1
        self.stats.partitions += len(topic.partition_ids)
        key = collision_key(topic.name)
        if "_" in key:
            self._collisions.setdefault(key, topic.name)
        self._tell(TopicCreated(topic))

    def _remove(self, topic: Topic) -> None:
        del self._by_id[topic.id]
        del self._by_name[topic.name]
        self.stats.topics -= 1
        self.stats.partitions -= len(topic.partition_ids)
        key = collision_key(topic.name)
        if self._collisions.get(key) == topic.name:
            del self._collisions[key]
        self._configs.topic_deleted(topic.id)
        self._tell(TopicDeleted(topic))

    def _replace(self, before: Topic, after: Topic) -> None:
        assert before.id == after.id
        self._by_name[after.name] = after
        self._by_id[after.id] = after
        self.stats.partitions += len(after.partition_ids) - len(before.partition_ids)
        self._tell(TopicChanged(before, after))

    def _tell(self, event: TopicEvent) -> None:
        for listener in self._listeners:
            listener(event)
