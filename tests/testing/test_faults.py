"""Requests that fail, or take their time, because a test wants it: each API, and real clients' ways with it."""

import importlib
import threading
import uuid

import aiokafka
import aiokafka.errors
import confluent_kafka
import kafka.admin
import kafka.errors
import pytest
from confluent_kafka import KafkaError

import fleuve.testing
from fleuve.app.options import UsageError
from fleuve.wire.apis import APIS
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import (
    alter_configs,
    api_versions,
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
from hostile.messages import SERVED, versions
from support.batches import batch
from support.wire_client import Client

TOPIC, GROUP = "faulty", "faulty-group"
TOPIC_RESOURCE = 2


def requests_of(topic_id):
    """Return a request of each API, with what it names in every version."""
    named = {"name": TOPIC, "topic_id": topic_id}
    return [
        alter_configs.AlterConfigsRequest(
            resources=[alter_configs.AlterConfigsResource(resource_type=TOPIC_RESOURCE, resource_name=TOPIC)]
        ),
        api_versions.ApiVersionsRequest(client_software_name="tests", client_software_version="1"),
        create_partitions.CreatePartitionsRequest(
            topics=[create_partitions.CreatePartitionsTopic(name=TOPIC, count=9)]
        ),
        create_topics.CreateTopicsRequest(
            topics=[create_topics.CreatableTopic(name="new", num_partitions=1, replication_factor=1)]
        ),
        delete_groups.DeleteGroupsRequest(groups_names=[GROUP]),
        delete_records.DeleteRecordsRequest(
            topics=[
                delete_records.DeleteRecordsTopic(
                    name=TOPIC, partitions=[delete_records.DeleteRecordsPartition(partition_index=0, offset=-1)]
                )
            ]
        ),
        delete_topics.DeleteTopicsRequest(
            topic_names=[TOPIC], topics=[delete_topics.DeleteTopicState(name=TOPIC)], timeout_ms=1000
        ),
        describe_cluster.DescribeClusterRequest(),
        describe_configs.DescribeConfigsRequest(
            resources=[describe_configs.DescribeConfigsResource(resource_type=TOPIC_RESOURCE, resource_name=TOPIC)]
        ),
        describe_groups.DescribeGroupsRequest(groups=[GROUP]),
        describe_log_dirs.DescribeLogDirsRequest(topics=None),
        describe_topic_partitions.DescribeTopicPartitionsRequest(
            topics=[describe_topic_partitions.TopicRequest(name=TOPIC)]
        ),
        fetch.FetchRequest(
            max_wait_ms=10_000,
            min_bytes=1,
            topics=[fetch.FetchTopic(topic=TOPIC, topic_id=topic_id, partitions=[fetch.FetchPartition()])],
        ),
        find_coordinator.FindCoordinatorRequest(key=GROUP, coordinator_keys=[GROUP, "another"]),
        heartbeat.HeartbeatRequest(group_id=GROUP, member_id="nobody"),
        incremental_alter_configs.IncrementalAlterConfigsRequest(
            resources=[incremental_alter_configs.AlterConfigsResource(resource_type=2, resource_name=TOPIC)]
        ),
        init_producer_id.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000),
        join_group.JoinGroupRequest(
            group_id=GROUP,
            session_timeout_ms=10_000,
            protocol_type="consumer",
            protocols=[join_group.JoinGroupRequestProtocol(name="range")],
        ),
        leave_group.LeaveGroupRequest(
            group_id=GROUP, member_id="nobody", members=[leave_group.MemberIdentity(member_id="nobody")]
        ),
        list_config_resources.ListConfigResourcesRequest(),
        list_groups.ListGroupsRequest(),
        list_offsets.ListOffsetsRequest(
            replica_id=-1,
            topics=[
                list_offsets.ListOffsetsTopic(name=TOPIC, partitions=[list_offsets.ListOffsetsPartition(timestamp=-1)])
            ],
        ),
        metadata.MetadataRequest(topics=[metadata.MetadataRequestTopic(name=TOPIC)]),
        offset_commit.OffsetCommitRequest(
            group_id=GROUP,
            topics=[
                offset_commit.OffsetCommitRequestTopic(
                    **named, partitions=[offset_commit.OffsetCommitRequestPartition(committed_offset=1)]
                )
            ],
        ),
        offset_delete.OffsetDeleteRequest(
            group_id=GROUP,
            topics=[
                offset_delete.OffsetDeleteRequestTopic(
                    name=TOPIC, partitions=[offset_delete.OffsetDeleteRequestPartition()]
                )
            ],
        ),
        offset_fetch.OffsetFetchRequest(
            group_id=GROUP,
            topics=[offset_fetch.OffsetFetchRequestTopic(name=TOPIC, partition_indexes=[0])],
            groups=[
                offset_fetch.OffsetFetchRequestGroup(
                    group_id=GROUP, topics=[offset_fetch.OffsetFetchRequestTopics(**named, partition_indexes=[0])]
                )
            ],
        ),
        offset_for_leader_epoch.OffsetForLeaderEpochRequest(
            topics=[
                offset_for_leader_epoch.OffsetForLeaderTopic(
                    topic=TOPIC, partitions=[offset_for_leader_epoch.OffsetForLeaderPartition()]
                )
            ]
        ),
        produce.ProduceRequest(
            acks=-1,
            timeout_ms=1000,
            topic_data=[
                produce.TopicProduceData(
                    **named, partition_data=[produce.PartitionProduceData(records=batch(b"value"))]
                )
            ],
        ),
        sync_group.SyncGroupRequest(group_id=GROUP, member_id="nobody"),
    ]


