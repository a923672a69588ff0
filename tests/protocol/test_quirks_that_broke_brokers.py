"""What broke clients of other Kafka-compatible brokers, found in issue trackers and client sources: one test each.

Point by point, in the order of the project's list; each test names its point.

1   ApiVersions in an unknown version                   test_an_unknown_version_of_api_versions…
2   names of client software                            test_a_client_software_name…
3   Produce from version 0                              test_produce_is_advertised_from_version_0…
4   topic ids are there wherever they are advertised    test_topic_ids…
5   acks=0 has no answer                                test_acks_0…
6   leader epochs                                       test_leader_epochs…
7   a fetch offset inside a batch; KIP-74               test_a_fetch_from_the_middle…
8   an empty fetch                                      test_an_empty_fetch…
9   assignments are valid                               test_every_member_gets_a_valid_assignment…
10  aborted transactions, last stable offset            test_aborted_transactions…
11  fencing: only Produce's part                        test_a_fenced_producer…
12  FindCoordinator in batches                          test_coordinators_of_several_groups…
13  duplicates                                          test_a_duplicate…, test_the_last_five_batches…
14  round trips and results, five of them               test_offset_metadata…, test_describe_configs_lists…,
                                                        test_create_partitions…, test_validate_only…,
                                                        test_metadata_before_v4…
15  limits and keys                                     test_a_batch_that_is_too_large…, test_a_record_without_a_key…
16  snappy as the Java client writes it; zstd           test_snappy_in_xerial_frames…, test_zstd…
17  segmentio's kafka-go                                test_no_partition_is_without_a_leader, test_metadata_of_members…
18  kafka-python infers the release                     test_api_versions.py: test_kafka_python_takes_the_broker_for…
19  librdkafka: one batch for each request              test_many_requests_of_one_batch…
20  idle connections                                    test_the_idle_limit…
22  tagged fields belong to versions                    test_a_tagged_field…

Not here, because the APIs do not exist yet: EndTxn and TxnOffsetCommit (11), transaction time-outs (15),
re-authentication and SASL before all else (20, 21).
"""

from __future__ import annotations

import struct

import cramjam
import crc32c
import pytest

from fleuve.records.batch import read_header
from fleuve.records.record import Record, build_batch
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import (
    api_versions,
    create_partitions,
    create_topics,
    describe_configs,
    fetch,
    find_coordinator,
    list_offsets,
    metadata,
    offset_commit,
    offset_fetch,
    offset_for_leader_epoch,
    produce,
)
from support.batches import batch
from support.groups import subscription
from support.kio_messages import kio_class, kio_parsed
from support.members import Member, assigned, assignment, pair
from support.wire_client import Client, batches_of, produce_request

LAYOUT_SIZE_BYTES = 61
"""A batch without its records."""
UNKNOWN_VERSIONS = [5, 99]


def topic_id_of(client: Client, topic: str):
    request = metadata.MetadataRequest(topics=[metadata.MetadataRequestTopic(name=topic)])
    return client.call(metadata, request, 12).topics[0].topic_id


