import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.base.ids import TimestampMs, TopicId
from fleuve.base.setting import InvalidConfig
from fleuve.engine.topics.errors import (
    InvalidPartitions,
    InvalidTopicName,
    TooManyPartitions,
    TopicDeletionDisabled,
    TopicExists,
    UnknownTopic,
    UnknownTopicId,
)
from fleuve.engine.topics.names import CONSUMER_OFFSETS, RESERVED_IDS
from fleuve.engine.topics.requests import PARTITIONS_PER_REQUEST_MAX, TopicRules, TopicSpec
from fleuve.engine.topics.service import (
    Growth,
    Topic,
    TopicChanged,
    TopicCreated,
    TopicDeleted,
    TopicEvent,
    TopicService,
)
from fleuve.engine.topics.stats import METRICS
from fleuve.ports.configs import ALL_BROKERS, topic_resource
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown, VersionConflict
from fleuve.ports.topics import NewTopic
from support.topics import PlainConfigs, create_topic, running, topic_service


class SlowStore(MemoryTopicStore):
    """Commits only when it is let to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.calls = 0

    async def create(self, topics):
        self.calls += 1
        self.begun.set()
        await self.go.wait()
        return await super().create(topics)


class LosingStore(MemoryTopicStore):
    """Loses the answers to changes: after they happened, or before."""

    def __init__(self, *, committing: bool) -> None:
        super().__init__()
        self.committing = committing

    async def create(self, topics):
        if self.committing:
            await super().create(topics)
        raise CommitOutcomeUnknown("the connection is lost")

    async def delete(self, topic_ids):
        if self.committing:
            await super().delete(topic_ids)
        raise CommitOutcomeUnknown("the connection is lost")


@pytest.fixture
async def service():
    async with running(topic_service()) as running_service:
        yield running_service


@pytest.fixture
def events(service):
    seen: list[TopicEvent] = []
    service.subscribe(seen.append)
    return seen


def found(service: TopicService, name: str) -> Topic:
    topic = service.get(name)
    assert topic is not None
    return topic


def error_of(outcomes):
    (outcome,) = outcomes
    return outcome


async def test_a_created_topic_is_found_by_name_and_id(service, events):
    topic = await create_topic(service, "orders", 3, replication_factor=5)
    assert service.get("orders") is topic
    assert service.by_id(topic.id) is topic
    assert list(service.all()) == [topic]
    assert (len(topic.partition_ids), topic.replication_factor, service.partition_count) == (3, 5, 3)
    assert events == [TopicCreated(topic)]


async def test_topic_ids_are_uuid4_and_never_reserved_nor_options(service):
    topics = await service.create([TopicSpec(name=f"t{number}") for number in range(200)])
    assert {topic.id.version for topic in topics} == {4}
    assert not {topic.id for topic in topics} & RESERVED_IDS
    assert not [topic for topic in topics if topic.id.int >> 122 == 0b111110]


async def test_each_topic_of_a_request_fails_alone(service):
    await create_topic(service, "orders")
    outcomes = await service.create(
        [
            TopicSpec(name="orders"),
            TopicSpec(name="a b"),
            TopicSpec(name="fine"),
            TopicSpec(name="x", partition_count=0),
        ]
    )
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "TopicExists",
        "InvalidTopicName",
        "Topic",
        "InvalidPartitions",
    ]
    assert str(outcomes[0]) == "Topic 'orders' already exists."


async def test_names_that_collide_in_metrics_are_refused_until_the_other_is_gone(service):
    other = await create_topic(service, "a.b")
    error = error_of(await service.create([TopicSpec(name="a_b")]))
    assert isinstance(error, InvalidTopicName)
    assert str(error) == "Topic 'a_b' collides with existing topic: a.b"
    await service.delete([other.id])
    (_, error) = await service.create([TopicSpec(name="a_b"), TopicSpec(name="a.b")])
    assert str(error) == "Topic 'a.b' collides with another topic of the request: a_b"
    assert service.get("a_b") is not None


async def test_validation_alone_creates_nothing(service, events):
    (topic,) = await service.create([TopicSpec(name="orders", partition_count=3)], validate_only=True)
    assert len(topic.partition_ids) == 3
    assert service.get("orders") is None
    assert error_of(await service.create([TopicSpec(name="")], validate_only=True)).args
    assert events == []


async def test_too_many_partitions_fail_the_whole_request(service):
    half = PARTITIONS_PER_REQUEST_MAX // 2 + 1
    outcomes = await service.create(
        [TopicSpec(name="a", partition_count=half), TopicSpec(name="b", partition_count=half)]
    )
    assert [type(outcome) for outcome in outcomes] == [TooManyPartitions] * 2
    assert str(outcomes[0]) == "Excessively large number of partitions per request."
    assert service.partition_count == 0


async def test_the_cluster_has_a_bound_of_partitions(service, monkeypatch):
    monkeypatch.setattr("fleuve.engine.topics.service.PARTITIONS_MAX", 4)
    topic = await create_topic(service, "a", 3)
    assert isinstance(error_of(await service.create([TopicSpec(name="b", partition_count=2)])), TooManyPartitions)
    assert isinstance(error_of(await service.add_partitions([Growth(name="a", count=5)])), TooManyPartitions)
    await service.delete([topic.id])
    await create_topic(service, "b", 4)


async def test_overrides_are_checked_and_handed_on():
    configs = PlainConfigs()
    async with running(topic_service(configs=configs)) as service:
        topic = await create_topic(service, "a", overrides={"retention.ms": "5"})
        assert configs.overrides == {topic.id: {"retention.ms": "5"}}
        assert isinstance(error_of(await service.create([TopicSpec(name="b", overrides={"bad": "x"})])), InvalidConfig)
        await service.delete([topic.id])
        assert configs.overrides == {}


async def test_what_is_wrong_with_the_configs_is_told_before_the_numbers(service):
    bad = TopicSpec(name="t", partition_count=0, replication_factor=0, overrides={"bad": "x"})
    assert isinstance(error_of(await service.create([bad])), InvalidConfig)


async def test_overrides_of_a_topic_that_did_not_come_to_be_are_forgotten():
    configs = PlainConfigs()
    store = LosingStore(committing=False)
    async with running(topic_service(store, configs=configs)) as service:
        with pytest.raises(CommitOutcomeUnknown):
            await service.create([TopicSpec(name="a", overrides={"retention.ms": "5"})])
        assert configs.overrides == {}
        store.committing = True
        with pytest.raises(CommitOutcomeUnknown):
            await service.create([TopicSpec(name="a", overrides={"retention.ms": "5"})])
        assert list(configs.overrides) == [found(service, "a").id]


async def test_what_comes_and_goes_is_counted(service):
    topic = await create_topic(service, "orders", 3)
    await create_topic(service, "kept", 2)
    await service.delete([topic.id])
    stats = service.stats
    assert (stats.topics, stats.partitions, stats.created, stats.deleted) == (1, 2, 2, 1)
    assert {metric.attribute for metric in METRICS} == set(stats.__slots__)


async def test_a_deleted_topic_is_gone(service, events):
    topic = await create_topic(service, "orders")
    assert await service.delete([topic.id]) == [topic]
    assert (service.get("orders"), service.by_id(topic.id), service.partition_count) == (None, None, 0)
    assert isinstance(error_of(await service.delete([topic.id])), UnknownTopicId)
    again = await create_topic(service, "orders")
    assert again.id != topic.id
    assert not set(again.partition_ids) & set(topic.partition_ids)
    assert events == [TopicCreated(topic), TopicDeleted(topic), TopicCreated(again)]


async def test_deletion_can_be_disabled():
    async with running(topic_service(rules=TopicRules(delete_enabled=False))) as service:
        topic = await create_topic(service, "orders")
        assert isinstance(error_of(await service.delete([topic.id])), TopicDeletionDisabled)
        assert service.get("orders") is topic


async def test_partitions_are_added_behind_the_others(service, events):
    before = await create_topic(service, "orders", 2)
    (after,) = await service.add_partitions([Growth(name="orders", count=5)])
    assert after.partition_ids[:2] == before.partition_ids
    assert len(set(after.partition_ids)) == 5
    assert service.get("orders") is service.by_id(before.id) is after
    assert service.partition_count == 5
    assert events[1:] == [TopicChanged(before, after)]


@pytest.mark.parametrize(
    ("growth", "kind", "message"),
    [
        (Growth(name="orders", count=2), InvalidPartitions, "Topic already has 2 partition(s)."),
        (
            Growth(name="orders", count=1),
            InvalidPartitions,
            "The topic orders currently has 2 partition(s); 1 would not be an increase.",
        ),
        (Growth(name="nope", count=3), UnknownTopic, ""),
    ],
)
async def test_growth_that_cannot_be(service, growth, kind, message):
    await create_topic(service, "orders", 2)
    for validate_only in (True, False):
        error = error_of(await service.add_partitions([growth], validate_only=validate_only))
        assert isinstance(error, kind)
        assert str(error) == message


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([], "Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified."),
        ([[1], [1]], "Attempted to add 1 additional partition(s), but only 2 assignment(s) were specified."),
        ([[9]], "The manual partition assignment includes broker 9, but no such broker is registered."),
        ([[]], "The manual partition assignment includes an empty replica list."),
    ],
)
async def test_assignments_of_new_partitions_are_checked(service, assignments, message):
    await create_topic(service, "orders", 2)
    error = error_of(await service.add_partitions([Growth(name="orders", count=3, assignments=assignments)]))
    assert str(error) == message
    (topic,) = await service.add_partitions([Growth(name="orders", count=3, assignments=[[1]])])
    assert len(topic.partition_ids) == 3


async def test_growth_against_a_faster_broker_shows_what_there_is(events):
    store = MemoryTopicStore()
    async with running(topic_service(store)) as service:
        topic = await create_topic(service, "orders", 2)
        await store.add_partitions(topic.id, expected_count=2, count=4, now=TimestampMs(0))
        assert isinstance(error_of(await service.add_partitions([Growth(name="orders", count=3)])), VersionConflict)
        assert len(found(service, "orders").partition_ids) == 4


async def test_of_many_that_auto_create_one_topic_one_does():
    store = SlowStore()
    async with (
        running(topic_service(store, rules=TopicRules(num_partitions=3))) as service,
        asyncio.TaskGroup() as group,
    ):
        asking = [group.create_task(service.auto_create(["orders", "orders"])) for _ in range(20)]
        store.go.set()
        outcomes = [topic for task in asking for topic in await task if isinstance(topic, Topic)]
        assert len(outcomes) == 40
    assert {len(topic.partition_ids) for topic in outcomes} == {3}
    assert len({topic.id for topic in outcomes}) == 1
    assert store.calls == 1


async def test_consumer_offsets_has_the_overrides_that_tools_know():
    configs = PlainConfigs()
    async with running(topic_service(configs=configs)) as service:
        topic = await service.ensure_internal()
        assert configs.overrides[topic.id] == {
            "cleanup.policy": "compact",
            "compression.type": "producer",
            "segment.bytes": "104857600",
        }


async def test_consumer_offsets_is_internal_and_made_once(service):
    topic = await service.ensure_internal()
    assert (topic.name, topic.internal, len(topic.partition_ids), topic.replication_factor) == (
        CONSUMER_OFFSETS,
        True,
        50,
        3,
    )
    assert await service.ensure_internal() is topic


async def test_a_client_that_hangs_up_does_not_undo_what_was_committed():
    store = SlowStore()
    async with running(topic_service(store)) as service:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(service.create([TopicSpec(name="orders")]))
            await store.begun.wait()
            asking.cancel()
        store.go.set()
        # The lane is in order: when this one is done, that one is.
        await create_topic(service, "next")
        assert service.get("orders") is not None


async def test_a_client_that_hangs_up_while_it_waits_takes_its_change_back():
    store = SlowStore()
    async with running(topic_service(store)) as service:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(service.create([TopicSpec(name="first")]))
            await store.begun.wait()
            second = group.create_task(service.create([TopicSpec(name="second")]))
            await asyncio.sleep(0)
            second.cancel()
            store.go.set()
            await first
        await create_topic(service, "third")
        assert service.get("second") is None


async def test_who_waits_when_the_broker_stops_is_told_so():
    store = SlowStore()
    service = topic_service(store)
    await service.load()
    async with asyncio.TaskGroup() as group:
        runner = group.create_task(service.run())
        outcomes = asyncio.gather(
            *(service.create([TopicSpec(name=name)]) for name in ("first", "second")), return_exceptions=True
        )
        await store.begun.wait()
        runner.cancel()
        assert [type(outcome) for outcome in await outcomes] == [CatalogUnavailable] * 2
    with pytest.raises(CatalogUnavailable):
        await service.create([TopicSpec(name="third")])


@pytest.mark.parametrize("committing", [True, False])
async def test_an_unknown_outcome_shows_what_the_store_holds(committing):
    store = LosingStore(committing=committing)
    async with running(topic_service(store)) as service:
        with pytest.raises(CommitOutcomeUnknown):
            await service.create([TopicSpec(name="orders")])
        assert (service.get("orders") is not None) == committing
        (row,) = await MemoryTopicStore.create(
            store,
            [
                NewTopic(
                    id=TopicId(UUID(int=9)),
                    name="there",
                    partition_count=1,
                    replication_factor=1,
                    created_ms=TimestampMs(0),
                )
            ],
        )
        assert row is not None
        await service.load()
        with pytest.raises(CommitOutcomeUnknown):
            await service.delete([row.id])
        assert (service.get("there") is None) == committing


async def test_a_topic_that_another_broker_made_exists(service, events):
    store = MemoryTopicStore()
    async with running(topic_service(store)) as late:
        async with running(topic_service(store, seed=1)) as early:
            await create_topic(early, "orders")
        assert isinstance(error_of(await late.create([TopicSpec(name="orders")])), TopicExists)


async def test_topics_are_there_after_a_restart():
    store = MemoryTopicStore()
    async with running(topic_service(store)) as service:
        kept = [await create_topic(service, name, 3, replication_factor=2) for name in ("a.b", "b")]
        await service.add_partitions([Growth(name="b", count=4)])
        kept[1] = found(service, "b")
    again = topic_service(store)
    await again.load()
    assert sorted(again.all(), key=lambda topic: topic.name) == kept
    assert again.partition_count == 7
    assert isinstance(error_of(await again.create([TopicSpec(name="a_b")], validate_only=True)), InvalidTopicName)


async def test_a_change_of_configs_shows():
    configs = PlainConfigs()
    async with running(topic_service(configs=configs)) as service:
        before = await create_topic(service, "orders")
        seen: list[TopicEvent] = []
        service.subscribe(seen.append)
        configs.configs = replace(configs.configs, retention_ms=5)
        service.configs_changed(topic_resource(before.id))
        after = found(service, "orders")
        assert after.configs.retention_ms == 5
        assert seen == [TopicChanged(before, after)]
        configs.configs = replace(configs.configs, retention_ms=6)
        service.configs_changed(ALL_BROKERS)
        assert found(service, "orders").configs.retention_ms == 6
        service.configs_changed(topic_resource(TopicId(UUID(int=5))))