def codes_in(message):
    """Yield every error code of an answer."""
    for name in message.__slots__:
        value = getattr(message, name)
        if name == "error_code":
            yield ErrorCode(value)
        elif isinstance(value, list) and value and hasattr(value[0], "__slots__"):
            for element in value:
                yield from codes_in(element)


@pytest.fixture
def broker():
    with fleuve.testing.broker(group_min_session_timeout_ms=1) as broker:
        yield broker
        assert broker.errors == ()


@pytest.fixture
def client(broker):
    with Client((broker.host, broker.port)) as client:
        yield client


def topic_id_of(client):
    request = metadata.MetadataRequest(topics=[metadata.MetadataRequestTopic(name=TOPIC)])
    return client.call(metadata, request, 12).topics[0].topic_id


@pytest.fixture(scope="module")
def prepared():
    with fleuve.testing.broker() as broker, Client((broker.host, broker.port)) as client:
        broker.create_topic(TOPIC)
        requests = requests_of(topic_id_of(client))
        yield broker, {type(request).__module__.rpartition(".")[2]: request for request in requests}
        # Nothing of a request that failed was done.
        assert broker.records(TOPIC) == []
        assert broker.errors == ()


@pytest.mark.parametrize("module", sorted(SERVED))
def test_every_api_can_be_made_to_fail_in_every_version(prepared, module):
    broker, requests = prepared
    codec = importlib.import_module(f"fleuve.wire.generated.{module}")
    for version in versions(module):
        with (
            Client((broker.host, broker.port)) as client,
            broker.fail(SERVED[module].name, "CLUSTER_AUTHORIZATION_FAILED") as fault,
        ):
            found = set(codes_in(client.call(codec, requests[module], version)))
        assert ErrorCode.CLUSTER_AUTHORIZATION_FAILED in found, version
        assert found <= {ErrorCode.CLUSTER_AUTHORIZATION_FAILED, ErrorCode.NONE}, version
        assert fault.happened == 1


def test_there_is_a_request_for_every_api():
    modules = {type(request).__module__.rpartition(".")[2] for request in requests_of(uuid.UUID(int=1))}
    assert modules == set(SERVED)


# ---------------------------------------------------------------- how often, how long


def heartbeat_code(client):
    return ErrorCode(client.call(heartbeat, heartbeat.HeartbeatRequest(group_id=GROUP, member_id="m"), 4).error_code)


