"""Behaviour that independent implementations often get wrong: one test for each point.

Offsets of a group that does not exist                  test_a_group_that_does_not_exist…
Values, types and sources of configs; bad values        test_the_brokers_configs…, test_a_bad_value…
Illegal topic names, in auto-creation too               test_an_illegal_topic_name…
Null keys for compacted topics                          test_each_record_without_a_key…
LogAppendTime                                           test_log_append_time…
Transactions: refused, as long as there are none        test_a_transactional_id…
Classic groups: cooperative rebalances                  test_a_cooperative_rebalance…
                static members                          test_a_static_member…
                commits while a rebalance goes on       test_commits_are_taken…
                session time-outs out of bounds         test_a_session_time_out…
ListOffsets v1, by timestamp, read_committed            test_list_offsets_v1…, test_an_offset_by_timestamp…,
                                                        test_the_latest_offset_of_read_committed…
The internal topic                                      test_consumer_offsets_is_visible…

Beyond the list, what was found by asking Apache Kafka the same: test_text_that_is_not_utf8…,
test_a_transactional_batch…, test_who_reads_past_the_end_of_an_epoch…, test_a_topic_that_does_not_exist_has_operations….

Not here, because the APIs do not exist yet: AddPartitionsToTxn, AddOffsetsToTxn, EndTxn; share groups.
"""

from __future__ import annotations

import struct

import pytest

from fleuve.records.batch import read_header
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import (
    describe_configs,
    describe_groups,
    fetch,
    find_coordinator,
    incremental_alter_configs,
    init_producer_id,
    join_group,
    list_offsets,
    metadata,
    offset_fetch,
    produce,
)
from support.batches import NOW_MS, batch
from support.broker_thread import BrokerThread
from support.members import Member, assigned, assignment, pair
from support.wire_client import Client, produce_request

LATEST, EARLIEST = -1, -2


def listed(client: Client, topic: str, timestamp: int, version: int = 7, isolation_level: int = 0):
    wanted = list_offsets.ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    request = list_offsets.ListOffsetsRequest(
        replica_id=-1,
        isolation_level=isolation_level,
        topics=[list_offsets.ListOffsetsTopic(name=topic, partitions=[wanted])],
    )
    return client.call(list_offsets, request, version).topics[0].partitions[0]


def committed_of(client: Client, group: str, topic: str, partition: int):
    wanted = offset_fetch.OffsetFetchRequestTopics(name=topic, partition_indexes=[partition])
    asked = offset_fetch.OffsetFetchRequestGroup(group_id=group, topics=[wanted])
    (found,) = client.call(offset_fetch, offset_fetch.OffsetFetchRequest(groups=[asked]), 9).groups
    return found.error_code, found.topics[0].partitions[0]


def described_names(client: Client, names: list[str], version: int = 9, *, creating: bool = True):
    request = metadata.MetadataRequest(
        topics=[metadata.MetadataRequestTopic(name=name) for name in names], allow_auto_topic_creation=creating
    )
    return {topic.name: topic.error_code for topic in client.call(metadata, request, version).topics}


def test_a_group_that_does_not_exist_has_no_offsets_and_no_error(client, topic, name):
    error_code, partition = committed_of(client, f"{name}-nobody", topic, 0)
    assert (error_code, partition.error_code, partition.committed_offset) == (0, 0, -1)
    assert (partition.committed_leader_epoch, partition.metadata) == (-1, "")


