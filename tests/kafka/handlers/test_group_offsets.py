"""OffsetCommit, OffsetFetch and OffsetDelete through handlers and codecs. The answers are Apache Kafka's."""

from uuid import UUID

import pytest

from fleuve.engine.access.service import ResourceType
from fleuve.simulation.clock import WALL_ZERO_MS
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import offset_commit, offset_delete, offset_fetch
from fleuve.wire.generated.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from fleuve.wire.generated.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from fleuve.wire.generated.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from support.group_handlers import group_apis

ZERO, UNKNOWN = UUID(int=0), UUID(int=5)


@pytest.fixture
async def apis():
    async with group_apis() as apis:
        yield apis


def commit(*offsets, metadata="", **fields):
    topics = [
        OffsetCommitRequestTopic(
            name=topic if isinstance(topic, str) else "",
            topic_id=topic if isinstance(topic, UUID) else ZERO,
            partitions=[
                OffsetCommitRequestPartition(
                    partition_index=partition,
                    committed_offset=offset,
                    committed_leader_epoch=3,
                    committed_metadata=metadata,
                )
            ],
        )
        for topic, partition, offset in offsets
    ]
    return OffsetCommitRequest(**{"group_id": "g", "topics": topics} | fields)


def fetch(*partitions, group_id="g", **fields):
    topics = [
        OffsetFetchRequestTopics(
            name=topic if isinstance(topic, str) else "",
            topic_id=topic if isinstance(topic, UUID) else ZERO,
            partition_indexes=[partition],
        )
        for topic, partition in partitions
    ]
    group = OffsetFetchRequestGroup(group_id=group_id, topics=topics or None, **fields)
    return OffsetFetchRequest(groups=[group], require_stable=True)


def fetch_one(*partitions):
    topics = [OffsetFetchRequestTopic(name=topic, partition_indexes=[index]) for topic, index in partitions]
    return OffsetFetchRequest(group_id="g", topics=topics or None)


def delete(*partitions, group_id="g"):
    topics = [
        OffsetDeleteRequestTopic(name=topic, partitions=[OffsetDeleteRequestPartition(partition_index=index)])
        for topic, index in partitions
    ]
    return OffsetDeleteRequest(group_id=group_id, topics=topics)


def codes(response):
    return [partition.error_code for topic in response.topics for partition in topic.partitions]


def found(response):
    topics = response.groups[0].topics if response.groups else response.topics
    return [
        (topic.name, one.partition_index, one.committed_offset, one.committed_leader_epoch, one.metadata)
        for topic in topics
        for one in topic.partitions
    ]


async def test_each_partition_has_its_own_error(apis):
    answer = await apis.ask(offset_commit, commit(("t", 0, 5), ("nope", 0, 1), ("t", 77, 1), ("t", -1, 1)), 9)
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert codes(answer) == [ErrorCode.NONE, unknown, unknown, unknown]
    assert found(await apis.ask(offset_fetch, fetch(), 9)) == [("t", 0, 5, 3, "")]


@pytest.mark.parametrize("version", range(2, 10))
async def test_every_version_commits_and_fetches_by_name(apis, version):
    assert codes(await apis.ask(offset_commit, commit(("t", 1, 5), metadata="here"), version)) == [ErrorCode.NONE]
    epoch = 3 if version >= 6 else -1
    single = await apis.ask(offset_fetch, fetch_one(("t", 1), ("t", 2)), min(version, 7))
    shown = epoch if version >= 5 else -1
    assert found(single) == [("t", 1, 5, shown, "here"), ("t", 2, -1, -1, "")]
    several = await apis.ask(offset_fetch, fetch(("t", 1), ("t", 2)), 8)
    assert found(several) == [("t", 1, 5, epoch, "here"), ("t", 2, -1, -1, "")]


