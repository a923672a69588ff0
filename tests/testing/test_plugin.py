"""The fixtures in somebody's test suite: each test here is a run of pytest in a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

INI = """
[pytest]
addopts = --strict-markers --strict-config
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str

    @property
    def summary(self):
        """The last line, without its time."""
        return self.out.rstrip().rpartition("\n")[2].strip("= ").rpartition(" in ")[0]


@pytest.fixture
def suite(tmp_path, tmp_path_factory):
    """Run pytest over a file with this content: `suite(content, "-n", "2")`; everything temporary is in `left`."""
    left = tmp_path / "left"
    left.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # Compiled once for all of them.
    environment |= {
        "TMPDIR": str(left),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(tmp_path_factory.getbasetemp() / "compiled"),
    }

    def run(content, *options, conftest=""):
        folder = tmp_path / "suite"
        folder.mkdir()
        (folder / "test_suite.py").write_text(content)
        (folder / "conftest.py").write_text(conftest)
        (folder / "pytest.ini").write_text(INI)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base")]
        ran = subprocess.run(
            [*command, *options],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert list(left.iterdir()) == [], ran.stdout
        return Ran(ran.returncode, ran.stdout)

    return run


USES = """
import confluent_kafka
import pytest
import trio


def round_trip(broker, topic):
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(topic, "value")
    producer.flush()
    return [record.value for record in broker.records(topic)]


def test_one(kafka_broker):
    assert round_trip(kafka_broker, "events") == [b"value"]


def test_another_broker_is_empty(kafka_broker):
    assert round_trip(kafka_broker, "events") == [b"value"]


async def test_in_asyncio(kafka_broker):
    assert round_trip(kafka_broker, "events") == [b"value"]


def test_in_trio(kafka_broker):
    async def main():
        stream = await trio.open_tcp_stream(kafka_broker.host, kafka_broker.port)
        await stream.aclose()

    trio.run(main)


@pytest.mark.kafka_broker(num_partitions=3)
def test_settings(kafka_broker):
    assert kafka_broker.produce("events", "value", partition=2).partition == 2


@pytest.mark.kafka_broker({"num.partitions": 2}, auto_create_topics_enable=False)
class TestTogether:
    def test_settings_of_the_class(self, kafka_broker):
        kafka_broker.create_topic("events")
        assert kafka_broker.produce("events", "value", partition=1).partition == 1

    @pytest.mark.kafka_broker(auto_create_topics_enable=True)
    def test_the_closest_marker_counts(self, kafka_broker):
        assert kafka_broker.produce("events", "value", partition=1).partition == 1


ADDRESSES = set()


@pytest.mark.parametrize("number", range(3))
def test_of_a_session(kafka_session_broker, number):
    ADDRESSES.add(kafka_session_broker.bootstrap_servers)
    assert len(ADDRESSES) == 1
    assert round_trip(kafka_session_broker, f"events-{number}") == [b"value"]


def test_both(kafka_broker, kafka_session_broker):
    assert kafka_broker.port != kafka_session_broker.port
"""


def test_each_test_has_a_broker_of_its_own_and_a_session_has_one(suite):
    ran = suite(USES)
    assert (ran.code, ran.summary) == (0, "11 passed"), ran.out


def test_it_works_in_every_worker_of_xdist(suite):
    ran = suite(USES, "-n", "2")
    assert (ran.code, ran.summary) == (0, "11 passed"), ran.out


def test_who_does_not_use_it_imports_nothing_of_it(suite):
    ran = suite(
        """
        import sys

        def test_nothing():
            found = sorted(name for name in sys.modules if name.split(".")[0] in ("fleuve", "uvloop", "sqlite3"))
            assert found == ["fleuve", "fleuve.testing", "fleuve.testing.plugin"]
        """.replace("\n        ", "\n")
    )
    assert (ran.code, ran.summary) == (0, "1 passed"), ran.out


def test_a_conftest_may_have_settings_for_all(suite):
    ran = suite(
        """
def test_one(kafka_broker, kafka_session_broker):
    for broker in (kafka_broker, kafka_session_broker):
        assert broker.produce("events", "value", partition=4).partition == 4
""",
        conftest="""
import pytest

@pytest.fixture(scope="session")
def kafka_broker_settings():
    return {"num.partitions": 5}
""",
    )
    assert (ran.code, ran.summary) == (0, "1 passed"), ran.out


def test_a_wrong_setting_is_one_line_that_says_what_to_do(suite):
    ran = suite(
        """
import pytest

@pytest.mark.kafka_broker(num_partition=3)
def test_one(kafka_broker):
    pass

@pytest.mark.kafka_broker(3)
def test_two(kafka_broker):
    pass

@pytest.mark.kafka_broker(num_partitions=object)
def test_three(kafka_broker):
    pass
"""
    )
    assert ran.summary == "3 errors", ran.out
    assert "there is no setting num.partition; did you mean num.partitions?" in ran.out
    assert "During handling" not in ran.out
    assert "@pytest.mark.kafka_broker: want settings as keywords, or one mapping of them, got (3,)" in ran.out
    assert "@pytest.mark.kafka_broker: num.partitions: want a text, a number, True or False" in ran.out
    assert "Traceback" not in ran.out
    assert "src/fleuve" not in ran.out


def test_what_the_broker_says_is_shown_with_the_test_that_fails(suite):
    ran = suite(
        """
import socket

def test_one(kafka_broker):
    with socket.create_connection((kafka_broker.host, kafka_broker.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1")
        assert connection.recv(1) == b"an answer"
"""
    )
    assert ran.summary == "1 failed", ran.out
    assert "connection closed" in ran.out


def test_a_broker_that_could_not_go_on_is_told_in_a_line(suite):
    ran = suite(
        """
from fleuve.ports.errors import StoreUnavailable

def test_one(kafka_broker):
    running, _ = kafka_broker._thread._started.result()

    async def fail():
        running._fail(StoreUnavailable("the disk is gone"))

    kafka_broker._thread.call(fail)
"""
    )
    assert ran.summary == "1 passed, 1 error", ran.out
    assert "the Kafka broker failed: the disk is gone" in ran.out
    assert "src/fleuve" not in ran.out


def test_a_test_that_is_interrupted_leaves_nothing(suite):
    ran = suite(
        """
def test_one(kafka_broker):
    kafka_broker.produce("events", "value")
    raise KeyboardInterrupt
"""
    )
    assert ran.code == pytest.ExitCode.INTERRUPTED
    assert "no tests ran" in ran.summary, ran.out


def test_unittest_needs_no_pytest(tmp_path):
    program = """
import unittest
import fleuve.testing


class Orders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = cls.enterClassContext(fleuve.testing.broker(num_partitions=2))

    def test_one(self):
        self.kafka.produce("orders", "one", partition=1)
        self.assertEqual(len(self.kafka.records("orders")), 1)


unittest.main()
"""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.rstrip().endswith("OK")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_forgets_to_close_its_broker_ends_all_the_same(tmp_path):
    program = """
import os, sys, fleuve.testing
broker = fleuve.testing.broker()
broker.start()
broker.produce("events", "value")
if sys.argv[1] == "fork" and not os.fork():
    try:
        broker.records("events")
    except Exception as error:
        assert "here it can only be connected to" in str(error)
        broker.close()
        sys.exit(0)
assert len(broker.records("events")) == 1
print("done")
"""
    for way in ("end", "fork"):
        ran = subprocess.run(
            # A fork beside threads is what newer Pythons warn of.
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, way],
            env=os.environ | {"TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "done\n", "")
        assert list(tmp_path.iterdir()) == []