def test_the_brokers_configs_have_values_types_and_sources(client, address):
    resource = describe_configs.DescribeConfigsResource(resource_type=4, resource_name="1")
    request = describe_configs.DescribeConfigsRequest(resources=[resource], include_synonyms=True)
    (result,) = client.call(describe_configs, request, 4).results
    configs = {config.name: config for config in result.configs}
    host, port = address
    advertised = configs["advertised.listeners"]
    assert (advertised.value, advertised.config_source, advertised.config_type) == (f"PLAINTEXT://{host}:{port}", 4, 7)
    partitions = configs["num.partitions"]
    assert (partitions.config_type, partitions.synonyms[-1].value, partitions.synonyms[-1].source) == (3, "1", 5)
    in_sync = configs["min.insync.replicas"]
    assert (in_sync.value, in_sync.synonyms[-1].source) == ("1", 5)
    retention = configs["log.retention.hours"]
    assert (retention.value, retention.config_source, retention.config_type) == ("168", 5, 3)


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("retention.ms", "abc", "Invalid value abc for configuration retention.ms"),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ("cleanup.policy", "shred", "Invalid value shred for configuration cleanup.policy"),
        ("no.such.setting", "1", "Unknown topic config name: no.such.setting"),
    ],
)
def test_a_bad_value_is_an_invalid_config_with_the_reason(client, topic, setting, value, reason):
    resource = incremental_alter_configs.AlterConfigsResource(
        resource_type=2,
        resource_name=topic,
        configs=[incremental_alter_configs.AlterableConfig(name=setting, value=value)],
    )
    request = incremental_alter_configs.IncrementalAlterConfigsRequest(resources=[resource])
    (answer,) = client.call(incremental_alter_configs, request, 1).responses
    assert answer.error_code == ErrorCode.INVALID_CONFIG
    assert reason in answer.error_message


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250])
def test_an_illegal_topic_name_is_an_invalid_topic_in_auto_creation_too(client, name):
    assert described_names(client, [name]) == {name: ErrorCode.INVALID_TOPIC_EXCEPTION}
    assert described_names(client, [name], creating=False) == {name: ErrorCode.INVALID_TOPIC_EXCEPTION}


def test_each_record_without_a_key_is_named_to_the_producer_of_a_compacted_topic(client, make_topic):
    name = make_topic(cleanup_policy="compact")
    response = client.call(produce, produce_request(name, 0, batch(b"a", b"b")), 8)
    answer = response.responses[0].partition_responses[0]
    assert answer.error_code == ErrorCode.INVALID_RECORD
    assert [error.batch_index for error in answer.record_errors] == [0, 1]
    assert all("key" in error.batch_index_error_message for error in answer.record_errors)


def test_log_append_time_is_in_the_answer_and_in_the_batch(client, make_topic):
    name = make_topic(message_timestamp_type="LogAppendTime")
    response = client.call(produce, produce_request(name, 0, batch(b"a", base_timestamp=NOW_MS)), 8)
    appended_ms = response.responses[0].partition_responses[0].log_append_time_ms
    records, _ = client.fetch(name, 0, 0)
    header = read_header(memoryview(records))
    assert appended_ms > NOW_MS
    assert (header.max_timestamp, header.attributes & 8) == (appended_ms, 8)
    assert listed(client, name, appended_ms).offset == 0


@pytest.mark.parametrize("version", range(6))
def test_a_transactional_id_is_refused_with_an_error_that_clients_do_not_retry(client, name, version, fleuve):
    request = init_producer_id.InitProducerIdRequest(transactional_id=name, transaction_timeout_ms=60_000)
    answer = client.call(init_producer_id, request, version)
    assert answer.error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert answer.producer_id == -1


def test_a_cooperative_rebalance_leaves_each_partition_to_one_member_at_a_time(connect, topic, name):
    """The server's part: between two rebalances nobody loses its generation, and assignments come back unchanged."""
    first, second = Member(connect(), name, topic), Member(connect(), name, topic)
    pair(first, second)
    # First, the newcomer gets nothing and the owner gives one up; then both join again.
    assert assigned(first.sync({first.id: assignment({topic: [0]}), second.id: assignment({})})) == {topic: [0]}
    assert assigned(second.sync()) == {}
    first.start_joining()
    second.until_rebalance()
    second.join()
    assert first.joined().generation_id == second.generation
    shares = {first.id: assignment({topic: [0]}), second.id: assignment({topic: [1]})}
    assert assigned(first.sync(shares)) == {topic: [0]}
    assert assigned(second.sync()) == {topic: [1]}
    assert (first.heartbeat(), second.heartbeat()) == (ErrorCode.NONE, ErrorCode.NONE)


