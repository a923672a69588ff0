"""kafka-python does everything that it can do with a broker."""

from __future__ import annotations

import pytest
from kafka.admin import ConfigResource, NewTopic
from kafka.errors import (
    GroupIdNotFoundError,
    NoError,
    TopicAlreadyExistsError,
    TransactionalIdAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from kafka.structs import OffsetAndMetadata

from clients.driver import TIMEOUT_S
from clients.kafka_python import KafkaPythonDriver
from clients.records import numbered
from clients.scenarios import ClientScenarios, read
from clients.waiting import wait_until
from kafka import KafkaAdminClient, KafkaProducer, OffsetSpec, TopicPartition

TIMEOUT_MS = int(TIMEOUT_S * 1000)


# The sockets of refused connections stay open until the garbage collector finds them.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
class TestKafkaPython(ClientScenarios):
    make_driver = KafkaPythonDriver

    def test_a_transactional_producer_is_refused_at_once(self, fleuve_only, bootstrap):
        producer = KafkaProducer(
            bootstrap_servers=bootstrap, transactional_id="mine", max_block_ms=TIMEOUT_MS, acks="all"
        )
        try:
            with pytest.raises(TransactionalIdAuthorizationFailedError):
                producer.init_transactions()
        finally:
            producer.close(timeout=0)


class TestKafkaPythonAdmin:
    @pytest.fixture
    def admin(self, bootstrap):
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        yield admin
        admin.close()

    @pytest.fixture
    def driver(self, bootstrap):
        return KafkaPythonDriver(bootstrap)

    def test_a_topic_is_created_described_and_deleted(self, admin, topic):
        admin.create_topics([NewTopic(topic, 3, 1, topic_configs={"retention.ms": "1000000"})])

        [described] = admin.describe_topics([topic])
        assert sorted(each["partition_index"] for each in described["partitions"]) == [0, 1, 2]
        assert topic in admin.list_topics()
        [paged] = admin.describe_topic_partitions([topic])["topics"]
        assert [each["partition_index"] for each in paged["partitions"]] == [0, 1, 2]
        with pytest.raises(TopicAlreadyExistsError):
            admin.create_topics([NewTopic(topic, 3, 1)])

        admin.delete_topics([topic])
        assert topic not in admin.list_topics()
        with pytest.raises(UnknownTopicOrPartitionError):
            admin.delete_topics([topic])

    def test_a_topic_gets_more_partitions(self, admin, driver, topic):
        driver.create_topic(topic, 2)
        admin.create_partitions({topic: 4})
        wait_until(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 4)

    @pytest.mark.parametrize("incremental", [True, False])
    def test_configs_are_described_and_altered(self, admin, driver, topic, incremental):
        driver.create_topic(topic, 1)
        wait_until(lambda: topic in admin.list_topics())
        before = admin.describe_configs([ConfigResource("TOPIC", topic)], config_filter="all")["topic"][topic]
        assert before["retention.ms"]["value"] == "604800000"

        change = ConfigResource("TOPIC", topic, {"retention.ms": "3600000"})
        admin.alter_configs([change], incremental=incremental)

        def modified() -> dict[str, str]:
            found = admin.describe_configs([ConfigResource("TOPIC", topic)])["topic"][topic]
            return {name: entry["value"] for name, entry in found.items()}

        wait_until(lambda: modified() == {"retention.ms": "3600000"})
        wrong = ConfigResource("TOPIC", topic, {"retention.ms": "soon"})
        refused = admin.alter_configs([wrong], incremental=incremental)
        assert "Invalid value soon for configuration retention.ms" in refused["topic"][topic]

    def test_the_brokers_configs_are_described(self, admin):
        [broker] = admin.describe_cluster()["brokers"]
        name = str(broker["broker_id"] if "broker_id" in broker else broker["node_id"])
        found = admin.describe_configs([ConfigResource("BROKER", name)], config_filter="all")["broker"][name]
        assert found["num.partitions"]["value"].isdigit()

    def test_records_are_deleted_and_the_offsets_say_so(self, admin, driver, topic):
        driver.create_topic(topic, 1)
        driver.produce(topic, numbered(100, 1))
        place = TopicPartition(topic, 0)

        deleted = admin.delete_records({place: 40})

        assert deleted[place]["low_watermark"] == 40
        specs = {
            "earliest": OffsetSpec.EARLIEST,
            "latest": OffsetSpec.LATEST,
            "max": OffsetSpec.MAX_TIMESTAMP,
            "time": numbered(100, 1)[70].timestamp_ms,
        }
        found = {name: admin.list_partition_offsets({place: spec})[place].offset for name, spec in specs.items()}
        assert found == {"earliest": 40, "latest": 100, "max": 99, "time": 70}

    def test_a_group_is_listed_described_and_deleted_and_its_offsets_altered(self, admin, driver, topic, group):
        driver.create_topic(topic, 2)
        driver.produce(topic, numbered(10, 2))
        consumer = driver.consumer(topic, group=group)
        try:
            consumer.subscribe()
            read(consumer, 10)
            assert consumer.commit()
            described = admin.describe_groups([group])[group]
            assert described["group_state"] == "Stable"
            [member] = described["members"]
            assert member["client_host"] == "/127.0.0.1"
        finally:
            consumer.close()

        assert group in {each["group_id"] for each in admin.list_groups(states_filter=["Empty"])}
        zero, one = TopicPartition(topic, 0), TopicPartition(topic, 1)
        assert self._offsets(admin, group) == {zero: 5, one: 5}
        moved = OffsetAndMetadata(3, "moved", -1)
        assert admin.alter_group_offsets(group, {zero: moved}) == {zero: NoError}
        assert admin.list_group_offsets(group)[group][zero].metadata == "moved"
        admin.delete_group_offsets(group, [one])
        assert self._offsets(admin, group) == {zero: 3}
        assert admin.delete_groups([group]) == {group: "OK"}
        assert admin.delete_groups([group]) == {group: GroupIdNotFoundError.__name__}

    @staticmethod
    def _offsets(admin: KafkaAdminClient, group: str) -> dict[TopicPartition, int]:
        return {place: found.offset for place, found in admin.list_group_offsets(group)[group].items()}

    def test_the_cluster_is_described(self, admin, bootstrap):
        found = admin.describe_cluster()
        assert found["cluster_id"]
        assert [f"{each['host']}:{each['port']}" for each in found["brokers"]] == [bootstrap]

    def test_the_log_directories_are_described(self, admin, driver, topic):
        driver.create_topic(topic, 1)
        driver.produce(topic, numbered(100, 1))
        assert topic in str(admin.describe_log_dirs())
