"""Groups of Apache Kafka's own consumers: every assignor, static members, and members and brokers that come and go."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from clients.flow import Flow
from clients.groups import Member, Tally, share
from clients.programs import JavaDriver
from clients.records import numbered
from clients.remote import RemoteFailed
from clients.results import Telling

pytestmark = pytest.mark.compat

PARTITION_COUNT = 6
HEARTBEAT_MS = 300
ASSIGNORS = ["range", "roundrobin", "sticky", "cooperative-sticky"]


@pytest.fixture(scope="module")
def java(bootstrap):
    """One JVM for all tests that can share a broker."""
    driver = JavaDriver(bootstrap)
    yield driver
    driver.close()


@pytest.fixture
def driver(java, request):
    """Apache Kafka's client; the table of clients is told of the test."""
    Telling(request.node).client(java)
    return java


class Group:
    """Members of one group, who may be replaced while records flow."""

    def __init__(self, driver: JavaDriver, topic: str, name: str, stack: ExitStack) -> None:
        self.members: list[Member] = []
        self.tally = Tally()
        self._driver = driver
        self._topic = topic
        self._name = name
        self._stack = stack

    def join(self, settings: Mapping[str, Any]) -> Member:
        """Let a member join and wait until all have their share."""
        name = f"member-{len(self.members)}"
        # Members hear of a rebalance when their hearts beat: by default every three seconds.
        settings = {"properties": {"heartbeat.interval.ms": HEARTBEAT_MS}, **settings}
        make = lambda: self._driver.consumer(self._topic, group=self._name, settings=settings)  # noqa: E731
        member = self._stack.enter_context(Member(name, self.tally, make))
        self.members.append(member)
        self.settle(f"{name} has its share")
        return member

    def leave(self, member: Member) -> None:
        """Let a member leave."""
        member.leave()
        self.members.remove(member)

    def settle(self, what: str) -> None:
        """Wait until the members share the partitions."""
        self.tally.wait_until(lambda: share(self.members, PARTITION_COUNT), what)

    def go_on(self, count: int = 100) -> None:
        """Wait until so many more records came."""
        enough = self.tally.count + count
        self.tally.wait_until(lambda: self.tally.count >= enough, f"{count} more records came")


@contextmanager
def flowing(driver: JavaDriver, topic: str, name: str) -> Iterator[Group]:
    """Yield a group that is to have members while records flow; at the end they have had all of them."""
    driver.create_topic(topic, PARTITION_COUNT)
    with ExitStack() as stack:
        group = Group(driver, topic, name, stack)
        with Flow(driver, topic, PARTITION_COUNT) as flow:
            yield group
            sent = flow.stop()
            group.tally.wait_until(lambda: group.tally.count == sent, "everything was delivered")
    flow.check(group.tally)


@pytest.mark.parametrize("assignor", ASSIGNORS)
def test_members_are_replaced_one_after_the_other_while_records_flow(driver, topic, group, assignor):
    settings = {"assignor": assignor}
    with flowing(driver, topic, group) as members:
        for _ in range(3):
            members.join(settings)
        for member in list(members.members):
            members.go_on()
            members.leave(member)
            members.settle("the others take over")
            members.join(settings)
        members.go_on()


def test_who_stays_keeps_partitions_with_the_cooperative_assignor(driver, topic, group):
    settings = {"assignor": "cooperative-sticky"}
    with flowing(driver, topic, group) as members:
        stays, leaves = members.join(settings), members.join(settings)
        shares = len(stays.assignments)
        members.leave(leaves)
        members.settle("one has all")
        members.join(settings)
        members.go_on()
        seen = stays.assignments[shares - 1 :]

    # Three, these and three more, and three again; never none.
    assert [len(held) for held, _ in itertools.groupby(seen)] == [3, 6, 3]
    for before, after in itertools.pairwise(seen):
        assert before <= after or after <= before


def test_everybody_lets_go_of_everything_with_an_eager_assignor(driver, topic, group):
    settings = {"assignor": "range"}
    with flowing(driver, topic, group) as members:
        first = members.join(settings)
        alone = len(first.assignments)
        members.join(settings)
        seen = first.assignments[alone:]

    assert frozenset() in seen


def test_static_members_are_restarted_without_a_rebalance(driver, topic, group):
    with flowing(driver, topic, group) as members:
        names = ["one", "two", "three"]
        for name in names:
            members.join({"instance": name})
        before = {name: (member.held, member) for name, member in zip(names, members.members, strict=True)}
        for name in names:
            held, member = before[name]
            others = [each for each in members.members if each is not member]
            histories = [each.assignments for each in others]
            members.go_on()
            members.leave(member)
            again = members.join({"instance": name})
            members.go_on()

            assert again.held == held
            assert [each.assignments for each in others] == histories


def test_a_group_is_led_from_an_eager_to_the_cooperative_assignor(driver, topic, group):
    with flowing(driver, topic, group) as members:
        for _ in range(2):
            members.join({"assignor": "range"})
        for assignors in ("cooperative-sticky,range", "cooperative-sticky"):
            for member in list(members.members):
                members.leave(member)
                members.join({"assignor": assignors})
            members.go_on()
        stays = members.members[0]
        history = len(stays.assignments)
        members.join({"assignor": "cooperative-sticky"})
        seen = stays.assignments[history:]

    assert frozenset() not in seen


def test_members_that_agree_on_no_assignor_do_not_disturb_the_group(driver, topic, group):
    with flowing(driver, topic, group) as members:
        members.join({"assignor": "range"})
        stranger = driver.consumer(topic, group=group, settings={"assignor": "roundrobin"})
        try:
            stranger.subscribe()
            with pytest.raises(RemoteFailed, match="InconsistentGroupProtocolException"):
                while True:
                    stranger.poll()
        finally:
            stranger.close()
        members.go_on()


def test_the_second_of_a_static_name_takes_the_place_of_the_first(driver, topic, group):
    driver.create_topic(topic, 1)
    first, second = (driver.consumer(topic, group=group, settings={"instance": "only"}) for _ in range(2))
    try:
        first.subscribe()
        while not first.assignments:
            first.poll()
        second.subscribe()
        while not second.assignments:
            second.poll()
        with pytest.raises(RemoteFailed, match="FencedInstanceIdException"):
            while True:
                first.poll()
    finally:
        second.close()


def test_a_broker_is_restarted_under_load(own_broker, request, topic, group):
    driver = JavaDriver(own_broker.bootstrap)
    Telling(request.node).client(driver)
    try:
        with flowing(driver, topic, group) as members:
            for _ in range(2):
                members.join({})
            for _ in range(3):
                members.go_on()
                own_broker.restart()
            members.go_on()
    finally:
        driver.close()


def test_the_new_group_protocol_is_refused_with_what_to_do_instead(driver, topic, group, fleuve_only):
    driver.create_topic(topic, 1)
    driver.produce(topic, numbered(1, 1))
    consumer = driver.consumer(topic, group=group, settings={"properties": {"group.protocol": "consumer"}})
    try:
        consumer.subscribe()
        with pytest.raises(
            RemoteFailed, match="does not support the new CONSUMER group protocol. Set group.protocol=cla"
        ):
            while True:
                consumer.poll()
    finally:
        consumer.close()
