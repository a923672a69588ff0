"""The life of a broker in a test, and what a test asks of it."""

import asyncio
import os
import socket
import sys
import tempfile
import threading
import warnings
from pathlib import Path

import confluent_kafka
import pytest
import trio
from confluent_kafka.admin import AdminClient

import fleuve.testing
from fleuve.app.in_thread import BrokerGone
from fleuve.app.options import UsageError
from fleuve.app.sources import SettingsError
from fleuve.base.errors import FleuveError

FILES = Path("/proc/self/fd")


def open_files():
    return len(list(FILES.iterdir())) if FILES.exists() else 0


def configs_of(broker, kind, name):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    (future,) = admin.describe_configs([confluent_kafka.admin.ConfigResource(kind, name)]).values()
    return future.result()


@pytest.fixture
def own_temporary_directory(tmp_path, monkeypatch):
    """Everything temporary that is made while the test runs is in here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_hundred_brokers_leave_no_thread_no_file_and_no_warning(own_temporary_directory):
    with fleuve.testing.broker() as broker:
        broker.produce("first", "may open what a process opens once")
    threads, files = threading.active_count(), open_files()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for number in range(100):
            with fleuve.testing.broker() as broker:
                broker.produce("numbers", str(number))
                assert [record.value for record in broker.records("numbers")] == [str(number).encode()]
                assert broker.errors == ()
    assert (threading.active_count(), open_files()) == (threads, files)
    assert list(own_temporary_directory.iterdir()) == []
    assert [str(one.message) for one in warned] == []


def test_brokers_beside_each_other_know_nothing_of_each_other():
    with fleuve.testing.broker() as one, fleuve.testing.broker() as other:
        one.produce("here", "only")
        assert one.port != other.port
        with pytest.raises(fleuve.testing.BrokerError, match="UNKNOWN_TOPIC_OR_PARTITION"):
            other.records("here")


def test_a_stopped_broker_comes_back_on_its_port_with_its_data():
    with fleuve.testing.broker() as broker:
        address = broker.bootstrap_servers
        broker.produce("kept", "before")
        broker.stop()
        assert not broker.is_running
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((broker.host, broker.port), timeout=5)
        broker.start()
        assert broker.bootstrap_servers == address
        broker.produce("kept", "after")
        assert [record.value for record in broker.records("kept")] == [b"before", b"after"]


def test_a_client_goes_on_when_its_broker_is_back():
    with fleuve.testing.broker() as broker:
        broker.create_topic("events")
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": broker.bootstrap_servers,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 20,
                "log_level": 0,
            }
        )
        producer.produce("events", "one")
        producer.flush()
        broker.stop()
        producer.produce("events", "two")
        broker.start()
        assert producer.flush(30) == 0
        assert [record.value for record in broker.records("events")] == [b"one", b"two"]


def test_clients_that_are_still_connected_hold_up_nobody(own_temporary_directory):
    threads = threading.active_count()
    broker = fleuve.testing.broker()
    broker.start()
    idle = socket.create_connection((broker.host, broker.port))
    half = socket.create_connection((broker.host, broker.port))
    half.sendall(b"\0\0\0\x20half a request")
    broker.close()
    assert (idle.recv(1), half.recv(1)) == (b"", b"")
    idle.close()
    half.close()
    assert threading.active_count() == threads
    assert list(own_temporary_directory.iterdir()) == []


def test_data_is_kept_where_the_test_wants_it(tmp_path):
    with fleuve.testing.broker(data_dir=tmp_path / "data") as broker:
        broker.produce("kept", "for the next one")
    with fleuve.testing.broker(data_dir=tmp_path / "data") as broker:
        assert [record.value for record in broker.records("kept")] == [b"for the next one"]


def test_a_broker_that_cannot_start_says_why_in_a_line_and_leaves_nothing(tmp_path, own_temporary_directory):
    threads = threading.active_count()
    with fleuve.testing.broker(data_dir=tmp_path / "data"):
        second = fleuve.testing.broker(data_dir=tmp_path / "data")
        with pytest.raises(FleuveError, match="is in use by process .*: stop that broker, or give another directory"):
            second.start()
    assert threading.active_count() == threads


def test_an_error_of_the_test_comes_through_and_the_broker_goes(own_temporary_directory):
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt), fleuve.testing.broker() as broker:
        broker.produce("some", "thing")
        raise KeyboardInterrupt
    assert threading.active_count() == threads
    assert list(own_temporary_directory.iterdir()) == []


def test_start_and_stop_may_be_said_twice():
    broker = fleuve.testing.broker()
    broker.start()
    broker.start()
    broker.stop()
    broker.stop()
    broker.close()
    broker.close()


def test_a_broker_may_be_used_again_after_it_was_closed():
    broker = fleuve.testing.broker()
    with broker:
        broker.produce("events", "gone")
    with broker, pytest.raises(fleuve.testing.BrokerError, match="UNKNOWN_TOPIC_OR_PARTITION"):
        broker.records("events")


def test_who_waits_for_records_is_told_when_the_broker_stops():
    told = []
    broker = fleuve.testing.broker()
    broker.start()

    def wait():
        try:
            broker.records("events", wait_for=1, timeout=30)
        except BrokerGone as error:
            told.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not asyncio_tasks(broker):
        pass
    broker.close()
    waiting.join()
    assert told == ["the broker was stopped while it was asked"]


def asyncio_tasks(broker):
    """Return what the broker is asked just now."""
    return [task for task in asyncio.all_tasks(broker._thread._loop) if "Requests.records" in repr(task)]


def test_without_uvloop_it_runs_on_asyncios_own_loop(monkeypatch, own_temporary_directory):
    threads = threading.active_count()
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with fleuve.testing.broker() as broker:
        assert type(broker._thread._loop).__module__.startswith("asyncio")
        broker.produce("events", "value")
        assert len(broker.records("events")) == 1
        broker.stop()
        broker.start()
        assert len(broker.records("events")) == 1
    assert threading.active_count() == threads
    assert list(own_temporary_directory.iterdir()) == []


def test_the_bounds_of_the_process_are_left_alone():
    resource = pytest.importorskip("resource")
    bounds = resource.getrlimit(resource.RLIMIT_NOFILE)
    with fleuve.testing.broker():
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == bounds


# ---------------------------------------------------------------- kinds of tests


async def test_it_works_in_an_asyncio_test():
    async with fleuve.testing.broker() as broker:
        broker.produce("events", "value")
        assert len(broker.records("events")) == 1


def test_it_works_under_trio():
    async def main():
        async with fleuve.testing.broker() as broker:
            with trio.fail_after(30):
                stream = await trio.open_tcp_stream(broker.host, broker.port)
                # ApiVersions v0, without a client id.
                await stream.send_all(b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff")
                answer = await stream.receive_some()
            assert answer[4:10] == b"\0\0\0\x07\0\0"
            await stream.aclose()

    trio.run(main)


def test_it_may_be_asked_from_many_threads():
    with fleuve.testing.broker() as broker:
        broker.create_topic("events")
        threads = [threading.Thread(target=broker.produce, args=("events", str(number))) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(record.value for record in broker.records("events")) == [b"%d" % n for n in range(8)]


def test_a_coroutine_may_wait_for_what_another_thread_writes():
    async def main(broker):
        return await asyncio.to_thread(broker.records, "events", wait_for=1)

    with fleuve.testing.broker() as broker:
        threading.Timer(0.05, broker.produce, ("events", "late")).start()
        assert [record.value for record in asyncio.run(main(broker))] == [b"late"]


# ---------------------------------------------------------------- settings


def test_settings_are_keywords_or_have_kafkas_names():
    settings = {"message.max.bytes": 1000, "auto.create.topics.enable": False}
    with fleuve.testing.broker(settings, num_partitions=3) as broker:
        described = configs_of(broker, confluent_kafka.admin.ResourceType.BROKER, "1")
    assert described["num.partitions"].value == "3"
    assert described["message.max.bytes"].value == "1000"
    assert described["auto.create.topics.enable"].value == "false"


def test_defaults_are_for_speed():
    with fleuve.testing.broker() as broker:
        assert broker._settings.integer("log.flush.interval.messages") == 2**63 - 1
        assert broker._settings.integer("group.initial.rebalance.delay.ms") == 0
        assert broker._settings.string("fleuve.http.listen") == "off"


def test_nothing_is_flushed_to_the_device_unless_the_data_is_kept(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    monkeypatch.setattr(os, "fdatasync", flushed.append, raising=False)
    with fleuve.testing.broker() as broker:
        broker.produce("events", "value")
    assert flushed == []
    with fleuve.testing.broker(data_dir=tmp_path / "data"):
        pass
    assert flushed != []


def test_the_environment_is_not_the_brokers(monkeypatch):
    monkeypatch.setenv("KAFKA_NUM_PARTITIONS", "7")
    monkeypatch.setenv("KAFKA_NO_SUCH_SETTING", "7")
    with fleuve.testing.broker() as broker:
        broker.create_topic("events")
        assert broker.produce("events", "value", partition=0).partition == 0
        with pytest.raises(fleuve.testing.BrokerError):
            broker.produce("events", "value", partition=1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_partition": 3}, "there is no setting num.partition; did you mean num.partitions?"),
        ({"num_partitions": "many"}, "num.partitions: Not a number"),
        ({"num_partitions": None}, "num.partitions: want a text, a number, True or False, got None"),
        ({"listeners": "PLAINTEXT://:9092"}, "listeners cannot be set: the broker listens on a free port"),
        ({"log_dirs": "/data"}, "log.dirs cannot be set: give data_dir to keep the data"),
        ({"retention_ms": 1}, "it is a setting of a topic"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_starts(settings, said):
    with pytest.raises((UsageError, SettingsError)) as refused:
        fleuve.testing.broker(**settings)
    assert said in str(refused.value)
    assert str(refused.value).startswith("broker(): ")
    assert "\n" not in str(refused.value)


def test_a_setting_that_is_given_twice_is_refused():
    with pytest.raises(UsageError, match=r"num\.partitions is given twice"):
        fleuve.testing.broker({"num.partitions": 1}, num_partitions=2)


def test_a_broker_that_is_not_started_says_how_to_start_it():
    broker = fleuve.testing.broker()
    with pytest.raises(UsageError, match=r"use `with`, or call start\(\)"):
        broker.bootstrap_servers  # noqa: B018
    with pytest.raises(UsageError, match=r"use `with`, or call start\(\)"):
        broker.records("events")


# ---------------------------------------------------------------- topics and records


def test_a_topic_has_the_partitions_and_configs_it_was_given(shared_broker):
    shared_broker.create_topic("configured", 3, {"segment.bytes": 2_000_000}, cleanup_policy="compact")
    described = configs_of(shared_broker, confluent_kafka.admin.ResourceType.TOPIC, "configured")
    assert described["cleanup.policy"].value == "compact"
    assert described["segment.bytes"].value == "2000000"
    assert shared_broker.produce("configured", "value", key="key", partition=2).partition == 2


def test_what_a_client_is_refused_a_test_is_refused_too(shared_broker):
    shared_broker.create_topic("twice")
    with pytest.raises(fleuve.testing.BrokerError, match="TOPIC_ALREADY_EXISTS"):
        shared_broker.create_topic("twice")
    with pytest.raises(fleuve.testing.BrokerError, match="INVALID_CONFIG"):
        shared_broker.create_topic("wrong", no_such_config=1)
    with pytest.raises(fleuve.testing.BrokerError, match="INVALID_TOPIC_EXCEPTION"):
        shared_broker.create_topic("not a name")


def test_a_record_is_read_as_it_was_written(shared_broker):
    written = shared_broker.produce(
        "as-written", "välue", key=b"key", headers=[("one", "1"), ("one", None)], timestamp=1_700_000_000_000
    )
    assert written == fleuve.testing.Record(
        topic="as-written",
        partition=0,
        offset=0,
        timestamp=1_700_000_000_000,
        key=b"key",
        value="välue".encode(),
        headers=(("one", b"1"), ("one", None)),
    )
    assert shared_broker.records("as-written") == [written]


def test_a_record_may_have_no_value(shared_broker):
    shared_broker.produce("tombstones", None, key="key")
    assert [record.value for record in shared_broker.records("tombstones")] == [None]


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_a_client_compressed_is_read(shared_broker, compression):
    topic = f"compressed-{compression}"
    shared_broker.create_topic(topic)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": shared_broker.bootstrap_servers, "compression.type": compression, "linger.ms": 50}
    )
    for number in range(100):
        producer.produce(topic, f"value {number}", headers={"number": str(number)})
    producer.flush()
    records = shared_broker.records(topic)
    assert [record.value.decode() for record in records] == [f"value {number}" for number in range(100)]
    assert [record.offset for record in records] == list(range(100))
    assert records[42].headers == (("number", b"42"),)


def test_records_come_by_partition_and_offset(shared_broker):
    shared_broker.create_topic("ordered", 3)
    for partition in (2, 0, 1, 0):
        shared_broker.produce("ordered", "value", partition=partition)
    assert [(one.partition, one.offset) for one in shared_broker.records("ordered")] == [(0, 0), (0, 1), (1, 0), (2, 0)]
    assert [one.partition for one in shared_broker.records("ordered", partition=2)] == [2]


def test_many_records_are_read_whole(shared_broker):
    value = bytes(100_000)
    for _ in range(120):
        shared_broker.produce("large", value)
    assert [one.offset for one in shared_broker.records("large")] == list(range(120))


def test_records_that_were_deleted_are_not_read(shared_broker):
    for number in range(5):
        shared_broker.produce("shortened", str(number))
    admin = AdminClient({"bootstrap.servers": shared_broker.bootstrap_servers})
    for future in admin.delete_records([confluent_kafka.TopicPartition("shortened", 0, 3)]).values():
        future.result()
    assert [one.value for one in shared_broker.records("shortened")] == [b"3", b"4"]


def test_waiting_for_records_says_in_the_end_how_many_there_are(shared_broker):
    shared_broker.produce("waited", "one")
    with pytest.raises(TimeoutError, match=r"topic 'waited' has 1 records after 0\.05 s; 2 were waited for"):
        shared_broker.records("waited", wait_for=2, timeout=0.05)
    with pytest.raises(TimeoutError, match="topic 'not-there' is not there"):
        shared_broker.records("not-there", wait_for=1, timeout=0.05)


def test_a_topic_is_not_created_where_clients_may_not():
    with (
        fleuve.testing.broker(auto_create_topics_enable=False) as broker,
        pytest.raises(fleuve.testing.BrokerError, match="UNKNOWN_TOPIC_OR_PARTITION"),
    ):
        broker.produce("events", "value")


@pytest.mark.parametrize("content", [{"value": 3}, {"value": b"", "key": 3}, {"value": b"", "headers": {"h": 3}}])
def test_what_is_neither_text_nor_bytes_is_refused_by_name(content):
    with fleuve.testing.broker() as broker, pytest.raises(TypeError, match="want bytes, a text or None .* got 3"):
        broker.produce("orders", **content)
