"""JoinGroup, SyncGroup, Heartbeat and LeaveGroup of dynamic members: the classic protocol, end to end."""

from __future__ import annotations

from conformance.groups import LONG_MS, SHORT_MS, Group, subscription
from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import heartbeat, join_group, leave_group, sync_group


def protocols(*names: str, of: str = "") -> list[join_group.JoinGroupRequestProtocol]:
    return [join_group.JoinGroupRequestProtocol(name=name, metadata=f"{name}{of}".encode()) for name in names]


@case
def a_life_in_every_version(kafka: Kafka) -> None:
    """Join, sync, heartbeat, join again, leave: one member alone."""
    for version in versions(join_group):
        group = Group(kafka, f"g{version}")
        member = group.member(version=version)
        member.enter()
        member.heartbeat(version=min(version, 4))
        member.sync({member.id: b"all"}, version=min(version, 5))
        member.heartbeat(version=min(version, 4))
        member.join()
        member.sync({member.id: b"more"}, version=min(version, 5))
        member.leave(version=min(version, 5))
        group.until("Empty", 0)


@case
def what_is_wrong_with_a_join(kafka: Kafka) -> None:
    """Group ids, member ids, session time-outs and protocols that are refused, in every version."""
    group = Group(kafka)
    for version in versions(join_group):
        member = group.member(version=version)
        member.join(group_id="")
        member.join(member_id="nobody")
        for session_timeout_ms in -1, 0, SHORT_MS - 1, 1_800_001, 2_147_483_647:
            member.join(session_timeout_ms=session_timeout_ms)
        member.join(protocol_type="")
        member.join(protocols=[])
        member.join(group_id="", member_id="nobody", session_timeout_ms=0, protocols=[])
        member.join(group_instance_id="", member_id="nobody")
        member.join(member_id="nobody", group_instance_id="nobody")


@case
def an_id_must_come_back(kafka: Kafka) -> None:
    """MEMBER_ID_REQUIRED, the second JoinGroup, and others' ids."""
    for version in range(4, 10):
        group = Group(kafka, f"g{version}")
        member = group.member(version=version)
        member.join()
        member.heartbeat()
        member.sync()
        member.commit(kafka.topic(name=f"t{version}"))
        group.until("Empty", 0)
        member.join(group_instance_id="an instance")
        member.join(member_id="m-00000000-0000-0000-0000-000000000000")
        member.join()
        member.sync({member.id: b"all"})
        member.leave()


@case
def an_id_that_leaves_before_it_joins(kafka: Kafka) -> None:
    """LeaveGroup of a member that got its id and never joined with it."""
    group = Group(kafka)
    member = group.member()
    member.join()
    member.leave()
    member.join()
    other = group.member("other")
    other.join()
    other.leave(version=2)
    other.leave(version=2)


@case
def an_id_that_never_comes_is_forgotten(kafka: Kafka) -> None:
    """A member that got its id has its session time-out to join with it."""
    group = Group(kafka)
    member = group.member()
    member.join(session_timeout_ms=SHORT_MS)
    other = group.member("other")
    other.enter()
    other.sync({other.id: b"all"})
    group.until("Stable", 1)


@case
def protocols_that_do_not_go_together(kafka: Kafka) -> None:
    """Another protocol type, no protocol in common, and what is chosen of several in common."""
    for version in versions(join_group):
        group = Group(kafka, f"g{version}")
        one = group.member("one", version=version, protocols=protocols("a", "b", "c"))
        one.enter()
        two = group.member("two", version=version)
        two.join(protocols=protocols("x", "y"))
        two.join(protocols=protocols("a"), protocol_type="connect")
        two.begin(protocols=protocols("x", "c", "b", of="two"))
        group.until("PreparingRebalance", 2)
        one.send_join()
        one.joined()
        two.joined()
        one.send_sync({one.id: b"1", two.id: b"2"}, protocol_name="b")
        one.synced()
        two.sync(protocol_name="b")
        one.leave()
        two.leave()


