"""What every client must be able to do with a broker; each client's test file runs it with its driver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest

from clients.confluent import ConfluentDriver
from clients.driver import TIMEOUT_S, Consumer, Driver
from clients.groups import Member, Tally, share
from clients.records import (
    TIMESTAMP_FIRST_MS,
    Delivered,
    Written,
    by_partition,
    numbered,
    of_every_shape,
    without_empty_values,
)
from clients.results import Telling
from clients.shortcomings import (
    ACKNOWLEDGEMENTS,
    COMPRESSIONS,
    EMPTY_RECORDS,
    EMPTY_VALUES,
    IDEMPOTENCE,
    LATE_TIMES,
    NULL_HEADER_VALUES,
    READING_ALONE,
    RETRIES,
    STATIC_MEMBERS,
)
from clients.waiting import wait_until
from support.broker_process import BrokerProcess

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def read(consumer: Consumer, count: int) -> list[Delivered]:
    """Poll until `count` records came or the time is up, and return all that came."""
    records: list[Delivered] = []
    timer = threading.Event()
    alarm = threading.Timer(TIMEOUT_S, timer.set)
    alarm.start()
    try:
        while len(records) < count and not timer.is_set():
            records += consumer.poll()
    finally:
        alarm.cancel()
        alarm.join()
    return records


def read_all(driver: Driver, topic: str, partitions: Sequence[int], count: int) -> list[Delivered]:
    """Return `count` records from the start of these partitions, read without a group."""
    consumer = driver.consumer(topic)
    try:
        consumer.assign(partitions)
        return read(consumer, count)
    finally:
        consumer.close()


def create(driver: Driver, topic: str, partition_count: int) -> None:
    """Create a topic with the client, and wait until the broker has all of it.

    Apache Kafka answers before; a client that sends once more what failed in part then writes the rest twice.
    """
    driver.create_topic(topic, partition_count)
    looker = ConfluentDriver(driver.bootstrap).consumer(topic)
    try:
        wait_until(lambda: all(looker.has(partition) for partition in range(partition_count)), f"{topic} is there")
    finally:
        looker.close()


class ClientScenarios:
    """The scenarios; a subclass names the driver."""

    make_driver: ClassVar[type[Any]]

    @pytest.fixture
    def connect(self, telling: Telling) -> Iterator[Callable[[str], Driver]]:
        """Make drivers for the broker at an address."""
        with ExitStack() as stack:

            def connect(bootstrap: str) -> Driver:
                driver: Driver = type(self).make_driver(bootstrap)
                stack.callback(driver.close)
                telling.client(driver)
                return driver

            yield connect

    @pytest.fixture
    def driver(self, bootstrap: str, connect: Callable[[str], Driver]) -> Driver:
        return connect(bootstrap)

    @pytest.mark.parametrize("codec", CODECS)
    def test_what_is_produced_is_read_back_byte_for_byte(self, bootstrap, driver, telling, topic, codec):
        assert codec in driver.codecs
        create(driver, topic, 2)
        telling.lacking(driver, COMPRESSIONS, NULL_HEADER_VALUES, EMPTY_RECORDS, ACKNOWLEDGEMENTS, READING_ALONE)
        written = of_every_shape(2, driver.lacks)

        offsets = driver.produce(topic, written, codec=codec)

        assert offsets == [index // 2 for index in range(len(written))]
        as_others_see_it = read_all(ConfluentDriver(bootstrap), topic, [0, 1], len(written))
        assert by_partition(each.written for each in as_others_see_it) == by_partition(written)
        delivered = read_all(driver, topic, [0, 1], len(written))
        if telling.lacking(driver, EMPTY_VALUES):
            written = [without_empty_values(each) for each in written]
        assert by_partition(each.written for each in delivered) == by_partition(written)
        for partition in (0, 1):
            found = [each.offset for each in delivered if each.partition == partition]
            assert found == list(range(len(written) // 2))

    def test_a_topic_comes_with_its_first_record(self, driver, topic):
        written = numbered(10, 1)

        driver.produce(topic, written, settings=driver.auto_create())

        assert [each.written for each in read_all(driver, topic, [0], 10)] == written

    def test_a_group_of_three_goes_on_while_one_joins_and_one_leaves(self, driver, topic, group):
        self.rebalance(driver, topic, group)

    def rebalance(self, driver: Driver, topic: str, group: str, settings: Mapping[str, Any] | None = None) -> None:
        """Consume with three members; a fourth joins, the first leaves, and nothing is left out."""
        tally = Tally()
        create(driver, topic, 6)

        def member(name: str) -> Member:
            return Member(name, tally, lambda: driver.consumer(topic, group=group, settings=settings))

        with ExitStack() as stack:
            driver.produce(topic, numbered(300, 6))
            first, second, third = (stack.enter_context(member(name)) for name in ("first", "second", "third"))
            tally.wait_until(lambda: share([first, second, third], 6), "three members share the partitions")
            driver.produce(topic, numbered(300, 6, start=300))
            fourth = stack.enter_context(member("fourth"))
            tally.wait_until(lambda: share([first, second, third, fourth], 6), "the fourth has its share")
            driver.produce(topic, numbered(300, 6, start=600))
            first.leave()
            tally.wait_until(lambda: share([second, third, fourth], 6), "three share what the first left")
            driver.produce(topic, numbered(300, 6, start=900))
            tally.wait_until(lambda: tally.count == 1200, "every record was delivered")

        assert tally.failures == []
        assert tally.gaps == []
        for partition, values in tally.values.items():
            assert values == {offset: b"%d" % (offset * 6 + partition) for offset in range(200)}
        after = driver.consumer(topic, group=group)
        try:
            assert [after.committed(partition) for partition in range(6)] == [200] * 6
        finally:
            after.close()

    def test_a_consumer_that_comes_back_goes_on_where_it_had_committed(self, driver, topic, group):
        create(driver, topic, 1)
        driver.produce(topic, numbered(100, 1))

        before = self._consume_some(driver, topic, group, 50)
        driver.produce(topic, numbered(100, 1, start=100))
        after = self._consume_some(driver, topic, group, 200 - len(before))

        assert [each.offset for each in before + after] == list(range(200))

    def test_a_consumer_commits_by_itself_what_it_read_before_it_closed(self, driver, topic, group):
        create(driver, topic, 1)
        driver.produce(topic, numbered(100, 1))
        consumer = driver.consumer(topic, group=group, settings=driver.automatic())
        try:
            consumer.subscribe()
            assert len(read(consumer, 100)) == 100
            # Some take a record for read only when they are asked for the next.
            assert consumer.poll() == []
        finally:
            consumer.close()

        after = driver.consumer(topic, group=group)
        try:
            assert after.committed(0) == 100
        finally:
            after.close()

    @staticmethod
    def _consume_some(driver: Driver, topic: str, group: str, count: int) -> list[Delivered]:
        consumer = driver.consumer(topic, group=group)
        try:
            consumer.subscribe()
            records = read(consumer, count)
            assert consumer.commit()
            assert consumer.committed(0) == records[-1].offset + 1
            return records
        finally:
            consumer.close()

    def test_a_consumer_finds_its_place_by_time(self, driver, telling, topic):
        after_the_end = 500 if telling.lacking(driver, LATE_TIMES) else None
        create(driver, topic, 2)
        driver.produce(topic, numbered(1000, 2))
        consumer = driver.consumer(topic)
        try:
            consumer.assign([1])
            read(consumer, 1)
            wanted_ms = TIMESTAMP_FIRST_MS + 601 * 1_000

            assert consumer.offset_for_time(1, 0) == 0
            assert consumer.offset_for_time(1, wanted_ms) == 300
            assert consumer.offset_for_time(1, wanted_ms - 1) == 300
            assert consumer.offset_for_time(1, wanted_ms + 1) == 301
            assert consumer.offset_for_time(1, TIMESTAMP_FIRST_MS + 2_000_000) == after_the_end
            consumer.seek(1, 300)
            # What was fetched before the seek is the client's to drop.
            assert read(consumer, 1)[0].written == Written(1, None, b"601", (), wanted_ms)
        finally:
            consumer.close()

    def test_a_static_member_comes_back_without_a_rebalance(self, driver, telling, topic, group):
        if telling.left_out(driver, STATIC_MEMBERS):
            return
        tally = Tally()
        create(driver, topic, 4)

        def member(name: str) -> Member:
            settings = driver.static(name)
            return Member(name, tally, lambda: driver.consumer(topic, group=group, settings=settings))

        with member("one") as one:
            with member("two") as two:
                tally.wait_until(lambda: share([one, two], 4), "the two share the partitions")
                held, assignments_of_one = two.held, one.assignments
            # A static member's leaving is not told to the group; its place waits for it.
            with member("two") as again:
                driver.produce(topic, numbered(40, 4))
                tally.wait_until(lambda: tally.count == 40, "every record was delivered")
                assert again.held == held
                assert one.assignments == assignments_of_one
        assert tally.failures == []

    def test_an_idempotent_producer_writes_once_and_in_order_through_crashes(self, own_broker, connect, telling, topic):
        driver = connect(own_broker.bootstrap)
        create(driver, topic, 1)
        written = numbered(3_000, 1)
        with Crashes(own_broker) as crashes:
            offsets = driver.produce(topic, crashes.among(written, every=1_000, at=500), settings=driver.idempotent())

        telling.lacking(driver, RETRIES)
        if telling.lacking(driver, IDEMPOTENCE):
            delivered = read_all(driver, topic, [0], offsets[-1] + 1)
            assert [delivered[offset].written for offset in offsets] == written
            return
        assert offsets == list(range(3_000))
        assert [each.written for each in read_all(driver, topic, [0], 3_000)] == written

    def test_a_group_goes_on_where_it_had_committed_before_a_crash(self, own_broker, connect, topic, group):
        driver = connect(own_broker.bootstrap)
        create(driver, topic, 1)
        driver.produce(topic, numbered(100, 1))
        before = self._consume_some(driver, topic, group, 50)
        own_broker.kill()
        own_broker.start()
        after = self._consume_some(driver, topic, group, 100 - len(before)) if len(before) < 100 else []

        assert [each.offset for each in before + after] == list(range(100))


class Crashes:
    """Kills a broker while records are handed over, and starts it again beside that. A context manager."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._broker = broker
        self._starting: threading.Thread | None = None

    def __enter__(self) -> Crashes:
        return self

    def __exit__(self, *_: object) -> None:
        self._wait()

    def _wait(self) -> None:
        if self._starting is not None:
            self._starting.join()

    def among(self, records: Sequence[Written], *, every: int, at: int) -> Iterator[Written]:
        """Yield the records; before the one at index `at`, and again `every` so many, the broker crashes."""
        for index, record in enumerate(records):
            if index % every == at:
                self._wait()
                self._broker.kill()
                self._starting = threading.Thread(target=self._broker.start)
                self._starting.start()
            yield record