def fetched(client: Client, topic: str, version: int = 12, *, topic_id=None, isolation_level: int = 0, **fields):
    """Fetch one partition without waiting; return its answer."""
    wanted = fetch.FetchPartition(**{"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1 << 20, **fields})
    named = fetch.FetchTopic(topic=topic, partitions=[wanted])
    if topic_id is not None:
        named.topic_id = topic_id
    request = fetch.FetchRequest(max_wait_ms=0, min_bytes=0, isolation_level=isolation_level, topics=[named])
    return client.call(fetch, request, version).responses[0].partitions[0]


def produced(client: Client, topic: str, records: bytes | bytearray, version: int = 9, **fields):
    """Produce to the first partition; return its answer."""
    request = produce_request(topic, 0, records)
    for field, value in fields.items():
        setattr(request.topic_data[0], field, value)
    return client.call(produce, request, version).responses[0].partition_responses[0]


def compressed(plain: bytes, codec: int, payload: bytes) -> bytes:
    """Return the batch `plain` with its records replaced by what a codec made of them."""
    size = struct.pack(">i", LAYOUT_SIZE_BYTES + len(payload) - 12)
    checked = struct.pack(">h", codec) + plain[23:LAYOUT_SIZE_BYTES] + payload
    return plain[:8] + size + plain[12:17] + struct.pack(">I", crc32c.crc32c(checked)) + checked


def snappy_of_java(payload: bytes) -> bytes:
    """Return snappy with the frames of the xerial library, in blocks that are not ours."""
    blocks = [payload[at : at + 100] for at in range(0, len(payload), 100)]
    raw = [bytes(cramjam.snappy.compress_raw(block)) for block in blocks]
    header = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    return header + b"".join(struct.pack(">i", len(block)) + block for block in raw)


# 1
@pytest.mark.parametrize("version", UNKNOWN_VERSIONS)
def test_an_unknown_version_of_api_versions_is_answered_in_v0_with_its_own_range(client, version):
    header = struct.pack(">hhih", api_versions.KEY, version, 9, 1) + b"c"
    body = header + (b"\0" if version > 0 else b"") + b"\x02a\x021\0"
    client.send(len(body).to_bytes(4, "big") + body)
    view = memoryview(client.receive_bytes())
    assert view[:4] == struct.pack(">i", 9)
    response = api_versions.decode_response(view, 4, 0)
    assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
    (own,) = response.api_keys
    assert (own.api_key, own.min_version, own.max_version) == (18, 0, 4)


# 2
@pytest.mark.parametrize("name", ["", "-java", "java-", "ja va", "java\n", "jävä"])
def test_a_client_software_name_that_is_none_is_an_invalid_request_and_no_hang_up(client, name):
    request = api_versions.ApiVersionsRequest(client_software_name=name, client_software_version="1")
    assert client.call(api_versions, request, 3).error_code == ErrorCode.INVALID_REQUEST
    assert client.topics() is not None


# 3
def test_produce_is_advertised_from_version_0_so_that_librdkafka_compresses(client):
    keys = client.call(api_versions, api_versions.ApiVersionsRequest(), 0).api_keys
    assert [(api.min_version, api.max_version) for api in keys if api.api_key == produce.KEY] == [(0, 13)]


# 4
def test_topic_ids_from_metadata_are_taken_by_every_api_that_has_them(client, topic, name):
    topic_id = topic_id_of(client, topic)
    assert topic_id.int != 0
    assert produced(client, "", batch(b"a"), 13, topic_id=topic_id).error_code == 0
    assert [*batches_of(fetched(client, "", 18, topic_id=topic_id).records)] == [(0, [(0, b"a")])]
    committed = offset_commit.OffsetCommitRequestPartition(partition_index=0, committed_offset=1)
    commit = offset_commit.OffsetCommitRequest(
        group_id=name, topics=[offset_commit.OffsetCommitRequestTopic(topic_id=topic_id, partitions=[committed])]
    )
    assert client.call(offset_commit, commit, 10).topics[0].partitions[0].error_code == 0
    wanted = offset_fetch.OffsetFetchRequestTopics(topic_id=topic_id, partition_indexes=[0])
    group = offset_fetch.OffsetFetchRequestGroup(group_id=name, topics=[wanted])
    (found,) = client.call(offset_fetch, offset_fetch.OffsetFetchRequest(groups=[group]), 10).groups
    assert (found.topics[0].topic_id, found.topics[0].partitions[0].committed_offset) == (topic_id, 1)


# 5
def test_acks_0_has_no_answer(client, topic):
    client.send(client.frame(produce, produce_request(topic, 0, batch(b"a"), acks=0), 9))
    assert client.end_offset(topic, 0) == 1


# 6
def test_leader_epochs_are_told_and_are_the_same_everywhere(client, topic):
    client.produce(topic, 0, batch(b"a"))
    request = metadata.MetadataRequest(topics=[metadata.MetadataRequestTopic(name=topic)])
    epoch = client.call(metadata, request, 12).topics[0].partitions[0].leader_epoch
    assert epoch >= 0
    (header,) = [read_header(memoryview(fetched(client, topic, current_leader_epoch=epoch).records))]
    asked = list_offsets.ListOffsetsPartition(partition_index=0, timestamp=-1, current_leader_epoch=epoch)
    latest = list_offsets.ListOffsetsRequest(
        replica_id=-1, topics=[list_offsets.ListOffsetsTopic(name=topic, partitions=[asked])]
    )
    listed = client.call(list_offsets, latest, 5).topics[0].partitions[0]
    ended = offset_for_leader_epoch.OffsetForLeaderPartition(
        partition=0, current_leader_epoch=epoch, leader_epoch=epoch
    )
    ends = offset_for_leader_epoch.OffsetForLeaderEpochRequest(
        topics=[offset_for_leader_epoch.OffsetForLeaderTopic(topic=topic, partitions=[ended])]
    )
    end = client.call(offset_for_leader_epoch, ends, 4).topics[0].partitions[0]
    assert (header.leader_epoch, listed.leader_epoch, end.leader_epoch, end.end_offset) == (epoch, epoch, epoch, 1)


# 7
def test_a_fetch_from_the_middle_of_a_batch_gets_the_whole_batch_however_small_its_limit(client, topic):
    client.produce(topic, 0, batch(b"a", b"b" * 1000, b"c"))
    answer = fetched(client, topic, fetch_offset=1, partition_max_bytes=1)
    assert [*batches_of(answer.records)] == [(0, [(0, b"a"), (1, b"b" * 1000), (2, b"c")])]


# 8
@pytest.mark.parametrize("version", range(4, 13))
def test_an_empty_fetch_has_empty_records_and_not_null(client, topic, version):
    assert fetched(client, topic, version).records == b""
    assert fetched(client, topic, version, fetch_offset=7).records == b""


# 9
def test_every_member_gets_a_valid_assignment_even_if_the_leader_forgot_it(fleuve, connect, topic, name):
    leader, other = Member(connect(), name, topic), Member(connect(), name, topic)
    pair(leader, other)
    assert assigned(leader.sync({leader.id: assignment({topic: [0, 1]})})) == {topic: [0, 1]}
    assert assigned(other.sync()) == {}


# 10
def test_aborted_transactions_are_told_to_read_committed_alone_and_the_last_stable_offset_to_all(client, topic):
    client.produce(topic, 0, batch(b"a"))
    uncommitted = fetched(client, topic)
    committed = fetched(client, topic, isolation_level=1)
    assert (uncommitted.aborted_transactions, committed.aborted_transactions) == (None, [])
    assert (uncommitted.last_stable_offset, committed.last_stable_offset) == (1, 1)


# 11
def test_a_fenced_producer_is_told_invalid_producer_epoch_by_produce(client, topic):
    producer_id, epoch = client.init_producer_id()
    newer = batch(b"a", producer_id=producer_id, producer_epoch=epoch + 1, base_sequence=0)
    older = batch(b"b", producer_id=producer_id, producer_epoch=epoch, base_sequence=1)
    assert produced(client, topic, newer).error_code == 0
    assert produced(client, topic, older).error_code == ErrorCode.INVALID_PRODUCER_EPOCH


# 12
def test_coordinators_of_several_groups_come_in_one_answer_each_with_its_key(client, address, name):
    request = find_coordinator.FindCoordinatorRequest(coordinator_keys=[name, f"{name}-2"])
    client.call(find_coordinator, request, 4)
    found = client.call(find_coordinator, request, 4).coordinators
    assert [(one.key, one.error_code, one.port) for one in found] == [
        (name, 0, address[1]),
        (f"{name}-2", 0, address[1]),
    ]


# 13
def test_a_duplicate_gets_its_first_offset_and_no_error(client, topic):
    producer_id, epoch = client.init_producer_id()
    first = batch(b"a", producer_id=producer_id, producer_epoch=epoch, base_sequence=0)
    client.produce(topic, 0, batch(b"before"))
    answers = [produced(client, topic, first) for _ in range(2)]
    assert [(answer.error_code, answer.base_offset) for answer in answers] == [(0, 1), (0, 1)]
    assert client.end_offset(topic, 0) == 2


# 13
def test_the_last_five_batches_of_a_producer_are_remembered(client, topic):
    producer_id, epoch = client.init_producer_id()
    sent = [batch(b"a", producer_id=producer_id, producer_epoch=epoch, base_sequence=number) for number in range(6)]
    for each in sent:
        client.produce(topic, 0, each)
    again = [produced(client, topic, each) for each in sent]
    duplicates = [(0, offset) for offset in range(1, 6)]
    assert [(answer.error_code, answer.base_offset) for answer in again] == [
        (ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1),
        *duplicates,
    ]


# 14
def test_offset_metadata_and_leader_epoch_come_back_as_they_were_committed(client, topic, name):
    committed = offset_commit.OffsetCommitRequestPartition(
        partition_index=1, committed_offset=7, committed_leader_epoch=3, committed_metadata="näher"
    )
    commit = offset_commit.OffsetCommitRequest(
        group_id=name, topics=[offset_commit.OffsetCommitRequestTopic(name=topic, partitions=[committed])]
    )
    assert client.call(offset_commit, commit, 9).topics[0].partitions[0].error_code == 0
    wanted = offset_fetch.OffsetFetchRequestTopics(name=topic, partition_indexes=[1])
    group = offset_fetch.OffsetFetchRequestGroup(group_id=name, topics=[wanted])
    (found,) = client.call(offset_fetch, offset_fetch.OffsetFetchRequest(groups=[group]), 9).groups
    (partition,) = found.topics[0].partitions
    assert (partition.committed_offset, partition.committed_leader_epoch, partition.metadata) == (7, 3, "näher")


# 14
def test_describe_configs_lists_every_topic_setting_with_source_and_type(client, topic):
    resource = describe_configs.DescribeConfigsResource(resource_type=2, resource_name=topic)
    request = describe_configs.DescribeConfigsRequest(resources=[resource])
    (result,) = client.call(describe_configs, request, 4).results
    configs = {config.name: (config.value, config.config_source, config.config_type) for config in result.configs}
    assert len(configs) == 33
    assert all(kind > 0 for _, _, kind in configs.values())
    assert (configs["retention.ms"], configs["cleanup.policy"]) == (("604800000", 5, 5), ("delete", 5, 7))


# 14
def test_create_partitions_has_a_result_for_each_topic(client, topic):
    wanted = [create_partitions.CreatePartitionsTopic(name=each, count=3) for each in (topic, "nobody-made-this")]
    request = create_partitions.CreatePartitionsRequest(topics=wanted, timeout_ms=10_000)
    results = {result.name: result.error_code for result in client.call(create_partitions, request, 3).results}
    assert results == {topic: 0, "nobody-made-this": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}


# 14
def test_validate_only_creates_nothing(client, name):
    wanted = create_topics.CreatableTopic(name=name, num_partitions=3, replication_factor=1)
    request = create_topics.CreateTopicsRequest(topics=[wanted], timeout_ms=10_000, validate_only=True)
    (result,) = client.call(create_topics, request, 7).topics
    assert (result.error_code, result.num_partitions) == (0, 3)
    assert name not in client.topics()


# 14
@pytest.mark.parametrize("version", range(4))
def test_metadata_before_v4_creates_topics_without_being_asked(client, name, version):
    request = metadata.MetadataRequest(topics=[metadata.MetadataRequestTopic(name=name)])
    # Kafka describes it some answers later; Fleuve at once.
    while not client.call(metadata, request, version).topics[0].partitions:
        pass
    assert name in client.topics()


# 15
def test_a_batch_that_is_too_large_is_message_too_large(client, make_topic):
    name = make_topic(max_message_bytes="1000")
    assert produced(client, name, batch(b"x" * 1000)).error_code == ErrorCode.MESSAGE_TOO_LARGE
    assert produced(client, name, batch(b"x" * 900)).error_code == 0


# 15
def test_a_record_without_a_key_for_a_compacted_topic_is_an_invalid_record(client, make_topic):
    name = make_topic(cleanup_policy="compact")
    assert produced(client, name, batch(b"a")).error_code == ErrorCode.INVALID_RECORD
    assert produced(client, name, batch(b"a", key=b"k")).error_code == 0


# 16
def test_snappy_in_xerial_frames_is_read_where_records_are_looked_at(client, make_topic):
    name = make_topic(cleanup_policy="compact")
    plain = build_batch([Record(0, 0, b"key", b"v" * 500)], base_timestamp=1_700_000_000_000)
    sent = compressed(plain, 2, snappy_of_java(plain[LAYOUT_SIZE_BYTES:]))
    assert client.produce(name, 0, sent) == 0
    assert [*client.read(name, 0)] == [(0, b"v" * 500)]


# 16
def test_zstd_is_refused_before_produce_v7_and_kept_as_it_is_from_then_on(client, topic):
    sent = batch(b"a", compression=4)
    answers = [produced(client, topic, sent, version).error_code for version in (3, 6, 7, 9)]
    assert answers == [ErrorCode.UNSUPPORTED_COMPRESSION_TYPE] * 2 + [0, 0]


# 17
def test_no_partition_is_without_a_leader(client, topic):
    for version in (0, 1, 6, 12):
        request = metadata.MetadataRequest(topics=[metadata.MetadataRequestTopic(name=topic)])
        response = client.call(metadata, request, version)
        brokers = {broker.node_id for broker in response.brokers}
        for partition in response.topics[0].partitions:
            assert partition.error_code == 0
            assert partition.leader_id in brokers
            assert set(partition.isr_nodes) <= set(partition.replica_nodes) <= brokers


# 17
def test_metadata_of_members_is_not_judged_kafka_go_leaves_owned_partitions_out(client, topic, name):
    member = Member(client, name, topic)
    metadata_v1 = b"\x00\x01" + subscription(topic)[2:]
    member.metadata = metadata_v1
    joined = member.join()
    assert [bytes(each.metadata) for each in joined.members] == [metadata_v1]


# 19
def test_many_requests_of_one_batch_are_taken_together_and_answered_in_order(client, topic):
    requests = [produce_request(topic, 0, batch(str(number).encode())) for number in range(50)]
    client.send(*(client.frame(produce, request, 7) for request in requests))
    answers = [client.receive(produce, 7) for _ in requests]
    assert [correlation_id for correlation_id, _ in answers] == [*range(answers[0][0], answers[0][0] + 50)]
    offsets = [answer.responses[0].partition_responses[0].base_offset for _, answer in answers]
    assert offsets == [*range(50)]


# 20
def test_the_idle_limit_is_longer_than_librdkafka_keeps_a_connection(client):
    resource = describe_configs.DescribeConfigsResource(
        resource_type=4, resource_name="1", configuration_keys=["connections.max.idle.ms"]
    )
    request = describe_configs.DescribeConfigsRequest(resources=[resource])
    (config,) = client.call(describe_configs, request, 4).results[0].configs
    assert int(config.value) == 600_000


# 22
def test_a_tagged_field_is_in_the_versions_that_have_it_and_in_no_other(client, topic):
    client.produce(topic, 0, batch(b"a"))
    diverging = fetched(client, topic, fetch_offset=5, last_fetched_epoch=0)
    assert (diverging.diverging_epoch.epoch, diverging.diverging_epoch.end_offset) == (0, 1)
    wanted = fetch.FetchPartition(partition=0, fetch_offset=5, last_fetched_epoch=0, partition_max_bytes=100)
    request = fetch.FetchRequest(max_wait_ms=0, topics=[fetch.FetchTopic(topic=topic, partitions=[wanted])])
    client.send(client.frame(fetch, request, 11))
    raw = client.receive_bytes()[4:]
    (answer,) = kio_parsed(kio_class("fetch", 11, "response"), raw).responses[0].partitions
    assert answer.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    assert fetch.encode_response(fetch.decode_response(memoryview(raw), 0, 11), 11) == raw