USUAL = ErrorCode.UNKNOWN_MEMBER_ID
"""What a heartbeat of a group that is not there is answered when nothing is made to fail."""


def test_a_failure_happens_as_often_as_it_was_asked_for(broker, client):
    fault = broker.fail("Heartbeat", "NOT_COORDINATOR", times=2)
    assert [heartbeat_code(client) for _ in range(4)] == [ErrorCode.NOT_COORDINATOR] * 2 + [USUAL] * 2
    assert (fault.happened, fault.left) == (2, 0)


def test_failures_of_one_api_come_one_after_the_other(broker, client):
    broker.fail("Heartbeat", "NOT_COORDINATOR")
    broker.fail("Heartbeat", "REBALANCE_IN_PROGRESS")
    codes = [heartbeat_code(client) for _ in range(3)]
    assert codes == [ErrorCode.NOT_COORDINATOR, ErrorCode.REBALANCE_IN_PROGRESS, USUAL]


def test_a_failure_without_end_ends_with_its_block(broker, client):
    with broker.fail("Heartbeat", "NOT_COORDINATOR", times=None) as fault:
        assert [heartbeat_code(client) for _ in range(5)] == [ErrorCode.NOT_COORDINATOR] * 5
    assert heartbeat_code(client) == USUAL
    assert fault.happened == 5


def test_all_faults_can_be_cleared(broker, client):
    broker.fail("Heartbeat", "NOT_COORDINATOR", times=None)
    broker.delay("Heartbeat", 60)
    broker.clear_faults()
    assert heartbeat_code(client) == USUAL


def test_a_failure_of_one_api_is_none_of_another(broker, client):
    broker.fail("JoinGroup", "NOT_COORDINATOR")
    assert heartbeat_code(client) == USUAL


def test_faults_outlive_a_stop_and_can_be_set_before_the_start():
    broker = fleuve.testing.broker()
    broker.fail("Heartbeat", "NOT_COORDINATOR", times=2)
    with broker:
        with Client((broker.host, broker.port)) as client:
            assert heartbeat_code(client) == ErrorCode.NOT_COORDINATOR
        broker.stop()
        broker.start()
        with Client((broker.host, broker.port)) as client:
            assert [heartbeat_code(client) for _ in range(2)] == [ErrorCode.NOT_COORDINATOR, USUAL]


def test_a_broker_without_faults_has_its_own_handlers(broker, client):
    routes = dict(broker._requests._routes)
    table = broker._faults._table
    with broker.fail("Heartbeat", "NOT_COORDINATOR"), broker.delay("Produce", 1):
        assert table.routes != routes
        assert table.produce is not broker._requests._produce
    assert table.routes == routes
    assert table.produce is broker._requests._produce


def test_what_the_test_itself_asks_does_not_fail(broker):
    for api in APIS.values():
        broker.fail(api.name, "UNKNOWN_SERVER_ERROR", times=None)
        broker.delay(api.name, 60)
    broker.create_topic("events")
    broker.produce("events", "value")
    assert len(broker.records("events")) == 1


@pytest.mark.parametrize("times", [0, -1])
def test_a_fault_happens_at_least_once(broker, times):
    with pytest.raises(UsageError, match="want at least 1"):
        broker.fail("Produce", "NOT_LEADER_OR_FOLLOWER", times=times)


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_a_delay_is_a_number_of_seconds(broker, seconds):
    with pytest.raises(UsageError, match="want a number of seconds"):
        broker.delay("Produce", seconds)


def test_a_request_that_waits_is_served_when_the_delay_is_cleared(broker, client):
    answered = threading.Event()
    fault = broker.delay("Heartbeat", 60)

    def ask():
        assert heartbeat_code(client) == USUAL
        answered.set()

    thread = threading.Thread(target=ask)
    thread.start()
    fault.wait()
    assert not answered.is_set()
    fault.clear()
    thread.join()
    assert answered.is_set()