@case
def the_protocol_with_most_votes(kafka: Kafka) -> None:
    """Three members vote: each for the first of its list that all have."""
    group = Group(kafka)
    lists = [("a", "b"), ("b", "a"), ("b", "a", "c")]
    one, two, three = (
        group.member(str(number), protocols=protocols(*names, of=str(number))) for number, names in enumerate(lists)
    )
    one.enter()
    two.begin()
    group.until("PreparingRebalance", 2)
    three.begin()
    group.until("PreparingRebalance", 3)
    one.join()
    two.joined()
    three.joined()


@case
def a_group_that_is_no_consumer(kafka: Kafka) -> None:
    """Another protocol type, described and asked for offsets."""
    group = Group(kafka)
    worker = group.member(protocol_type="connect", protocols=protocols("sessioned", "compatible"))
    worker.enter()
    worker.sync({worker.id: b"x"}, protocol_type="connect", protocol_name="sessioned")
    group.until("Stable", 1)
    worker.leave()
    group.until("Empty", 0)
    consumer = group.member("consumer")
    consumer.enter()


@case
def a_full_group(kafka: Kafka) -> None:
    """group.max.size members are there: one more, in every state and version."""
    for version in versions(join_group):
        group = Group(kafka, f"g{version}")
        one, two, three, four = (group.member(name, version=version) for name in ("one", "two", "three", "four"))
        one.enter()
        two.begin()
        group.until("PreparingRebalance", 2)
        three.begin()
        group.until("PreparingRebalance", 3)
        one.join()
        two.joined()
        three.joined()
        four.begin()
        four.joined()
        four.join(group_instance_id="an instance")
        group.share(one, two, three)
        four.begin()
        four.joined()
        group.until("Stable", 3)
        three.leave()
        four.begin()
        group.until("PreparingRebalance", 3)
        one.send_join()
        two.join()
        one.joined()
        four.joined()


@case
def what_is_wrong_with_a_sync(kafka: Kafka) -> None:
    """Unknown groups and members, wrong generations, other protocols, in every version."""
    group = Group(kafka)
    member = group.member()
    member.enter()
    for version in versions(sync_group):
        member.sync(version=version, group_id="")
        member.sync(version=version, group_id=kafka.name("other"))
        member.sync(version=version, member_id="")
        member.sync(version=version, member_id="nobody")
        for generation in -1, 0, 2:
            member.sync(version=version, generation_id=generation)
        if version >= 5:
            member.sync(version=version, protocol_type="connect")
            member.sync(version=version, protocol_name="roundrobin")
            member.sync(version=version, protocol_type=None)
            member.sync(version=version, protocol_name=None)
            member.sync(version=version, protocol_name="", protocol_type="")
        if version >= 3:
            member.sync(version=version, group_instance_id="nobody")
    member.sync({member.id: b"all", "nobody": b"some"})
    for version in versions(sync_group):
        member.sync({member.id: b"other"}, version=version)


@case
def what_is_wrong_with_a_heartbeat(kafka: Kafka) -> None:
    """Unknown groups and members and wrong generations, in every state and version."""
    group = Group(kafka)
    member = group.member()
    for round_ in range(3):
        for version in versions(heartbeat):
            member.heartbeat(version=version, group_id="")
            member.heartbeat(version=version, group_id=kafka.name("other"))
            member.heartbeat(version=version, member_id="")
            member.heartbeat(version=version, member_id="nobody")
            member.heartbeat(version=version)
            for generation in -1, 0, 2:
                member.heartbeat(version=version, generation_id=generation)
            if version >= 3:
                member.heartbeat(version=version, group_instance_id="nobody")
        if round_ == 0:
            member.enter()
        else:
            member.sync({member.id: b"all"})