def test_a_static_member_comes_back_with_its_assignment_and_fences_who_it_was(connect, topic, name):
    before = Member(connect(), name, topic, instance="here")
    before.join()
    before.sync({before.id: assignment({topic: [0, 1]})})
    after = Member(connect(), name, topic, instance="here")
    after.join()
    assert (after.generation, assigned(after.sync())) == (before.generation, {topic: [0, 1]})
    assert (before.heartbeat(), before.commit(0, 1)) == (ErrorCode.FENCED_INSTANCE_ID, ErrorCode.FENCED_INSTANCE_ID)
    assert after.heartbeat() == ErrorCode.NONE


def test_a_static_member_comes_back_after_its_session_timed_out(fleuve, tmp_path, name):
    # Its own broker: Kafka's shortest session is 6 s.
    settings = {"group.min.session.timeout.ms": "50", "group.initial.rebalance.delay.ms": "0"}
    with BrokerThread(tmp_path, settings) as broker, Client(broker.address) as client:
        client.create_topic(name, 2)
        before = Member(client, name, name, instance="here")
        before.join(session_timeout_ms=50)
        before.sync({before.id: assignment({name: [0]})})
        described = describe_groups.DescribeGroupsRequest(groups=[name])
        while client.call(describe_groups, described, 5).groups[0].group_state != "Empty":
            pass
        after = Member(client, name, name, instance="here")
        assert after.join().leader == after.id != before.id
        assert after.generation > before.generation
        assert before.heartbeat() == ErrorCode.FENCED_INSTANCE_ID


def test_commits_are_taken_while_a_rebalance_goes_on(connect, topic, name):
    member, newcomer = Member(connect(), name, topic), Member(connect(), name, topic)
    member.join()
    member.sync({member.id: assignment({topic: [0, 1]})})
    newcomer.start_joining()
    member.until_rebalance()
    assert member.commit(0, 3) == ErrorCode.NONE
    member.join()
    newcomer.joined()
    # Between the join and the assignment nobody owns anything.
    assert member.commit(0, 4) == ErrorCode.REBALANCE_IN_PROGRESS
    assert committed_of(member.client, name, topic, 0)[1].committed_offset == 3


@pytest.mark.parametrize("timeout_ms", [5_999, 1_800_001])
def test_a_session_time_out_beyond_the_brokers_bounds_is_refused(client, topic, name, timeout_ms):
    request = Member(client, name, topic).join_request(session_timeout_ms=timeout_ms)
    assert client.call(join_group, request, 9).error_code == ErrorCode.INVALID_SESSION_TIMEOUT


def test_list_offsets_v1_still_answers(client, topic):
    client.produce(topic, 0, batch(b"a", b"b"))
    offsets = [listed(client, topic, timestamp, 1).offset for timestamp in (EARLIEST, LATEST, NOW_MS)]
    assert offsets == [0, 2, 0]


def test_an_offset_by_timestamp_comes_with_its_leader_epoch(client, topic):
    for number in range(3):
        client.produce(topic, 0, batch(b"a", base_timestamp=NOW_MS + 100 * number))
    found = listed(client, topic, NOW_MS + 1)
    assert (found.offset, found.timestamp, found.leader_epoch) == (1, NOW_MS + 100, 0)
    later = listed(client, topic, NOW_MS + 201)
    assert (later.offset, later.timestamp, later.leader_epoch) == (-1, -1, -1)


def test_the_latest_offset_of_read_committed_is_the_last_stable_one(client, topic):
    client.produce(topic, 0, batch(b"a"))
    assert [listed(client, topic, LATEST, isolation_level=level).offset for level in (0, 1)] == [1, 1]


