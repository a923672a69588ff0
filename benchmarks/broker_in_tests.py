"""A test suite of 100 tests, each with a topic, a producer and a consumer: with brokers inside it, beside Apache Kafka.

Run it as `python benchmarks/broker_in_tests.py [--tests 100] [--runs 3] [--without-kafka]` in the environment of the
tests. Each line is a run of pytest in a process of its own, the best of `--runs`. "First" and "further" are what a test
waits for its broker, fixture and teardown together: the first one pays for the imports. The client is aiokafka where no
other is named; librdkafka takes 0.16 s of its own to begin to read in a group. Memory is the largest resident
memory of the test processes, and of Kafka's, in MB of 10⁶ bytes.

Apache Kafka is a process of this machine, whose start is measured until it answers: a container adds to that the time
its runtime takes, and an image to be pulled and unpacked.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.apache_kafka import ApacheKafka, MissingError
from support.machine import describe_machine

SUITES = {
    "aiokafka": """
import os

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


@pytest.mark.asyncio
@pytest.mark.parametrize("number", range(int(os.environ["TESTS"])))
async def test_orders_arrive(number, servers):
    topic = f"orders-{number}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for order in range(10):
            await producer.send_and_wait(topic, b"order %d" % order, key=b"%d" % order)
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, group_id=topic, auto_offset_reset="earliest")
    async with consumer:
        received = [(await consumer.getone()).value for _ in range(10)]
    assert received == [b"order %d" % order for order in range(10)]
""",
    "confluent-kafka": """
import os

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic


@pytest.mark.parametrize("number", range(int(os.environ["TESTS"])))
def test_orders_arrive(number, servers):
    topic = f"orders-{number}"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 0})
    for order in range(10):
        producer.produce(topic, key=str(order), value=f"order {order}")
    producer.flush()
    consumer = Consumer({"bootstrap.servers": servers, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    received = [consumer.poll(10).value().decode() for _ in range(10)]
    consumer.close()
    assert received == [f"order {order}" for order in range(10)]
""",
}
"""Each test makes a topic, produces ten records, one acknowledged after the other or in a batch, and consumes them in
a group."""

CONFTEST = """
import json
import os
import resource
import sys
from time import perf_counter

import pytest

SCALE = 1 if sys.platform == "darwin" else 1024
reports = []


@pytest.fixture
def servers(request):
    fixture = os.environ["FIXTURE"]
    return request.getfixturevalue(fixture).bootstrap_servers if fixture else os.environ["KAFKA_BOOTSTRAP_SERVERS"]


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    began = perf_counter()
    try:
        return (yield)
    finally:
        if fixturedef.argname in ("kafka_broker", "kafka_session_broker"):
            request.node.config._waited = perf_counter() - began


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    began = perf_counter()
    try:
        return (yield)
    finally:
        waited = getattr(item.config, "_waited", 0.0)
        item.config._waited = 0.0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * SCALE
        item.user_properties.append(("waited", waited + perf_counter() - began))
        item.user_properties.append(("memory", [os.getpid(), peak]))


def pytest_runtest_logreport(report):
    if report.when == "teardown":
        reports.append(dict(report.user_properties))


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        with open(os.environ["REPORT"], "w") as file:
            json.dump(reports, file)
"""


@dataclass(frozen=True)
class Measured:
    """A run of the suite."""

    seconds: float
    """From pytest's start to its end."""
    first_s: float
    further_s: list[float]
    memory_bytes: int


def measured(
    directory: Path, tests: int, fixture: str, *options: str, client: str = "aiokafka", servers: str = ""
) -> Measured:
    """Run a client's suite once."""
    report = directory / "report.json"
    environment = os.environ | {
        "TESTS": str(tests),
        "FIXTURE": fixture,
        "REPORT": str(report),
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        # Compiled once, as it is when a package is installed.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(directory / "compiled"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"test_{client}.py", *options]
    began = perf_counter()
    ran = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    seconds = perf_counter() - began
    if ran.returncode:
        sys.exit(ran.stdout + ran.stderr)
    reports = json.loads(report.read_text())
    assert len(reports) == tests
    peaks: dict[int, int] = {}
    for process, peak in (one["memory"] for one in reports):
        peaks[process] = max(peaks.get(process, 0), peak)
    # Under xdist each worker has a first one.
    waited = sorted((one["waited"] for one in reports), reverse=True)
    return Measured(seconds, waited[0], waited[len(peaks) :], sum(peaks.values()))


def best(runs: int, directory: Path, tests: int, fixture: str, *options: str, client: str = "aiokafka") -> Measured:
    """Return the quickest of some runs."""
    return min(
        (measured(directory, tests, fixture, *options, client=client) for _ in range(runs)),
        key=lambda one: one.seconds,
    )


def line(what: str, seconds: float, first_s: float, further: str, memory_bytes: int) -> None:
    """Print a line of the table."""
    print(f"{what:46}{seconds:9.1f}{first_s:11.3f}{further:>22}{memory_bytes / 1e6:11.0f}", flush=True)


def show(what: str, one: Measured) -> None:
    """Print what was measured with a broker inside the tests."""
    further = f"{statistics.median(one.further_s):.3f} (max {max(one.further_s):.3f})"
    line(what, one.seconds, one.first_s, further, one.memory_bytes)


def beside_kafka(runs: int, directory: Path, tests: int) -> None:
    """Print what the suite takes with Apache Kafka: one for all tests, and one for each, which is reckoned."""
    starts, suites, residents = [], [], []
    for _ in range(runs):
        began = perf_counter()
        with ApacheKafka({"group.initial.rebalance.delay.ms": "0"}) as kafka:
            starts.append(perf_counter() - began)
            suites.append(measured(directory, tests, "", servers=kafka.bootstrap))
            residents.append(_resident_bytes(kafka))
    start_s, one = min(starts), min(suites, key=lambda suite: suite.seconds)
    memory_bytes = one.memory_bytes + min(residents)
    line("Apache Kafka, one for the session", start_s + one.seconds, start_s, "0.000", memory_bytes)
    each_s = one.seconds + tests * start_s
    line("Apache Kafka, one for each test (reckoned)", each_s, start_s, f"{start_s:.3f}", memory_bytes)


def _resident_bytes(kafka: ApacheKafka) -> int:
    port = kafka.address[1]
    found = subprocess.run(["ps", "-ww", "-eo", "rss=,args="], capture_output=True, text=True, check=True)
    return max(
        int(text.split()[0]) * 1024
        for text in found.stdout.splitlines()
        if "kafka.Kafka" in text and f"node-{port}" in text
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--without-kafka", action="store_true")
    arguments = parser.parse_args()
    print(describe_machine())
    title = f"{arguments.tests} tests"
    print(f"\n{title:46}{'total s':>9}{'first s':>11}{'further s':>22}{'memory MB':>11}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "conftest.py").write_text(CONFTEST)
        (directory / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
        for client, suite in SUITES.items():
            (directory / f"test_{client}.py").write_text(suite)
        run = (arguments.runs, directory, arguments.tests)
        show("kafka_broker, one for each test", best(*run, "kafka_broker"))
        show("kafka_broker, xdist -n 2", best(*run, "kafka_broker", "-n", "2"))
        show("kafka_session_broker", best(*run, "kafka_session_broker"))
        show("kafka_broker, by confluent-kafka", best(*run, "kafka_broker", client="confluent-kafka"))
        if not arguments.without_kafka:
            try:
                beside_kafka(*run)
            except MissingError as missing:
                print(missing, file=sys.stderr)


if __name__ == "__main__":
    main()
