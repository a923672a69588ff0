"""OffsetCommit, OffsetFetch and OffsetDelete: who may commit, what is kept, and what is asked for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from conformance.groups import Group, Member, commit_request, subscription
from conformance.scenario import Connection, Kafka, Topic, case, versions
from fleuve.wire.generated import delete_topics, join_group, offset_commit, offset_delete, offset_fetch

NOWHERE = UUID("6b1f1c40-3c1a-4bd5-8e1d-0a3d1c8f7a11")
"""A topic id that nobody has."""
GROUPS_FROM = 8
IDS_FROM = 10


def fetch(
    wire: Connection, group: str, topics: list[tuple[Topic, list[int]]] | None, version: int, **fields: Any
) -> Any:
    """Ask for offsets, in the form of the version."""
    if version < GROUPS_FROM:
        asked = None
        if topics is not None:
            asked = [
                offset_fetch.OffsetFetchRequestTopic(name=topic.name, partition_indexes=indexes)
                for topic, indexes in topics
            ]
        return wire.call(offset_fetch, offset_fetch.OffsetFetchRequest(group_id=group, topics=asked, **fields), version)
    return wire.call(offset_fetch, fetch_request((group, topics), version=version, **fields), version)


def fetch_request(
    *groups: tuple[str, list[tuple[Topic, list[int]]] | None], version: int, **fields: Any
) -> offset_fetch.OffsetFetchRequest:
    """Return a request for offsets of several groups."""
    return offset_fetch.OffsetFetchRequest(
        groups=[
            offset_fetch.OffsetFetchRequestGroup(
                group_id=group,
                topics=None
                if topics is None
                else [
                    offset_fetch.OffsetFetchRequestTopics(
                        **({"topic_id": topic.id} if version >= IDS_FROM else {"name": topic.name}),
                        partition_indexes=indexes,
                    )
                    for topic, indexes in topics
                ],
            )
            for group, topics in groups
        ],
        **fields,
    )


def delete(wire: Connection, group: str, *topics: tuple[str, list[int]]) -> Any:
    """Forget offsets."""
    request = offset_delete.OffsetDeleteRequest(
        group_id=group,
        topics=[
            offset_delete.OffsetDeleteRequestTopic(
                name=name,
                partitions=[offset_delete.OffsetDeleteRequestPartition(partition_index=index) for index in indexes],
            )
            for name, indexes in topics
        ],
    )
    return wire.call(offset_delete, request, 0)


def fetched(member: Member, topic: Topic) -> None:
    """Ask for the offset that was committed last."""
    fetch(member.wire, member.group.id, [(topic, [0])], 9)


@case
def a_consumer_that_assigns_itself(kafka: Kafka) -> None:
    """Commits without a member make the group; they are fetched, in every version."""
    topic = kafka.topic(3)
    for version in versions(offset_commit):
        group = Group(kafka, f"g{version}")
        a = kafka.connect()
        a.call(offset_commit, commit_request(group.id, topic, (0, 5), (2, 7), version=version), version)
        a.call(
            offset_commit,
            commit_request(group.id, topic, (0, version), metadata="why", version=version),
            version,
        )
        for fetched_version in versions(offset_fetch):
            fetch(a, group.id, [(topic, [0, 1, 2])], fetched_version)
            if fetched_version >= 2:
                fetch(a, group.id, None, fetched_version)
        group.until("Empty", 0)


@case
def offsets_and_epochs_of_any_value(kafka: Kafka) -> None:
    """Negative ones, large ones, and leader epochs, which nobody checks."""
    topic = kafka.topic()
    group = Group(kafka)
    a = kafka.connect()
    for offset, epoch in [
        (0, -1), (-1, -1), (-2, 0), (9_223_372_036_854_775_807, 2_147_483_647), (1, 5), (1, -2), (3, -2_147_483_648),
    ]:  # fmt: skip
        for version in 5, 6, 10:
            request = commit_request(group.id, topic, (0, offset), version=version)
            assert request.topics is not None
            for partition in request.topics[0].partitions or ():
                partition.committed_leader_epoch = epoch
            a.call(offset_commit, request, version)
            fetch(a, group.id, [(topic, [0])], 10)


@case
def metadata_of_a_commit(kafka: Kafka) -> None:
    """None, the longest and one that is too long, beside a partition that is well."""
    topic = kafka.topic(2)
    group = Group(kafka)
    a = kafka.connect()
    for version in versions(offset_commit):
        long = ["m" * 4096, "m" * 4097, "ü" * 2048, "ü" * 4096] if version == 10 else ["m" * 4097]
        for metadata in None, "", *long:
            request = commit_request(group.id, topic, (0, version), (1, 1), version=version, metadata="")
            assert request.topics is not None
            request.topics[0].partitions[0].committed_metadata = metadata
            a.call(offset_commit, request, version)
    for version in 1, 7, 10:
        fetch(a, group.id, [(topic, [0, 1])], version)


@case
def partitions_that_are_not_there(kafka: Kafka) -> None:
    """Unknown topics, ids and partitions in commits, fetches and deletions, alone and beside others."""
    topic = kafka.topic()
    other = Topic(kafka.name("other"), NOWHERE)
    nameless = Topic("", UUID(int=0))
    group = Group(kafka)
    a = kafka.connect()
    for version in versions(offset_commit):
        a.call(offset_commit, commit_request(group.id, other, (0, 1), version=version), version)
        a.call(offset_commit, commit_request(group.id, topic, (1, 1), (-1, 1), (0, 2), version=version), version)
        a.call(offset_commit, commit_request(group.id, nameless, (0, 1), version=version), version)
        request = commit_request(group.id, other, (0, 1), (1, 1), version=version)
        for added in commit_request(group.id, topic, (0, 3), version=version).topics or ():
            request.topics = [*(request.topics or ()), added]
        a.call(offset_commit, request, version)
    for version in versions(offset_fetch):
        fetch(a, group.id, [(other, [0, 1])], version)
        fetch(a, group.id, [(topic, [0, 1, -1]), (other, [0])], version)
        fetch(a, group.id, [(nameless, [0])], version)
        fetch(a, group.id, [(topic, [])], version)
        fetch(a, group.id, [], version)
    delete(a, group.id, (other.name, [0, 1]))
    delete(a, group.id, (topic.name, [1, -1]), (other.name, [0]))
    delete(a, group.id, ("", [0]))
    delete(a, group.id, (topic.name, []))
    delete(a, group.id)


@case
def a_request_that_says_things_twice(kafka: Kafka) -> None:
    """A topic twice, a partition twice."""
    topic = kafka.topic(2)
    group = Group(kafka)
    a = kafka.connect()
    for version in versions(offset_commit):
        request = commit_request(group.id, topic, (0, 1), (0, 2), version=version)
        request.topics = (request.topics or []) + (
            commit_request(group.id, topic, (0, 3), (1, 4), version=version).topics or []
        )
        a.call(offset_commit, request, version)
    for version in versions(offset_fetch):
        fetch(a, group.id, [(topic, [0, 0])], version)
        fetch(a, group.id, [(topic, [0]), (topic, [1, 0])], version)
    for version in range(GROUPS_FROM, 11):
        twice = fetch_request((group.id, [(topic, [0])]), (group.id, [(topic, [1])]), version=version)
        a.call(offset_fetch, twice, version)
    delete(a, group.id, (topic.name, [0, 0]), (topic.name, [0, 1]))
    fetch(a, group.id, None, 9)


@case
def nothing_to_commit(kafka: Kafka) -> None:
    """No topics, and a topic without partitions: whether that makes a group."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(offset_commit):
        group = Group(kafka, f"g{version}")
        a.call(offset_commit, offset_commit.OffsetCommitRequest(group_id=group.id), version)
        a.call(offset_commit, commit_request(group.id, topic, version=version), version)
        fetch(a, group.id, None, 8)


