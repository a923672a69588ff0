"""Real clients, unmodified and with their default settings, against a broker in its own process.

The tests start `fleuve serve` themselves. To see what another broker says to the same scenarios (each of them passes
against Apache Kafka 4.3), name it: `FLEUVE_TEST_BOOTSTRAP=127.0.0.1:9192 python -m pytest tests/clients`. What needs a
broker of its own (crashes, restarts), and what is Fleuve's own answer, is skipped then.
"""

from __future__ import annotations

import itertools
import os
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings():
    # While kafka-python is imported, it reads its schemas by a function that the standard library calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka

assert kafka.KafkaConsumer, "the test folders have taken the place of kafka-python"

pytest.register_assert_rewrite(
    "clients.scenarios",
    "clients.groups",
    "clients.remote",
    "clients.confluent",
    "clients.kafka_python",
    "clients.aio",
    "clients.kcat",
)

from clients.results import Telling  # noqa: E402
from support.broker_process import BrokerProcess  # noqa: E402

OTHER_BROKER = os.environ.get("FLEUVE_TEST_BOOTSTRAP")
# Kafka's 3 s are for users; one test keeps them.
QUICK_GROUPS = {"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0"}

# For a whole test, which may be a dozen operations of a client.
SCENARIO_TIMEOUT_S = 300

_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder. A group takes its time: some clients wait ten seconds for a fetch to end."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.clients)
            item.add_marker(pytest.mark.timeout(SCENARIO_TIMEOUT_S))


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the broker that all tests share."""
    if OTHER_BROKER is not None:
        yield OTHER_BROKER
        return
    with BrokerProcess(tmp_path_factory.mktemp("broker"), environment=QUICK_GROUPS) as broker:
        yield broker.bootstrap


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker for this test alone, to be killed and started again."""
    if OTHER_BROKER is not None:
        pytest.skip("needs a broker that the test can kill")
    with BrokerProcess(tmp_path / "broker", environment=QUICK_GROUPS) as broker:
        yield broker


@pytest.fixture
def default_bootstrap(tmp_path: Path) -> Iterator[str]:
    """The address of a broker without a single setting."""
    if OTHER_BROKER is not None:
        yield OTHER_BROKER
        return
    with BrokerProcess(tmp_path / "broker") as broker:
        yield broker.bootstrap


@pytest.fixture
def fleuve_only() -> None:
    """For a test of an answer that is Fleuve's own."""
    if OTHER_BROKER is not None:
        pytest.skip("another broker answers otherwise")


@pytest.fixture
def telling(request: pytest.FixtureRequest) -> Telling:
    """Where a test tells which client it drives, and what that lacks."""
    return Telling(request.node)


@pytest.fixture
def topic() -> str:
    """A topic's name that nobody used before."""
    return f"topic-{next(_numbers)}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def group() -> str:
    """A group's name that nobody used before."""
    return f"group-{next(_numbers)}-{uuid.uuid4().hex[:8]}"
