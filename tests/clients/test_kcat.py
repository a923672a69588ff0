"""Debian's kcat, with an old librdkafka, does everything that it can do with a broker."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from random import Random

import pytest

from clients.confluent import ConfluentDriver
from clients.driver import TIMEOUT_S
from clients.groups import share
from clients.kcat import Kcat, KcatMember
from clients.records import LARGE_SIZE_BYTES, TIMESTAMP_FIRST_MS, numbered
from clients.scenarios import CODECS, Crashes, create, read_all
from clients.shortcomings import COMMITTING, CREATING_TOPICS, TIMESTAMPS
from clients.waiting import wait_until


@pytest.fixture
def connect(telling):
    def connect(bootstrap: str) -> Kcat:
        found = Kcat(bootstrap)
        telling.client(found)
        return found

    return connect


@pytest.fixture
def kcat(connect, bootstrap):
    return connect(bootstrap)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_produced_is_read_back_byte_for_byte(kcat, telling, bootstrap, topic, tmp_path, codec):
    telling.lacking(kcat, CREATING_TOPICS, TIMESTAMPS)
    begun_ms = int(time.time() * 1000)
    large = Random(43).randbytes(LARGE_SIZE_BYTES)
    (tmp_path / "large").write_bytes(large)
    lines = b"".join(b"k%d:v%d\n" % (number, number) for number in range(100))

    kcat.produce(topic, "-z", codec, "-K", ":", stdin=lines)
    kcat.produce(topic, "-z", codec, "-k", "key", "-H", "one=1", "-H", "two=2", stdin=b"with headers")
    kcat.produce(topic, "-z", codec, "-H", "null", stdin=b"with a header's name")
    kcat.produce(topic, "-z", codec, tmp_path / "large")
    kcat.produce(topic, "-z", codec, "-Z", "-K", ":", stdin=b"no value:\n:no key\n:\n")

    written = [
        *((b"k%d" % number, b"v%d" % number, ()) for number in range(100)),
        (b"key", b"with headers", (("one", b"1"), ("two", b"2"))),
        (None, b"with a header's name", (("null", None),)),
        (None, large, ()),
        (b"no value", None, ()),
        (None, b"no key", ()),
        (None, None, ()),
    ]
    for delivered in (kcat.read_all(topic), read_all(ConfluentDriver(bootstrap), topic, [0], len(written))):
        assert [(each.key, each.value, each.headers) for each in delivered] == written
        assert [each.offset for each in delivered] == list(range(len(written)))
        assert all(begun_ms <= each.timestamp_ms <= time.time() * 1000 for each in delivered)


def test_a_topic_comes_with_its_first_record(kcat, topic):
    kcat.produce(topic, stdin=b"first\nsecond\n")
    assert [each.value for each in kcat.read_all(topic)] == [b"first", b"second"]


def test_a_group_of_three_goes_on_while_one_joins_and_one_leaves(kcat, telling, bootstrap, topic, group, tmp_path):
    telling.lacking(kcat, CREATING_TOPICS, COMMITTING)
    driver = ConfluentDriver(bootstrap)
    create(driver, topic, 6)
    driver.produce(topic, numbered(300, 6))
    with ExitStack() as stack:
        first, second, third, fourth = members = [
            kcat.member(tmp_path, name, topic, group) for name in ("first", "second", "third", "fourth")
        ]

        def delivered() -> set[tuple[int, int, bytes]]:
            return {record for member in members for record in member.delivered}

        for member in (first, second, third):
            stack.enter_context(member)
        wait_until(lambda: share([first, second, third], 6), "three members share the partitions")
        driver.produce(topic, numbered(300, 6, start=300))
        stack.enter_context(fourth)
        wait_until(lambda: share(members, 6), "the fourth has its share")
        driver.produce(topic, numbered(300, 6, start=600))
        # A record that comes while kcat is stopped is committed and not written.
        wait_until(lambda: len(delivered()) == 900, "the first has nothing left to write")
        first.leave()
        wait_until(lambda: share([second, third, fourth], 6), "three share what the first left")
        driver.produce(topic, numbered(300, 6, start=900))
        wait_until(lambda: len(delivered()) == 1200, "every record was delivered")
    assert delivered() == {(number % 6, number // 6, b"%d" % number) for number in range(1200)}
    assert committed(bootstrap, topic, group, 6) == [200] * 6


def test_a_consumer_that_comes_back_goes_on_where_it_had_committed(kcat, topic, group):
    kcat.produce(topic, stdin=b"".join(b"%d\n" % number for number in range(100)))

    before = kcat.read_in_group(topic, group, 40)
    after = kcat.read_in_group(topic, group, 60)

    assert [each.offset for each in before + after] == list(range(100))


def test_a_consumer_commits_by_itself_what_it_read_before_it_closed(kcat, bootstrap, topic, group):
    kcat.produce(topic, stdin=b"".join(b"%d\n" % number for number in range(100)))
    kcat.read_in_group(topic, group, 100)
    assert committed(bootstrap, topic, group, 1) == [100]


def committed(bootstrap: str, topic: str, group: str, partition_count: int) -> list[int | None]:
    consumer = ConfluentDriver(bootstrap).consumer(topic, group=group)
    try:
        return [consumer.committed(partition) for partition in range(partition_count)]
    finally:
        consumer.close()


def test_a_static_member_comes_back_without_a_rebalance(kcat, telling, bootstrap, topic, group, tmp_path):
    telling.lacking(kcat, CREATING_TOPICS)
    driver = ConfluentDriver(bootstrap)
    create(driver, topic, 4)

    def member(name: str, instance: str) -> KcatMember:
        return kcat.member(tmp_path, name, topic, group, "-X", f"group.instance.id={instance}")

    with member("one", "one") as one:
        with member("two", "two") as two:
            wait_until(lambda: share([one, two], 4), "the two share the partitions")
            held, assignments_of_one = two.held, one.assignments
        with member("again", "two") as again:
            driver.produce(topic, numbered(40, 4))
            wait_until(lambda: len(one.delivered + again.delivered) == 40, "every record was delivered")
            assert again.held == held
            assert one.assignments == assignments_of_one


def test_an_idempotent_producer_writes_once_and_in_order_through_crashes(own_broker, connect, topic):
    kcat = connect(own_broker.bootstrap)
    written = numbered(3_000, 1)
    with kcat.feed(topic, "-X", "enable.idempotence=true") as feeding, Crashes(own_broker) as crashes:
        for record in crashes.among(written, every=1_000, at=500):
            feeding.stdin.write(record.value + b"\n")
            feeding.stdin.flush()
        _, complaints = feeding.communicate(timeout=TIMEOUT_S)
        assert feeding.returncode == 0, complaints.decode()

    assert [each.value for each in kcat.read_all(topic)] == [record.value for record in written]


def test_a_group_goes_on_where_it_had_committed_before_a_crash(own_broker, connect, topic, group):
    kcat = connect(own_broker.bootstrap)
    kcat.produce(topic, stdin=b"".join(b"%d\n" % number for number in range(100)))
    before = kcat.read_in_group(topic, group, 40)
    own_broker.kill()
    own_broker.start()
    after = kcat.read_in_group(topic, group, 60)

    assert [each.offset for each in before + after] == list(range(100))


def test_a_consumer_finds_its_place_by_time(kcat, telling, bootstrap, topic):
    telling.lacking(kcat, TIMESTAMPS)
    ConfluentDriver(bootstrap).produce(topic, numbered(1000, 1))
    wanted_ms = TIMESTAMP_FIRST_MS + 600 * 1_000

    assert kcat.run("-Q", "-t", f"{topic}:0:{wanted_ms - 1}").split() == [topic.encode(), b"[0]", b"offset", b"600"]
    between = kcat.read_all(topic, "-o", f"s@{wanted_ms}", "-o", f"e@{wanted_ms + 3_000}")
    assert [each.offset for each in between] == [600, 601, 602]


def test_the_cluster_and_its_topics_are_listed(kcat, bootstrap, topic):
    kcat.produce(topic, stdin=b"a")
    found = json.loads(kcat.run("-L", "-J"))
    [broker] = found["brokers"]
    assert broker["name"] == bootstrap
    assert found["controllerid"] == broker["id"]
    assert topic in {each["topic"] for each in found["topics"]}


def test_a_transactional_producer_is_refused_at_once(fleuve_only, kcat, topic):
    done = kcat.attempt("-P", "-t", topic, "-X", "transactional.id=mine", stdin=b"a")
    assert done.returncode != 0
    assert b"Transactional Id authorization failed" in done.stderr