@pytest.mark.parametrize("api", ["Produce", "Fetch", "Metadata"])
def test_a_broker_with_requests_that_wait_stops(api):
    codec = {"Produce": produce, "Fetch": fetch, "Metadata": metadata}[api]
    with fleuve.testing.broker() as broker, Client((broker.host, broker.port)) as client:
        broker.create_topic(TOPIC)
        by_codec = {type(request).__module__: request for request in requests_of(topic_id_of(client))}
        fault = broker.delay(api, 3600)
        client.send(client.frame(codec, by_codec[codec.__name__], 9))
        fault.wait()


def test_waiting_for_a_fault_says_in_the_end_how_often_it_happened(broker, client):
    fault = broker.fail("Heartbeat", "NOT_COORDINATOR", times=3)
    heartbeat_code(client)
    fault.wait()
    with pytest.raises(TimeoutError, match=r"NOT_COORDINATOR, happened 1 times, 2 more times> after 0\.01 s; 2 times"):
        fault.wait(times=2, timeout=0.01)


def test_an_error_may_be_delayed(broker, client):
    broker.delay("Heartbeat", 0.01, times=1)
    broker.fail("Heartbeat", "NOT_COORDINATOR")
    assert [heartbeat_code(client) for _ in range(2)] == [ErrorCode.NOT_COORDINATOR, USUAL]


def test_without_an_answer_a_failure_closes_the_connection(broker, client):
    broker.create_topic(TOPIC)
    (request,) = (one for one in requests_of(topic_id_of(client)) if isinstance(one, produce.ProduceRequest))
    request.acks = 0
    broker.fail("Produce", "NOT_LEADER_OR_FOLLOWER")
    client.send(client.frame(produce, request, 9))
    with pytest.raises(ConnectionResetError):
        client.receive_bytes()
    assert broker.records(TOPIC) == []


# ---------------------------------------------------------------- where the error is


def test_a_request_whose_answer_has_no_place_for_an_error_is_served_and_not_counted(broker, client):
    fault = broker.fail("Metadata", "UNKNOWN_SERVER_ERROR")
    assert client.call(metadata, metadata.MetadataRequest(topics=[]), 12).brokers
    assert (fault.happened, fault.left) == (0, 1)
    assert client.call(metadata, metadata.MetadataRequest(topics=[]), 13).error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert (fault.happened, fault.left) == (1, 0)


def test_metadata_that_fails_says_so_of_each_topic_and_still_names_the_brokers(broker, client):
    broker.create_topic("one")
    broker.create_topic("other")
    broker.fail("Metadata", "LEADER_NOT_AVAILABLE")
    answer = client.call(metadata, metadata.MetadataRequest(topics=None), 12)
    assert [(topic.name, topic.error_code) for topic in answer.topics] == [
        ("one", ErrorCode.LEADER_NOT_AVAILABLE),
        ("other", ErrorCode.LEADER_NOT_AVAILABLE),
    ]
    assert [node.port for node in answer.brokers] == [broker.port]


def test_metadata_that_fails_creates_no_topic(broker, client):
    broker.fail("Metadata", "LEADER_NOT_AVAILABLE")
    wanted = metadata.MetadataRequest(topics=[metadata.MetadataRequestTopic(name="new")])
    assert client.call(metadata, wanted, 12).topics[0].error_code == ErrorCode.LEADER_NOT_AVAILABLE
    with pytest.raises(fleuve.testing.BrokerError):
        broker.records("new")


