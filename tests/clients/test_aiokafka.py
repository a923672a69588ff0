"""aiokafka does everything that it can do with a broker."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource
from aiokafka.errors import TransactionalIdAuthorizationFailed

from clients.aio import AioDriver
from clients.driver import TIMEOUT_S
from clients.scenarios import ClientScenarios


class TestAio(ClientScenarios):
    make_driver = AioDriver

    async def test_a_transactional_producer_is_refused_at_once(self, fleuve_only, bootstrap):
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="mine")
        try:
            with pytest.raises(TransactionalIdAuthorizationFailed):
                async with asyncio.timeout(TIMEOUT_S):
                    await producer.start()
        finally:
            await producer.stop()


class TestAioAdmin:
    @pytest.fixture
    async def admin(self, bootstrap):
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        yield admin
        await admin.close()

    async def _produce(self, bootstrap: str, topic: str, count: int) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await producer.start()
        try:
            for number in range(count):
                await producer.send(topic, b"%d" % number, partition=0)
            await producer.flush()
        finally:
            await producer.stop()

    async def test_a_topic_is_created_described_and_deleted(self, admin, topic):
        created = await admin.create_topics([NewTopic(topic, 3, 1, topic_configs={"retention.ms": "1000000"})])
        assert [error for _, error, *_ in created.topic_errors] == [0]
        again = await admin.create_topics([NewTopic(topic, 3, 1)])
        assert [error for _, error, *_ in again.topic_errors] == [36]

        [described] = await admin.describe_topics([topic])
        assert sorted(each["partition"] for each in described["partitions"]) == [0, 1, 2]
        assert topic in await admin.list_topics()

        deleted = await admin.delete_topics([topic])
        assert [error for _, error in deleted.topic_error_codes] == [0]
        assert topic not in await admin.list_topics()

    async def test_a_topic_gets_more_partitions(self, admin, topic):
        await admin.create_topics([NewTopic(topic, 2, 1)])
        changed = await admin.create_partitions({topic: NewPartitions(4)})
        assert [error for _, error, *_ in changed.topic_errors] == [0]
        [described] = await admin.describe_topics([topic])
        assert len(described["partitions"]) == 4

    async def test_configs_are_described_and_altered(self, admin, topic):
        await admin.create_topics([NewTopic(topic, 1, 1)])
        assert (await self._configs(admin, "TOPIC", topic))["retention.ms"] == "604800000"

        [changed] = await admin.alter_configs([ConfigResource("TOPIC", topic, {"retention.ms": "3600000"})])

        assert [error for error, *_ in changed.resources] == [0]
        assert (await self._configs(admin, "TOPIC", topic))["retention.ms"] == "3600000"
        [refused] = await admin.alter_configs([ConfigResource("TOPIC", topic, {"retention.ms": "soon"})])
        assert [error for error, *_ in refused.resources] == [40]

    async def test_the_brokers_configs_are_described(self, admin):
        [broker] = (await admin.describe_cluster())["brokers"]
        assert (await self._configs(admin, "BROKER", str(broker["node_id"])))["num.partitions"].isdigit()

    @staticmethod
    async def _configs(admin: AIOKafkaAdminClient, kind: str, name: str) -> dict[str, str]:
        [response] = await admin.describe_configs([ConfigResource(kind, name)])
        [(error, _, _, _, entries)] = response.resources
        assert error == 0
        return {entry[0]: entry[1] for entry in entries}

    async def test_records_are_deleted(self, admin, bootstrap, topic):
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await self._produce(bootstrap, topic, 100)
        place = TopicPartition(topic, 0)
        assert await admin.delete_records({place: RecordsToDelete(40)}) == {place: 40}
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        await consumer.start()
        try:
            assert await consumer.beginning_offsets([place]) == {place: 40}
            assert await consumer.end_offsets([place]) == {place: 100}
        finally:
            await consumer.stop()

    async def test_a_group_is_listed_and_described(self, admin, bootstrap, topic, group):
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await self._produce(bootstrap, topic, 10)
        place = TopicPartition(topic, 0)
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                assert (await consumer.getone()).offset == 0
            await consumer.commit({place: (1, "note")})
            assert (group, "consumer") in await admin.list_consumer_groups()
            [response] = await admin.describe_consumer_groups([group])
            [(error, name, state, *_)] = response.groups
            assert (error, name, state) == (0, group, "Stable")
            found = await admin.list_consumer_group_offsets(group)
            assert (found[place].offset, found[place].metadata) == (1, "note")
        finally:
            await consumer.stop()

    async def test_the_cluster_is_described(self, admin, bootstrap):
        found = await admin.describe_cluster()
        assert found["cluster_id"]
        assert [f"{each['host']}:{each['port']}" for each in found["brokers"]] == [bootstrap]
        assert found["controller_id"] == found["brokers"][0]["node_id"]
