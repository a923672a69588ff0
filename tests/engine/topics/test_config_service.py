"""Configs while the broker runs: what is in force, and who hears of a change."""

from __future__ import annotations

from uuid import UUID

import pytest

from fleuve.adapters.memory.configs import MemoryConfigStore
from fleuve.app.registry import registry
from fleuve.base.ids import GroupId, NodeId, TopicId
from fleuve.base.setting import InvalidConfig
from fleuve.engine.topics.config_changes import Change, InvalidConfigRequest, Operation, Replacement
from fleuve.engine.topics.config_service import ConfigService
from fleuve.ports.configs import ALL_BROKERS, ConfigResource, ResourceType, broker_resource, topic_resource
from fleuve.ports.errors import CommitOutcomeUnknown, VersionConflict

A, B = TopicId(UUID(int=10)), TopicId(UUID(int=11))
NODE = NodeId(1)
SET, DELETE = Operation.SET, Operation.DELETE


class LosingStore(MemoryConfigStore):
    """Another broker is faster, `races` times; or the answer to a commit is lost after it landed."""

    def __init__(self, *, races=0, lost_answer=False):
        super().__init__()
        self.races, self.lost_answer = races, lost_answer

    async def save(self, resource, overrides, *, expected_version):
        if self.races:
            self.races -= 1
            await super().save(resource, {"flush.ms": str(self.races)}, expected_version=expected_version)
        version = await super().save(resource, overrides, expected_version=expected_version)
        if self.lost_answer:
            raise CommitOutcomeUnknown("the answer was lost")
        return version


async def service(store=None, static=None):
    made = ConfigService(MemoryConfigStore() if store is None else store, registry(), static or {}, node_id=NODE)
    await made.load()
    return made


def setting(name, value):
    return [Change(name, SET, value)]


async def test_topics_without_overrides_share_one_object():
    configs = await service()
    assert configs.topic_configs(A) is configs.topic_configs(B) is configs.topic_configs_with({})


async def test_a_change_is_in_force_told_and_there_after_a_restart():
    store = MemoryConfigStore()
    configs = await service(store)
    heard: list[ConfigResource] = []
    configs.subscribe(heard.append)
    await configs.change(topic_resource(A), setting("retention.ms", "5000"))
    assert configs.topic_configs(A).retention_ms == 5000
    assert configs.topic_configs(B).retention_ms == 604_800_000
    assert heard == [topic_resource(A)]
    assert (await service(store)).topic_configs(A).retention_ms == 5000


async def test_a_brokers_change_reaches_every_topic_that_does_not_override_it():
    configs = await service()
    await configs.change(topic_resource(A), setting("retention.ms", "5000"))
    await configs.change(ALL_BROKERS, setting("log.retention.ms", "8000"))
    await configs.change(broker_resource(NODE), setting("message.max.bytes", "99"))
    assert (configs.topic_configs(A).retention_ms, configs.topic_configs(B).retention_ms) == (5000, 8000)
    assert configs.topic_configs(A).max_message_bytes == configs.topic_configs(B).max_message_bytes == 99
    assert configs.broker_int("message.max.bytes") == 99


async def test_another_brokers_own_settings_do_not_hold_here():
    store = MemoryConfigStore()
    await store.save(broker_resource(NodeId(2)), {"message.max.bytes": "99"}, expected_version=0)
    assert (await service(store)).broker_int("message.max.bytes") == 1_048_588


async def test_a_validation_changes_nothing():
    configs = await service()
    await configs.change(topic_resource(A), setting("retention.ms", "5000"), validate_only=True)
    assert configs.topic_configs(A).retention_ms == 604_800_000
    with pytest.raises(InvalidConfig):
        await configs.change(topic_resource(A), setting("retention.ms", "x"), validate_only=True)


async def test_a_change_that_changes_nothing_is_not_written():
    configs = await service(LosingStore(lost_answer=True))
    await configs.change(topic_resource(A), [Change("retention.ms", DELETE)])


async def test_one_wrong_value_refuses_the_whole_change():
    configs = await service()
    with pytest.raises(InvalidConfig):
        await configs.change(topic_resource(A), [Change("retention.ms", SET, "5"), Change("flush.ms", SET, "x")])
    assert configs.topic_overrides(A) == {}


