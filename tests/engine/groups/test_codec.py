"""The stored state of a group, and what members say of their subscriptions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.base.ids import GroupId
from fleuve.engine.groups import codec
from fleuve.engine.groups.errors import GroupError
from fleuve.engine.groups.state import Phase, check_invariants
from fleuve.engine.groups.subscription import subscribed_topics
from fleuve.ports.errors import CorruptState
from support.groups import GroupDriver, protocols, subscription

GOLDEN_V1 = bytes.fromhex(
    "01000000010000018bcfe56800"
    "00000008636f6e73756d6572"
    "0000000572616e6765"
    "000000026d31"
    "00000001"
    "000000026d3100000001690000000163000000012f"
    "000027100000ea60"
    "000000026d31"
    "000000010000000572616e67650000000d00000000000100017400000000"
)  # fmt: skip
"""A group as the first release stores it: it must be readable for ever."""


def stable(**fields):
    driver = GroupDriver()
    driver.stable(2, **fields)
    return driver.stored


def test_a_stable_group_comes_back_as_it_was():
    driver = GroupDriver()
    waiters = [driver.join(), driver.join(instance_id="i", protocols=protocols("sticky", "range"))]
    driver.advance(0)
    driver.settle(waiters)
    again = codec.decode(GroupId("g"), codec.encode(driver.group))
    assert again.phase is Phase.STABLE
    assert again.generation == 1
    assert again.leader_id == driver.group.leader_id
    assert again.protocol_name == "range"
    assert again.subscribed_topics == frozenset({"t"})
    assert again.instances == driver.group.instances
    assert again.protocol_counts == driver.group.protocol_counts
    assert [member.assignment for member in again.members.values()] == [b"m1", b"m2"]
    assert [member.protocols for member in again.members.values()] == [
        member.protocols for member in driver.group.members.values()
    ]


def test_an_empty_group_comes_back_empty():
    driver = GroupDriver()
    (member,) = driver.stable(1)
    driver.leave(member.member_id)
    again = codec.decode(GroupId("g"), codec.encode(driver.group))
    check_invariants(again)
    assert again.exists
    assert again.phase is Phase.EMPTY
    assert again.generation == 2
    assert again.protocol_type == "consumer"
    assert again.state_since == driver.group.state_since


def test_the_first_releases_format_can_be_read():
    group = codec.decode(GroupId("g"), GOLDEN_V1)
    (member,) = group.members.values()
    assert (group.generation, group.leader_id, member.instance_id) == (1, "m1", "i")
    assert (member.session_timeout_ms, member.rebalance_timeout_ms) == (10_000, 60_000)
    assert codec.encode(group) == GOLDEN_V1


def test_a_newer_format_is_refused_by_name():
    data = bytes([99]) + codec.encode(stable())[1:]
    with pytest.raises(CorruptState, match="format 99"):
        codec.decode(GroupId("g"), data)


def test_bytes_too_many_or_too_few_are_damage():
    for damaged in (GOLDEN_V1 + b"x", GOLDEN_V1[:-1], b""):
        with pytest.raises(CorruptState):
            codec.decode(GroupId("g"), damaged)


@given(data=st.data())
def test_damaged_state_is_an_error_and_nothing_else(data):
    intact = bytearray(codec.encode(stable()))
    for _ in range(data.draw(st.integers(1, 4))):
        intact[data.draw(st.integers(0, len(intact) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(intact)))
    for damaged in (bytes(intact), bytes(intact[:cut])):
        try:
            codec.decode(GroupId("g"), damaged)
        except CorruptState:
            pass


@given(st.binary(max_size=60))
def test_any_bytes_are_a_subscription_or_not_known(metadata):
    assert isinstance(subscribed_topics("consumer", [metadata]), frozenset | None)


def test_subscriptions_are_read_whatever_comes_behind_the_topics():
    known = subscription("a", "b") + b"owned partitions, generation, rack"
    assert subscribed_topics("consumer", [known, subscription("c")]) == frozenset("abc")
    newer = b"\x00\x09" + known[2:]
    assert subscribed_topics("consumer", [newer]) == frozenset("ab")


def test_only_consumers_have_subscriptions():
    assert subscribed_topics("connect", [subscription("a")]) is None
    assert subscribed_topics(None, []) is None
    assert subscribed_topics("consumer", []) == frozenset()


@given(metadata=st.binary(max_size=30), other=st.text(max_size=5))
def test_whatever_members_say_the_group_goes_on(metadata, other):
    driver = GroupDriver()
    driver.stable(1, protocols=protocols("range", metadata=metadata))
    try:
        driver.join(protocols=protocols("range", other, metadata=metadata))
    except GroupError:
        raise AssertionError("they share a protocol") from None
    assert driver.group.phase is Phase.PREPARING_REBALANCE