def test_a_partition_that_only_the_fetch_session_knows_fails_too(broker, client):
    broker.create_topic(TOPIC)
    wanted = fetch.FetchTopic(topic=TOPIC, partitions=[fetch.FetchPartition(partition_max_bytes=1000)])
    began = client.call(fetch, fetch.FetchRequest(session_epoch=0, topics=[wanted]), 12)
    broker.fail("Fetch", "OFFSET_OUT_OF_RANGE")
    went_on = fetch.FetchRequest(session_id=began.session_id, session_epoch=1, max_wait_ms=10_000, min_bytes=1)
    answer = client.call(fetch, went_on, 12)
    assert answer.error_code == ErrorCode.NONE
    assert answer.responses[0].partitions[0].error_code == ErrorCode.OFFSET_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("code", "of_group", "of_partition"),
    [
        ("NOT_COORDINATOR", ErrorCode.NOT_COORDINATOR, None),
        ("TOPIC_AUTHORIZATION_FAILED", ErrorCode.NONE, ErrorCode.TOPIC_AUTHORIZATION_FAILED),
    ],
)
def test_an_error_of_a_partition_is_not_said_of_its_group(broker, client, code, of_group, of_partition):
    broker.fail("OffsetFetch", code)
    topics = [offset_fetch.OffsetFetchRequestTopics(name=TOPIC, partition_indexes=[0])]
    wanted = offset_fetch.OffsetFetchRequestGroup(group_id=GROUP, topics=topics)
    (group,) = client.call(offset_fetch, offset_fetch.OffsetFetchRequest(groups=[wanted]), 8).groups
    assert group.error_code == of_group
    assert [one.partitions[0].error_code for one in group.topics] == ([] if of_partition is None else [of_partition])


# ---------------------------------------------------------------- real clients


def producer_of(broker, **config):
    return confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0} | config)


def delivered(producer, topic, value):
    """Return the error with which a record was delivered, or None."""
    reports = []
    producer.produce(topic, value, on_delivery=lambda error, _: reports.append(error))
    assert producer.flush(30) == 0
    return reports[0]


def test_a_producer_tries_again_and_succeeds(broker):
    broker.create_topic("events")
    fault = broker.fail("Produce", "NOT_LEADER_OR_FOLLOWER", times=2)
    config = {"retry.backoff.ms": 1, "topic.metadata.refresh.fast.interval.ms": 1}
    assert delivered(producer_of(broker, **config), "events", "value") is None
    assert fault.happened == 2
    assert [record.value for record in broker.records("events")] == [b"value"]


def test_a_producer_is_told_what_it_may_not_do(broker):
    broker.create_topic("events")
    broker.fail("Produce", "TOPIC_AUTHORIZATION_FAILED")
    error = delivered(producer_of(broker), "events", "value")
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert broker.records("events") == []


def test_a_record_that_is_not_acknowledged_in_time_is_given_up(broker):
    broker.create_topic("events")
    with broker.delay("Produce", 60):
        error = delivered(producer_of(broker, **{"message.timeout.ms": 300}), "events", "value")
    assert error.code() == KafkaError._MSG_TIMED_OUT


def test_a_consumer_is_told_what_it_may_not_read(broker):
    broker.produce("events", "value")
    broker.fail("Fetch", "TOPIC_AUTHORIZATION_FAILED")
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "readers", "auto.offset.reset": "earliest"}
    )
    consumer.assign([confluent_kafka.TopicPartition("events", 0, 0)])
    refused = consumer.poll(30)
    assert refused.error().code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    consumer.close()


async def test_a_commit_fails_in_aiokafka(broker):
    broker.produce("events", "value")
    consumer = aiokafka.AIOKafkaConsumer(
        "events",
        bootstrap_servers=broker.bootstrap_servers,
        group_id="readers",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    assert (await consumer.getone()).value == b"value"
    fault = broker.fail("OffsetCommit", aiokafka.errors.GroupAuthorizationFailedError)
    with pytest.raises(aiokafka.errors.GroupAuthorizationFailedError):
        await consumer.commit()
    await consumer.commit()
    await consumer.stop()
    assert fault.happened == 1


def test_a_topic_cannot_be_created_in_kafka_python(broker):
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    topics = [kafka.admin.NewTopic("events", num_partitions=1, replication_factor=1)]
    broker.fail("CreateTopics", "POLICY_VIOLATION")
    with pytest.raises(kafka.errors.PolicyViolationError):
        admin.create_topics(topics)
    admin.create_topics(topics)
    admin.close()


def test_a_client_that_asks_for_versions_in_vain_asks_in_an_older_one(broker):
    broker.create_topic("events")
    fault = broker.fail("ApiVersions", "UNSUPPORTED_VERSION")
    assert delivered(producer_of(broker), "events", "value") is None
    assert fault.happened == 1