async def test_a_replacement_forgets_what_it_does_not_name():
    configs = await service()
    await configs.change(topic_resource(A), setting("retention.ms", "5"))
    await configs.change(topic_resource(A), Replacement((("flush.ms", "7"),)))
    assert configs.topic_overrides(A) == {"flush.ms": "7"}
    await configs.change(topic_resource(A), Replacement(()))
    assert configs.topic_configs(A) == configs.topic_configs(B)


async def test_a_lost_race_is_run_again_on_the_winners_state():
    configs = await service(LosingStore(races=3))
    await configs.change(topic_resource(A), setting("retention.ms", "5"))
    assert configs.topic_overrides(A) == {"flush.ms": "0", "retention.ms": "5"}


async def test_races_end():
    with pytest.raises(VersionConflict, match="contended"):
        await (await service(LosingStore(races=99))).change(topic_resource(A), setting("retention.ms", "5"))


async def test_after_an_unknown_outcome_what_is_stored_is_in_force():
    configs = await service(LosingStore(lost_answer=True))
    with pytest.raises(CommitOutcomeUnknown):
        await configs.change(topic_resource(A), setting("retention.ms", "5"))
    assert configs.topic_configs(A).retention_ms == 5


async def test_a_topic_is_born_with_its_overrides_and_dies_with_them():
    configs = await service()
    overrides = configs.validate_topic_overrides({"cleanup.policy": "compact"})
    configs.topic_created(A, overrides)
    configs.topic_created(B, {})
    assert (configs.topic_configs(A).compact, configs.topic_configs(B).compact) == (True, False)
    configs.topic_deleted(A)
    assert configs.topic_configs(A) is configs.topic_configs(B)


async def test_the_overrides_of_a_new_topic_are_checked_in_kafkas_words():
    configs = await service()
    for overrides, message in (
        ({"retention.ms": None}, "Null value not supported for topic configs: retention.ms"),
        ({"nope": "1"}, "Unknown topic config name: nope"),
        ({"retention.ms": "x"}, "Invalid value x for configuration retention.ms: Not a number of type LONG"),
    ):
        with pytest.raises(InvalidConfig) as caught:
            configs.validate_topic_overrides(overrides)
        assert str(caught.value) == message


async def test_the_rack_of_values_that_rooms_read():
    configs = await service(static={"broker.rack": "a", "auto.create.topics.enable": "FALSE"})
    assert configs.broker_text("broker.rack") == "a"
    assert configs.broker_bool("auto.create.topics.enable") is False
    assert configs.broker_bool("delete.topic.enable") is True


async def test_a_group_has_configs_whether_it_exists_or_not():
    configs = await service()
    group = ConfigResource(ResourceType.GROUP, "g")
    await configs.change(group, setting("consumer.session.timeout.ms", "50000"))
    assert configs.groups_with_overrides() == [GroupId("g")]
    await configs.change(group, [Change("consumer.session.timeout.ms", DELETE)])
    assert configs.groups_with_overrides() == []


async def test_a_groups_session_lasts_longer_than_its_heartbeats_are_apart():
    configs = await service(static={"group.consumer.min.session.timeout.ms": "1000"})
    group = ConfigResource(ResourceType.GROUP, "g")
    with pytest.raises(InvalidConfig, match="session.timeout.ms must be greater than consumer.heartbeat.interval.ms"):
        await configs.change(group, setting("consumer.session.timeout.ms", "5000"))
    await configs.change(group, setting("consumer.session.timeout.ms", "5001"))


async def test_a_brokers_stale_overrides_do_not_forbid_other_changes():
    store = MemoryConfigStore()
    await store.save(ALL_BROKERS, {"gone.in.this.version": "1"}, expected_version=0)
    configs = await service(store)
    await configs.change(ALL_BROKERS, setting("log.retention.ms", "8000"))
    assert configs.topic_configs(A).retention_ms == 8000


async def test_what_is_fixed_at_start_may_be_deleted_but_not_set():
    configs = await service()
    with pytest.raises(InvalidConfigRequest, match="Cannot update these configs dynamically"):
        await configs.change(ALL_BROKERS, setting("num.partitions", "2"))
    await configs.change(ALL_BROKERS, [Change("num.partitions", DELETE)])