@case
def strange_group_ids(kafka: Kafka) -> None:
    """An empty id and an unknown group, in every version."""
    topic = kafka.topic()
    Group(kafka)
    a = kafka.connect()
    for version in versions(offset_fetch):
        for group in "", kafka.name("other"):
            fetch(a, group, [(topic, [0])], version)
            if version >= 2:
                fetch(a, group, None, version)
    for version in versions(offset_commit):
        other = kafka.name("other")
        a.call(offset_commit, commit_request(other, topic, (0, 1), version=version, member_id="nobody"), version)
        for generation in 0, 1:
            request = commit_request(other, topic, (0, 1), version=version, generation_id_or_member_epoch=generation)
            a.call(offset_commit, request, version)
            request.member_id = "nobody"
            a.call(offset_commit, request, version)
        if version >= 7:
            request = commit_request(other, topic, (0, 1), version=version, group_instance_id="nobody")
            a.call(offset_commit, request, version)
    delete(a, "", (topic.name, [0]))
    delete(a, kafka.name("none"), (topic.name, [0]))
    delete(a, kafka.name("none"))
    delete(a, kafka.name("none"), (kafka.name("x"), [0]))


@case
def who_may_commit(kafka: Kafka) -> None:
    """Members of the generation; nobody else while there are members."""
    topic = kafka.topic()
    for version in versions(offset_commit):
        group = Group(kafka, f"g{version}")
        member = group.member()
        member.commit(topic, version=version, member_id="nobody", generation_id_or_member_epoch=1)
        member.enter()
        member.commit(topic, version=version)
        member.sync({member.id: b"all"})
        member.commit(topic, (0, 1), version=version)
        for generation in -2, -1, 0, 2:
            member.commit(topic, (0, 2), version=version, generation_id_or_member_epoch=generation)
        for member_id in "", "nobody":
            for generation in -1, 0, 1, 2:
                member.commit(
                    topic, (0, 3), version=version, member_id=member_id, generation_id_or_member_epoch=generation
                )
        if version >= 7:
            member.commit(topic, (0, 4), version=version, group_instance_id="nobody")
            member.commit(topic, (0, 4), version=version, group_instance_id="nobody", generation_id_or_member_epoch=-1)
            member.commit(
                topic, (0, 4), version=version, group_instance_id="x", member_id="", generation_id_or_member_epoch=-1
            )
        fetched(member, topic)
        member.leave()
        member.commit(topic, (0, 5), version=version)
        member.commit(topic, (0, 6), version=version, member_id="", generation_id_or_member_epoch=-1)
        member.commit(topic, (0, 7), version=version, member_id="", generation_id_or_member_epoch=1)
        member.commit(topic, (0, 8), version=version, member_id="nobody", generation_id_or_member_epoch=-1)
        member.commit(topic, (0, 9), version=version, member_id="", generation_id_or_member_epoch=2)
        fetched(member, topic)