@case
def what_is_wrong_with_leaving(kafka: Kafka) -> None:
    """Unknown groups and members, and several members in one request, in every version."""
    group = Group(kafka)
    for version in versions(leave_group):
        one = group.member("one")
        one.leave(version=version, group_id="") if version < 3 else None
        one.leave(version=version, member_id="nobody")
        one.leave(version=version, member_id="")
        one.enter()
        one.leave(version=version, member_id="nobody")
        one.leave(version=version)
        one.leave(version=version)
        group.until("Empty", 0)
    a = kafka.connect()
    one = group.member("one")
    one.enter()
    for version in range(3, 6):
        for members in [], [""], ["nobody", one.id, "nobody", one.id]:
            request = leave_group.LeaveGroupRequest(
                group_id=group.id, members=[leave_group.MemberIdentity(member_id=member) for member in members]
            )
            a.call(leave_group, request, version)
        a.call(leave_group, leave_group.LeaveGroupRequest(group_id=""), version)
        a.call(leave_group, leave_group.LeaveGroupRequest(group_id=kafka.name("other")), version)
        one.id = ""
        one.enter()


@case
def metadata_that_is_no_subscription(kafka: Kafka) -> None:
    """Members of type consumer may bring any bytes."""
    group = Group(kafka)
    for metadata in b"", b"\x00", subscription("t"):
        protocol = join_group.JoinGroupRequestProtocol(name="range", metadata=metadata)
        member = group.member(protocols=[protocol])
        member.enter()
        member.sync({member.id: b"all"})
        group.until("Stable", 1)
        member.leave()


@case
def a_rebalance_time_out_of_any_length(kafka: Kafka) -> None:
    """Zero and negative ones are allowed."""
    for rebalance_timeout_ms in 0, -1, LONG_MS, 2_147_483_647:
        group = Group(kafka, f"g{rebalance_timeout_ms}")
        member = group.member()
        member.enter(rebalance_timeout_ms=rebalance_timeout_ms)


@case
def what_the_leader_forgets(kafka: Kafka) -> None:
    """No assignments, an empty one, some for others, and those of two members: of consumers, and of others."""
    for protocol_type in "consumer", "connect":
        group = Group(kafka, protocol_type)
        one = group.member("one", protocol_type=protocol_type)
        for assignments in {}, {"nobody": b"some"}, {"": b"some"}, {None: b""}, {None: b"all"}:
            one.enter()
            one.sync({member or one.id: share for member, share in assignments.items()}, protocol_type=protocol_type)
            one.heartbeat()
        one.enter()
        two = group.member("two", protocol_type=protocol_type)
        two.begin()
        group.until("PreparingRebalance", 2)
        one.join()
        two.joined()
        two.send_sync(protocol_type=protocol_type)
        one.sync({one.id: b"all"}, protocol_type=protocol_type)
        two.synced()
        two.heartbeat()


@case
def an_assignment_twice(kafka: Kafka) -> None:
    """A member twice in one SyncGroup; long reasons."""
    for version in versions(join_group):
        group = Group(kafka, f"g{version}")
        member = group.member(version=version)
        member.enter(reason="r" * 300)
        shares = [
            sync_group.SyncGroupRequestAssignment(member_id=member.id, assignment=share)
            for share in (b"first", b"second")
        ]
        request = sync_group.SyncGroupRequest(
            group_id=group.id,
            generation_id=member.generation,
            member_id=member.id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=shares,
        )
        member.wire.call(sync_group, request, min(version, 5))
        group.until("Stable", 1)
        member.leave(version=5, reason="r" * 300)


@case
def names_of_any_kind(kafka: Kafka) -> None:
    """Group ids, client ids and protocols that are long, empty or in other letters."""
    for name in "ü", " ", "x" * 200, "a\nb":
        group = Group(kafka, name)
        member = group.member(name)
        member.enter(protocols=[join_group.JoinGroupRequestProtocol(name=name, metadata=b"1")])
        member.sync({member.id: b"all"}, protocol_name=name)
        group.until("Stable", 1)
    group = Group(kafka, "clients")
    for client_id in None, "":
        nameless = group.member("nameless")
        nameless.wire = kafka.connect(client_id)
        nameless.enter()
        nameless.sync({nameless.id: b"all"})
        group.until("Stable", 1)
        nameless.leave()
