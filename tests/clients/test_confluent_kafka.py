"""confluent-kafka (librdkafka) does everything that it can do with a broker."""

from __future__ import annotations

import pytest
from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from clients.confluent import ConfluentDriver
from clients.driver import TIMEOUT_S
from clients.records import numbered
from clients.scenarios import ClientScenarios, read
from clients.waiting import wait_until


class TestConfluent(ClientScenarios):
    make_driver = ConfluentDriver

    @pytest.mark.parametrize("assignor", ["cooperative-sticky", "range"])
    def test_a_group_goes_on_with_another_assignor(self, driver, topic, group, assignor):
        self.rebalance(driver, topic, group, {"partition.assignment.strategy": assignor})

    def test_a_group_of_three_comes_together_with_the_brokers_own_settings(self, default_bootstrap, topic, group):
        self.rebalance(ConfluentDriver(default_bootstrap), topic, group)

    def test_the_older_of_two_members_with_one_instance_id_is_fenced(self, driver, topic, group):
        driver.create_topic(topic, 1)
        driver.produce(topic, numbered(10, 1))
        settings = {**driver.static("same"), "heartbeat.interval.ms": 100}
        older = driver.consumer(topic, group=group, settings=settings)
        newer = driver.consumer(topic, group=group, settings=settings)
        try:
            older.subscribe()
            read(older, 10)
            newer.subscribe()
            read(newer, 10)
            with pytest.raises(KafkaException) as raised:
                # Its own heartbeat or a commit tells it; the next poll raises.
                read(older, 1)
            assert raised.value.args[0].code() in {KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL}
        finally:
            newer.close()
            older.close()

    def test_a_transactional_producer_is_refused_at_once(self, fleuve_only, bootstrap):
        producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "mine"})
        with pytest.raises(KafkaException) as raised:
            producer.init_transactions(TIMEOUT_S)
        error = raised.value.args[0]
        assert error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        assert not error.retriable()