@case
def a_commit_in_each_phase(kafka: Kafka) -> None:
    """While the group prepares, while it waits for the assignment, and when it is stable."""
    topic = kafka.topic()
    for version in versions(offset_commit):
        group = Group(kafka, f"g{version}")
        one, two = group.member("one"), group.member("two")
        group.stable(one)
        two.begin()
        group.until("PreparingRebalance", 2)
        one.commit(topic, (0, 1), version=version)
        two.beside().commit(topic, (0, 2), version=version)
        one.commit(topic, (0, 3), version=version, generation_id_or_member_epoch=2)
        fetched(one, topic)
        one.join()
        two.joined()
        one.commit(topic, (0, 4), version=version)
        two.commit(topic, (0, 5), version=version)
        one.commit(topic, (0, 6), version=version, generation_id_or_member_epoch=1)
        fetched(one, topic)
        group.share(one, two)
        two.commit(topic, (0, 7), version=version)
        fetched(one, topic)


@case
def a_retention_time_of_its_own(kafka: Kafka) -> None:
    """Until v4 a commit may say how long it lasts."""
    topic = kafka.topic()
    group = Group(kafka)
    a = kafka.connect()
    for version in 2, 3, 4:
        for retention_time_ms in -1, 3_600_000, 9_223_372_036_854_775_807:
            request = commit_request(
                group.id, topic, (0, version), version=version, retention_time_ms=retention_time_ms
            )
            a.call(offset_commit, request, version)
            fetch(a, group.id, [(topic, [0])], 5)


@case
def stable_offsets(kafka: Kafka) -> None:
    """require_stable, where nothing is pending."""
    topic = kafka.topic()
    group = Group(kafka)
    a = kafka.connect()
    a.call(offset_commit, commit_request(group.id, topic, (0, 1), version=8), 8)
    for version in range(7, 11):
        fetch(a, group.id, [(topic, [0])], version, require_stable=True)
        fetch(a, group.id, None, version, require_stable=True)


@case
def several_groups_in_one_fetch(kafka: Kafka) -> None:
    """Known, unknown and nameless ones; by topics and all of them."""
    topic, second = kafka.topic(2), kafka.topic(name="second")
    groups = [Group(kafka, name) for name in ("one", "two")]
    a = kafka.connect()
    for number, group in enumerate(groups):
        a.call(offset_commit, commit_request(group.id, topic, (0, number), (1, 7), version=8), 8)
        a.call(offset_commit, commit_request(group.id, second, (0, 9), version=8), 8)
    one, two = groups
    for version in range(GROUPS_FROM, 11):
        asked = fetch_request(
            (one.id, [(topic, [0, 1]), (second, [0])]),
            (two.id, [(topic, [1])]),
            (kafka.name("none"), [(topic, [0])]),
            (kafka.name("none, all"), None),
            ("", [(topic, [0])]),
            version=version,
        )
        a.call(offset_fetch, asked, version)
        a.call(offset_fetch, offset_fetch.OffsetFetchRequest(), version)


