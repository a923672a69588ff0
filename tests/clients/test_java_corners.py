"""What Apache Kafka's own client does besides: it splits batches, outlives topics, comes late, and more."""

from __future__ import annotations

import pytest

from clients.groups import Member, Tally
from clients.programs import JavaDriver
from clients.records import TIMESTAMP_FIRST_MS, Written, numbered
from clients.remote import RemoteFailed
from clients.results import Telling
from clients.scenarios import read, read_all

pytestmark = pytest.mark.compat


@pytest.fixture(scope="module")
def java(bootstrap):
    driver = JavaDriver(bootstrap)
    yield driver
    driver.close()


@pytest.fixture
def driver(java, request):
    Telling(request.node).client(java)
    return java


def properties(**names):
    """Return settings with these properties of Kafka's; `_` stands for `.`."""
    return {"properties": {name.replace("_", "."): value for name, value in names.items()}}


def test_batches_too_large_for_the_topic_are_split_and_written_once(driver, topic):
    driver.create_topic(topic, 1)
    # The topic takes 1 MB, and so many records come in one batch of up to 3 MB.
    written = [Written(0, None, b"%06d" % number * 50, (), TIMESTAMP_FIRST_MS) for number in range(9_000)]
    settings = properties(batch_size=3_000_000, linger_ms=2_000, max_request_size=4_000_000)

    offsets = driver.produce(topic, written, settings=settings)

    assert offsets == list(range(9_000))
    assert [each.value for each in read_all(driver, topic, [0], 9_000)] == [each.value for each in written]


def test_a_record_too_large_for_the_topic_is_refused_and_the_rest_goes_on(driver, topic):
    driver.create_topic(topic, 1)
    producer = driver.producer(topic, settings=properties(max_request_size=4_000_000))
    try:
        producer.send([Written(0, None, b"x" * 2_000_000, (), TIMESTAMP_FIRST_MS)])
        with pytest.raises(RemoteFailed, match="RecordTooLargeException"):
            producer.flush()
    finally:
        producer.close()
    assert driver.produce(topic, numbered(1, 1)) == [0]


def test_a_producer_goes_on_when_its_topic_was_deleted_and_made_again(driver, topic):
    driver.create_topic(topic, 1)
    producer = driver.producer(topic)
    try:
        producer.send(numbered(10, 1))
        before = producer.flush()
        driver.delete_topic(topic)
        driver.create_topic(topic, 1)
        producer.send(numbered(10, 1, start=10))
        after = producer.flush()
    finally:
        producer.close()

    assert before == after == list(range(10))
    assert [each.value for each in read_all(driver, topic, [0], 10)] == [b"%d" % number for number in range(10, 20)]


def test_a_consumer_goes_on_when_its_topic_was_deleted_and_made_again(driver, topic, group):
    driver.create_topic(topic, 1)
    driver.produce(topic, numbered(10, 1))
    # By default a consumer brings the topic back that it misses.
    settings = properties(metadata_max_age_ms=500, allow_auto_create_topics="false")
    consumer = driver.consumer(topic, group=group, settings=settings)
    try:
        consumer.subscribe()
        assert len(read(consumer, 10)) == 10
        driver.delete_topic(topic)
        driver.create_topic(topic, 1)
        driver.produce(topic, numbered(5, 1, start=10))
        found = read(consumer, 5)
    finally:
        consumer.close()

    assert [each.value for each in found] == [b"%d" % number for number in range(10, 15)]


@pytest.mark.parametrize(("reset", "found"), [("earliest", 0), ("by_duration:PT12H", 30)])
def test_a_group_begins_where_auto_offset_reset_says(driver, topic, group, reset, found):
    driver.create_topic(topic, 1)
    yesterday_ms = TIMESTAMP_FIRST_MS - 86_400_000
    driver.produce(topic, [Written(0, None, b"old", (), yesterday_ms)] * 30)
    driver.produce(topic, [Written(0, None, b"new", (), TIMESTAMP_FIRST_MS)] * 30)
    consumer = driver.consumer(topic, group=group, settings=properties(auto_offset_reset=reset))
    try:
        consumer.subscribe()
        assert read(consumer, 1)[0].offset == found
    finally:
        consumer.close()


def test_a_group_without_offsets_may_refuse_to_begin(driver, topic, group):
    driver.create_topic(topic, 1)
    consumer = driver.consumer(topic, group=group, settings=properties(auto_offset_reset="none"))
    try:
        consumer.subscribe()
        with pytest.raises(RemoteFailed, match="NoOffsetForPartitionException"):
            read(consumer, 1)
    finally:
        consumer.close()


def test_records_come_one_by_one_through_the_smallest_limits(driver, topic):
    driver.create_topic(topic, 2)
    written = [Written(number % 2, None, b"x" * 900_000, (), TIMESTAMP_FIRST_MS) for number in range(4)]
    written += numbered(100, 2)
    driver.produce(topic, written)
    consumer = driver.consumer(topic, settings=properties(max_partition_fetch_bytes=1, fetch_max_bytes=1))
    try:
        consumer.assign([0, 1])
        assert len(read(consumer, len(written))) == len(written)
    finally:
        consumer.close()


def test_a_topic_that_comes_later_is_read_by_who_reads_a_pattern(driver, topic, group):
    driver.create_topic(f"{topic}-a", 1)
    driver.produce(f"{topic}-a", numbered(5, 1))
    consumer = driver.consumer_of(f"{topic}-.*", group, properties(metadata_max_age_ms=500))
    try:
        first = read(consumer, 5)
        assert consumer.commit()
        driver.create_topic(f"{topic}-b", 1)
        driver.produce(f"{topic}-b", numbered(5, 1, start=5))
        second = read(consumer, 5)
    finally:
        consumer.close()

    assert [each.value for each in first + second] == [b"%d" % number for number in range(10)]


def test_an_administrator_removes_a_static_member(driver, topic, group):
    driver.create_topic(topic, 2)
    tally = Tally()

    def member(name: str) -> Member:
        settings = {"instance": name, **properties(heartbeat_interval_ms=300)}
        return Member(name, tally, lambda: driver.consumer(topic, group=group, settings=settings))

    with member("stays") as stays:
        with member("goes") as goes:
            tally.wait_until(lambda: len(stays.held) == len(goes.held) == 1, "each has its share")
        # It is gone, and its place is kept until it is given up.
        driver.remove_static_member(group, "goes")
        tally.wait_until(lambda: stays.held == {0, 1}, "who stays has everything")


def test_a_member_that_does_not_poll_in_time_makes_room_and_comes_back(driver, topic, group):
    driver.create_topic(topic, 2)
    tally = Tally()
    late = driver.consumer(
        topic, group=group, settings=properties(max_poll_interval_ms=1_000, heartbeat_interval_ms=300)
    )
    try:
        late.subscribe()
        while not late.assignments:
            late.poll()
        settings = properties(heartbeat_interval_ms=300)
        with Member("punctual", tally, lambda: driver.consumer(topic, group=group, settings=settings)) as punctual:
            tally.wait_until(lambda: punctual.held == {0, 1}, "the punctual one has everything")
            assert not late.commit()
            tally.wait_until(lambda: len(punctual.held) == 1 or late.poll(0.1) != [], "the late one is back")
    finally:
        late.close()


def test_transactions_are_refused_at_once(driver, topic, fleuve_only):
    driver.create_topic(topic, 1)
    producer = driver.producer(topic, settings=properties(transactional_id="t"))
    try:
        with pytest.raises(RemoteFailed, match="TransactionalIdAuthorizationException"):
            producer.ask("begin_transactions")
    finally:
        producer.close()