def test_consumer_offsets_is_visible_as_an_internal_topic_and_takes_no_records(client, name):
    request = find_coordinator.FindCoordinatorRequest(key=name)
    while client.call(find_coordinator, request, 3).error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE:
        pass
    everything = client.call(metadata, metadata.MetadataRequest(topics=None), 9).topics
    (internal,) = [topic for topic in everything if topic.name == "__consumer_offsets"]
    assert (internal.is_internal, internal.error_code, len(internal.partitions) > 0) == (True, 0, True)
    answer = client.call(produce, produce_request("__consumer_offsets", 0, batch(b"a", key=b"k")), 9)
    refused = answer.responses[0].partition_responses[0]
    assert (refused.error_code, refused.base_offset) == (ErrorCode.INVALID_TOPIC_EXCEPTION, -1)


# ---------------------------------------------------------------- found by asking Apache Kafka the same


def test_a_transactional_batch_outside_a_transaction_is_refused_for_good(client, topic):
    producer_id, epoch = client.init_producer_id()
    sent = batch(b"a", producer_id=producer_id, producer_epoch=epoch, base_sequence=0, attributes=0x10)
    response = client.call(produce, produce_request(topic, 0, sent), 9)
    answer = response.responses[0].partition_responses[0]
    assert answer.error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


@pytest.mark.parametrize("client_id", [b"caf\xe9", b"\xff"])
def test_text_that_is_not_utf8_is_read_with_replacements_and_a_topic_of_that_name_is_illegal(client, client_id):
    header = struct.pack(">hhih", metadata.KEY, 4, 5, len(client_id)) + client_id
    body = header + b"\x00\x00\x00\x01\x00\x02\xff\xfe\x01"
    client.send(len(body).to_bytes(4, "big") + body)
    correlation_id, response = client.receive(metadata, 4)
    (topic,) = response.topics
    assert correlation_id == 5
    assert (topic.name, topic.error_code) == ("\ufffd\ufffd", ErrorCode.INVALID_TOPIC_EXCEPTION)


@pytest.mark.parametrize(
    ("offset", "epoch", "error", "diverging"),
    [
        (1, 0, ErrorCode.NONE, None),
        (2, 0, ErrorCode.NONE, None),
        (3, 0, ErrorCode.NONE, (0, 2)),
        (0, 1, ErrorCode.OFFSET_OUT_OF_RANGE, None),
        (3, -1, ErrorCode.OFFSET_OUT_OF_RANGE, None),
    ],
)
def test_who_reads_past_the_end_of_an_epoch_is_told_where_it_ends(client, topic, offset, epoch, error, diverging):
    client.produce(topic, 0, batch(b"a", b"b"))
    wanted = fetch.FetchPartition(
        partition=0, fetch_offset=offset, last_fetched_epoch=epoch, partition_max_bytes=1 << 20
    )
    # An answer that has something to tell does not wait.
    request = fetch.FetchRequest(
        max_wait_ms=0 if error is ErrorCode.NONE and diverging is None else 60_000,
        min_bytes=1,
        topics=[fetch.FetchTopic(topic=topic, partitions=[wanted])],
    )
    answer = client.call(fetch, request, 12).responses[0].partitions[0]
    told = answer.diverging_epoch and (answer.diverging_epoch.epoch, answer.diverging_epoch.end_offset)
    assert (ErrorCode(answer.error_code), told) == (error, diverging)


def test_a_topic_that_does_not_exist_has_operations_that_the_client_may_do(client, topic, name):
    request = metadata.MetadataRequest(
        topics=[metadata.MetadataRequestTopic(name=each) for each in (topic, f"{name}-nobody")],
        allow_auto_topic_creation=False,
        include_topic_authorized_operations=True,
    )
    operations = {each.topic_authorized_operations for each in client.call(metadata, request, 9).topics}
    assert operations == {3576}