class TestConfluentAdmin:
    @pytest.fixture
    def admin(self, bootstrap):
        return AdminClient({"bootstrap.servers": bootstrap})

    @pytest.fixture
    def driver(self, bootstrap):
        return ConfluentDriver(bootstrap)

    def test_a_topic_is_created_described_and_deleted(self, admin, topic):
        admin.create_topics([NewTopic(topic, 3, config={"retention.ms": "1000000"})])[topic].result(TIMEOUT_S)

        described = admin.describe_topics(TopicCollection([topic]))[topic].result(TIMEOUT_S)
        assert [each.id for each in described.partitions] == [0, 1, 2]
        assert all([node.id for node in each.isr] == [each.leader.id] for each in described.partitions)
        assert topic in admin.list_topics(timeout=TIMEOUT_S).topics

        admin.delete_topics([topic])[topic].result(TIMEOUT_S)
        with pytest.raises(KafkaException) as raised:
            admin.describe_topics(TopicCollection([topic]))[topic].result(TIMEOUT_S)
        assert raised.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART

    def test_a_topic_that_exists_is_not_created_again(self, admin, driver, topic):
        driver.create_topic(topic, 1)
        with pytest.raises(KafkaException) as raised:
            admin.create_topics([NewTopic(topic, 1)])[topic].result(TIMEOUT_S)
        assert raised.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS

    def test_a_topic_gets_more_partitions_and_no_fewer(self, admin, driver, topic):
        driver.create_topic(topic, 2)
        admin.create_partitions([NewPartitions(topic, 4)])[topic].result(TIMEOUT_S)
        wait_until(lambda: len(admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions) == 4)
        with pytest.raises(KafkaException) as raised:
            admin.create_partitions([NewPartitions(topic, 3)])[topic].result(TIMEOUT_S)
        assert raised.value.args[0].code() == KafkaError.INVALID_PARTITIONS

    def test_configs_are_described_and_altered(self, admin, driver, topic):
        driver.create_topic(topic, 1)
        resource = ConfigResource(ResourceType.TOPIC, topic)
        before = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
        assert before["retention.ms"].value == "604800000"
        assert before["retention.ms"].is_default

        change = ConfigResource(
            ResourceType.TOPIC,
            topic,
            incremental_configs=[
                ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET),
                ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
            ],
        )
        admin.incremental_alter_configs([change])[change].result(TIMEOUT_S)
        after = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
        assert after["retention.ms"].value == "3600000"
        assert after["retention.ms"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        assert after["cleanup.policy"].value == "delete,compact"

        wrong = ConfigResource(
            ResourceType.TOPIC,
            topic,
            incremental_configs=[ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET)],
        )
        with pytest.raises(KafkaException) as raised:
            admin.incremental_alter_configs([wrong])[wrong].result(TIMEOUT_S)
        assert raised.value.args[0].code() == KafkaError.INVALID_CONFIG

    def test_alter_configs_sets_what_it_names_and_resets_the_rest(self, admin, driver, topic):
        admin.create_topics([NewTopic(topic, 1, config={"retention.ms": "5000"})])[topic].result(TIMEOUT_S)
        change = ConfigResource(ResourceType.TOPIC, topic, set_config={"segment.ms": "7200000"})
        with pytest.warns(DeprecationWarning):
            admin.alter_configs([change])[change].result(TIMEOUT_S)
        after = admin.describe_configs([change])[change].result(TIMEOUT_S)
        assert (after["segment.ms"].value, after["retention.ms"].value) == ("7200000", "604800000")

    def test_the_brokers_configs_are_described(self, admin):
        [broker_id] = admin.list_topics(timeout=TIMEOUT_S).brokers
        resource = ConfigResource(ResourceType.BROKER, str(broker_id))
        found = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
        assert "num.partitions" in found
        assert found["advertised.listeners"].value

    def test_records_are_deleted_and_the_offsets_say_so(self, admin, driver, topic):
        driver.create_topic(topic, 1)
        driver.produce(topic, numbered(100, 1))
        place = TopicPartition(topic, 0)

        deleted = admin.delete_records([TopicPartition(topic, 0, 40)])[place].result(TIMEOUT_S)

        assert deleted.low_watermark == 40
        found = {}
        for name, spec in {
            "earliest": OffsetSpec.earliest(),
            "latest": OffsetSpec.latest(),
            "max": OffsetSpec.max_timestamp(),
            "time": OffsetSpec.for_timestamp(numbered(100, 1)[70].timestamp_ms),
        }.items():
            asked = admin.list_offsets({place: spec}, isolation_level=IsolationLevel.READ_COMMITTED)
            found[name] = asked[place].result(TIMEOUT_S).offset
        assert found == {"earliest": 40, "latest": 100, "max": 99, "time": 70}

    def test_a_group_is_listed_described_and_deleted_and_its_offsets_altered(self, admin, driver, topic, group):
        driver.create_topic(topic, 1)
        driver.produce(topic, numbered(10, 1))
        consumer = driver.consumer(topic, group=group)
        try:
            consumer.subscribe()
            read(consumer, 10)
            assert consumer.commit()
            described = admin.describe_consumer_groups([group])[group].result(TIMEOUT_S)
            assert described.state == ConsumerGroupState.STABLE
            [member] = described.members
            assert member.assignment.topic_partitions == [TopicPartition(topic, 0)]
            assert (member.host, described.partition_assignor) == ("/127.0.0.1", "range")
        finally:
            consumer.close()

        listed = admin.list_consumer_groups(states={ConsumerGroupState.EMPTY}).result(TIMEOUT_S)
        assert group in {each.group_id for each in listed.valid}
        assert self._offset(admin, topic, group) == 10
        moved = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 3)])
        admin.alter_consumer_group_offsets([moved])[group].result(TIMEOUT_S)
        assert self._offset(admin, topic, group) == 3
        admin.delete_consumer_groups([group])[group].result(TIMEOUT_S)
        with pytest.raises(KafkaException) as raised:
            admin.delete_consumer_groups([group])[group].result(TIMEOUT_S)
        assert raised.value.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND

    @staticmethod
    def _offset(admin: AdminClient, topic: str, group: str) -> int:
        asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
        [found] = admin.list_consumer_group_offsets([asked])[group].result(TIMEOUT_S).topic_partitions
        return found.offset

    def test_a_group_with_members_is_not_deleted(self, admin, driver, topic, group):
        driver.create_topic(topic, 1)
        driver.produce(topic, numbered(10, 1))
        consumer = driver.consumer(topic, group=group)
        try:
            consumer.subscribe()
            read(consumer, 10)
            with pytest.raises(KafkaException) as raised:
                admin.delete_consumer_groups([group])[group].result(TIMEOUT_S)
            assert raised.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
        finally:
            consumer.close()

    def test_the_cluster_is_described(self, admin, bootstrap):
        found = admin.describe_cluster().result(TIMEOUT_S)
        assert found.cluster_id
        assert [f"{node.host}:{node.port}" for node in found.nodes] == [bootstrap]
        assert found.controller.id == found.nodes[0].id
