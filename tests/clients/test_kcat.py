"""Debian's kcat, with an old librdkafka, does everything that it can do with a broker."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from random import Random

import pytest

from clients.confluent import ConfluentDriver
from clients.groups import share
from clients.kcat import Kcat
from clients.records import LARGE_SIZE_BYTES, TIMESTAMP_FIRST_MS, numbered
from clients.scenarios import CODECS
from clients.waiting import wait_until


@pytest.fixture
def kcat(bootstrap):
    return Kcat(bootstrap)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_produced_is_read_back_byte_for_byte(kcat, topic, tmp_path, codec):
    begun_ms = int(time.time() * 1000)
    large = Random(43).randbytes(LARGE_SIZE_BYTES)
    (tmp_path / "large").write_bytes(large)
    lines = b"".join(b"k%d:v%d\n" % (number, number) for number in range(100))

    kcat.produce(topic, "-z", codec, "-K", ":", stdin=lines)
    kcat.produce(topic, "-z", codec, "-k", "key", "-H", "one=1", "-H", "two=2", stdin=b"with headers")
    kcat.produce(topic, "-z", codec, tmp_path / "large")
    kcat.produce(topic, "-z", codec, "-Z", "-K", ":", stdin=b"no value:\n:no key\n")

    delivered = kcat.read_all(topic)
    assert [(each.key, each.value, each.headers) for each in delivered] == [
        *((b"k%d" % number, b"v%d" % number, ()) for number in range(100)),
        (b"key", b"with headers", (("one", b"1"), ("two", b"2"))),
        (None, large, ()),
        (b"no value", None, ()),
        (None, b"no key", ()),
    ]
    assert [each.offset for each in delivered] == list(range(104))
    assert all(begun_ms <= each.timestamp_ms <= time.time() * 1000 for each in delivered)


def test_an_idempotent_producer_is_served(kcat, topic):
    kcat.produce(topic, "-X", "enable.idempotence=true", stdin=b"a\nb\nc\n")
    assert [each.value for each in kcat.read_all(topic)] == [b"a", b"b", b"c"]


def test_a_group_of_three_goes_on_while_one_joins_and_one_leaves(kcat, bootstrap, topic, group, tmp_path):
    driver = ConfluentDriver(bootstrap)  # kcat cannot create a topic with several partitions.
    driver.create_topic(topic, 6)
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
    consumer = driver.consumer(topic, group=group)
    assert [consumer.committed(partition) for partition in range(6)] == [200] * 6
    consumer.close()


def test_a_consumer_that_comes_back_goes_on_where_it_had_committed(kcat, topic, group):
    kcat.produce(topic, stdin=b"".join(b"%d\n" % number for number in range(100)))

    before = kcat.read_in_group(topic, group, 40)
    after = kcat.read_in_group(topic, group, 60)

    assert [each.offset for each in before + after] == list(range(100))


def test_a_consumer_finds_its_place_by_time(kcat, bootstrap, topic):
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