async def test_topic_ids_instead_of_names(apis):
    topic_id = apis.topics.get("t").id
    answer = await apis.ask(offset_commit, commit((topic_id, 0, 7), (UNKNOWN, 0, 7), (ZERO, 0, 7), (topic_id, 77, 7)))
    unknown_id = ErrorCode.UNKNOWN_TOPIC_ID
    assert codes(answer) == [ErrorCode.NONE, unknown_id, unknown_id, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert [topic.topic_id for topic in answer.topics] == [topic_id, UNKNOWN, ZERO, topic_id]
    fetched = (await apis.ask(offset_fetch, fetch((topic_id, 0), (UNKNOWN, 0)))).groups[0]
    assert [topic.partitions[0].committed_offset for topic in fetched.topics] == [7, -1]
    assert [topic.partitions[0].error_code for topic in fetched.topics] == [ErrorCode.NONE, unknown_id]
    everything = (await apis.ask(offset_fetch, fetch())).groups[0]
    assert [topic.topic_id for topic in everything.topics] == [topic_id]


async def test_what_was_never_committed_is_minus_one_without_an_error(apis):
    for version in (1, 2, 5, 7):
        answer = await apis.ask(offset_fetch, fetch_one(("t", 0), ("nope", 3)), version)
        assert answer.error_code == ErrorCode.NONE
        assert [(name, offset) for name, _, offset, _, _ in found(answer)] == [("t", -1), ("nope", -1)]
    answer = await apis.ask(offset_fetch, fetch(("t", 0), member_id="m", member_epoch=3), 9)
    assert found(answer) == [("t", 0, -1, -1, "")]
    assert answer.groups[0].error_code == ErrorCode.NONE
    assert (await apis.ask(offset_fetch, fetch(), 9)).groups[0].topics == []


async def test_a_members_commit_to_a_group_that_does_not_exist(apis):
    lost = commit(("t", 0, 1), generation_id_or_member_epoch=5, member_id="m")
    assert codes(await apis.ask(offset_commit, lost, 8)) == [ErrorCode.ILLEGAL_GENERATION]
    assert codes(await apis.ask(offset_commit, lost, 9)) == [ErrorCode.GROUP_ID_NOT_FOUND]


async def test_a_members_commit_to_an_empty_group(apis):
    await apis.ask(offset_commit, commit(("t", 0, 1)), 9)
    for fields in ({"member_id": "m"}, {"member_id": ""}):
        lost = commit(("t", 0, 1), generation_id_or_member_epoch=0, **fields)
        assert codes(await apis.ask(offset_commit, lost, 9)) == [ErrorCode.UNKNOWN_MEMBER_ID]


async def test_metadata_is_kept_up_to_its_limit_and_null_is_empty(apis):
    for metadata, code in (("x" * 4_097, ErrorCode.OFFSET_METADATA_TOO_LARGE), ("x" * 4_096, ErrorCode.NONE)):
        assert codes(await apis.ask(offset_commit, commit(("t", 0, 1), metadata=metadata), 9)) == [code]
    await apis.ask(offset_commit, commit(("t", 1, 1), metadata=None), 9)
    assert [len(metadata) for *_, metadata in found(await apis.ask(offset_fetch, fetch(), 9))] == [4_096, 0]


async def test_any_offset_may_be_committed(apis):
    assert codes(await apis.ask(offset_commit, commit(("t", 0, -5)), 9)) == [ErrorCode.NONE]
    assert found(await apis.ask(offset_fetch, fetch(("t", 0)), 9))[0][2] == -5


async def test_the_empty_group_id_is_allowed_for_offsets(apis):
    assert codes(await apis.ask(offset_commit, commit(("t", 0, 4), group_id=""), 9)) == [ErrorCode.NONE]
    assert found(await apis.ask(offset_fetch, fetch(("t", 0), group_id=""), 9))[0][2] == 4


@pytest.mark.parametrize(("version", "kept"), [(2, 500), (4, 500), (5, None)])
async def test_versions_2_to_4_may_bring_a_retention_of_their_own(apis, version, kept):
    await apis.ask(offset_commit, commit(("t", 0, 4), retention_time_ms=500 if version < 5 else -1), version)
    (stored,) = await apis.store.offsets("g")
    now = stored.committed_ms
    assert now >= WALL_ZERO_MS
    assert stored.expires_ms == (None if kept is None else now + kept)


async def test_deleting_offsets(apis):
    await apis.ask(offset_commit, commit(("t", 0, 4), ("t", 1, 4)), 9)
    answer = await apis.ask(offset_delete, delete(("t", 0), ("t", 2), ("t", 77), ("nope", 0)))
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert answer.error_code == ErrorCode.NONE
    assert codes(answer) == [ErrorCode.NONE, ErrorCode.NONE, unknown, unknown]
    assert [partition for _, partition, *_ in found(await apis.ask(offset_fetch, fetch(), 9))] == [1]


async def test_deleting_offsets_of_groups_that_are_not_there(apis):
    for partitions in (["t", 0], ["nope", 0]):
        answer = await apis.ask(offset_delete, delete(partitions))
        assert answer.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    assert (await apis.ask(offset_delete, delete(("t", 0), group_id=""))).error_code == ErrorCode.INVALID_GROUP_ID


async def test_a_topic_without_partitions_is_not_in_the_answer(apis):
    nothing = OffsetCommitRequestTopic(name="t", partitions=[])
    request = commit(("t", 0, 5))
    request.topics.insert(0, nothing)
    assert codes(await apis.ask(offset_commit, request, 9)) == [ErrorCode.NONE]
    empty = OffsetDeleteRequest(group_id="g", topics=[OffsetDeleteRequestTopic(name="t", partitions=[])])
    assert (await apis.ask(offset_delete, empty)).topics == []


class DenyTopics:
    """Everything is allowed, except topics other than `t`."""

    def authorize(self, principal, host, operation, resource_type, name):
        return resource_type is not ResourceType.TOPIC or name == "t"


async def test_topics_that_are_not_the_clients_business(apis):
    await apis.ask(offset_commit, commit(("t", 0, 4), ("other", 0, 4)), 9)
    apis.authorizer = DenyTopics()
    denied = ErrorCode.TOPIC_AUTHORIZATION_FAILED
    assert codes(await apis.ask(offset_commit, commit(("t", 0, 5), ("other", 0, 5)), 9)) == [ErrorCode.NONE, denied]
    assert codes(await apis.ask(offset_delete, delete(("other", 0)))) == [denied]
    answer = await apis.ask(offset_fetch, fetch(("t", 0), ("other", 0)), 9)
    assert codes(answer.groups[0]) == [ErrorCode.NONE, denied]
    assert [name for name, *_ in found(await apis.ask(offset_fetch, fetch(), 9))] == ["t"]


class DenyGroups:
    def authorize(self, principal, host, operation, resource_type, name):
        return resource_type is not ResourceType.GROUP


async def test_groups_that_are_not_the_clients_business(apis):
    apis.authorizer = DenyGroups()
    denied = ErrorCode.GROUP_AUTHORIZATION_FAILED
    assert codes(await apis.ask(offset_commit, commit(("t", 0, 5)), 9)) == [denied]
    assert (await apis.ask(offset_delete, delete(("t", 0)))).error_code == denied
    assert (await apis.ask(offset_fetch, fetch(("t", 0)))).groups[0].error_code == denied
    assert (await apis.ask(offset_fetch, fetch_one(("t", 0)), 2)).error_code == denied
    assert codes(await apis.ask(offset_fetch, fetch_one(("t", 0)), 1)) == [denied]