@case
def member_epochs_of_a_classic_group(kafka: Kafka) -> None:
    """The member id and epoch of a fetch, which belong to the new protocol."""
    topic = kafka.topic()
    group = Group(kafka)
    member = group.member()
    group.stable(member)
    member.commit(topic)
    for version in 9, 10:
        for group_id in group.id, kafka.name("none"):
            for member_id in None, "", member.id, "nobody":
                for epoch in -2, -1, 0, 1, 2:
                    request = fetch_request((group_id, [(topic, [0])]), version=version)
                    request.groups[0].member_id = member_id
                    request.groups[0].member_epoch = epoch
                    member.wire.call(offset_fetch, request, version)


@case
def offsets_that_are_forgotten(kafka: Kafka) -> None:
    """OffsetDelete of an empty group, of what was never committed, and of the last one there is."""
    topic = kafka.topic(3)
    group = Group(kafka)
    a = kafka.connect()
    a.call(offset_commit, commit_request(group.id, topic, (0, 1), (1, 2), version=8), 8)
    delete(a, group.id, (topic.name, [0, 2]))
    fetch(a, group.id, None, 8)
    delete(a, group.id, (topic.name, [0]))
    delete(a, group.id, (topic.name, [1]))
    fetch(a, group.id, None, 8)
    group.until("Empty", 0)


@case
def offsets_of_subscribed_topics(kafka: Kafka) -> None:
    """They are not deleted; those of other topics are. Of a group that is no consumer none are."""

    topic, other = kafka.topic(2), kafka.topic(name="other")
    group = Group(kafka)
    metadata = subscription(topic.name)
    member = group.member(protocols=[join_group.JoinGroupRequestProtocol(name="range", metadata=metadata)])
    a = kafka.connect()
    member.enter()
    delete(a, group.id, (topic.name, [0]), (other.name, [0]))
    member.sync({member.id: b"all"})
    member.commit(topic, (0, 1))
    member.commit(other, (0, 2))
    delete(a, group.id, (topic.name, [0, 1, 7]), (other.name, [0]), (kafka.name("none"), [0]))
    fetch(a, group.id, None, 8)
    member.leave()
    delete(a, group.id, (topic.name, [0]))
    fetch(a, group.id, None, 8)
    connect = Group(kafka, "connect")
    worker = connect.member(protocol_type="connect")
    worker.enter()
    delete(a, connect.id, (topic.name, [0]))
    worker.sync({worker.id: b"all"}, protocol_type="connect")
    worker.commit(topic, (0, 1))
    delete(a, connect.id, (topic.name, [0]), (kafka.name("none"), [0]))
    delete(a, connect.id)
    worker.leave()
    delete(a, connect.id, (topic.name, [0]))
    unreadable = Group(kafka, "unreadable")
    lost = unreadable.member(protocols=[join_group.JoinGroupRequestProtocol(name="range", metadata=b"\x00")])
    lost.enter()
    lost.sync({lost.id: b"all"})
    lost.commit(topic, (0, 1))
    delete(a, unreadable.id, (topic.name, [0]), (other.name, [0]))


@case
def offsets_of_a_topic_that_is_gone(kafka: Kafka) -> None:
    """They go with it: a topic that has the name later has none."""
    topic = kafka.topic(2)
    group = Group(kafka)
    a = kafka.connect()
    a.call(offset_commit, commit_request(group.id, topic, (0, 1), version=8), 8)
    gone = delete_topics.DeleteTopicsRequest(topic_names=[topic.name], timeout_ms=30_000)
    a.call(delete_topics, gone, 5)
    new = kafka.topic(2)
    for version in 8, 9:
        fetch(a, group.id, [(topic, [0])], version)
        fetch(a, group.id, None, version)
    fetch(a, group.id, [(topic, [0])], 10)
    fetch(a, group.id, [(new, [0])], 10)


@case
def the_internal_topic(kafka: Kafka) -> None:
    """Offsets of `__consumer_offsets` itself."""
    group = Group(kafka)
    a = kafka.connect()
    offsets = Topic("__consumer_offsets", UUID(int=0))
    a.call(offset_commit, commit_request(group.id, offsets, (0, 1), version=8), 8)
    fetch(a, group.id, [(offsets, [0])], 8)
    delete(a, group.id, (offsets.name, [0]))
