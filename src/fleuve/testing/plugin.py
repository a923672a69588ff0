"""The pytest plugin: a broker as a fixture. pytest finds it by itself where Fleuve is installed.

    def test_orders_are_priced(kafka_broker):
        run_pricing(kafka_broker.bootstrap_servers)

Only the standard library and pytest are imported until a test asks for a broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fleuve.testing.embedded import Broker
    from fleuve.testing.settings import SettingValue

_MARKER = "kafka_broker"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(settings=None, **named): settings for this test's kafka_broker, as in "
        f'{_MARKER}(num_partitions=3) or {_MARKER}({{"num.partitions": 3}})',
    )
    _leave_asserts_alone(config)


def _leave_asserts_alone(config: pytest.Config) -> None:
    """Have the broker's modules imported as they are compiled.

    pytest rewrites the asserts of all modules of a distribution that has a plugin, which here are two hundred, at the
    first import in each environment: it takes seconds. Where its list is not what it is now, they are rewritten.
    """
    marked = getattr(config.pluginmanager.rewrite_hook, "_must_rewrite", None)
    if isinstance(marked, set):
        marked.discard("fleuve")


@pytest.fixture(scope="session")
def kafka_broker_settings() -> Mapping[str, SettingValue]:
    """Settings for every broker of the test session, by Kafka's names: none. To be overridden in a conftest.py."""
    return {}


@pytest.fixture
def kafka_broker(request: pytest.FixtureRequest, kafka_broker_settings: Mapping[str, SettingValue]) -> Iterator[Broker]:
    """A real, isolated Kafka broker for this test; clients connect to `kafka_broker.bootstrap_servers`."""
    settings = dict(kafka_broker_settings)
    # The closest marker comes first, and counts.
    for marker in reversed(list(request.node.iter_markers(_MARKER))):
        settings |= _marked(marker)
    yield from _running(settings)


@pytest.fixture(scope="session")
def kafka_session_broker(kafka_broker_settings: Mapping[str, SettingValue]) -> Iterator[Broker]:
    """A real Kafka broker for the whole session (under xdist, for each worker): tests use topics of their own in it."""
    yield from _running(kafka_broker_settings)


def _marked(marker: pytest.Mark) -> dict[str, str]:
    from fleuve.base.errors import FleuveError
    from fleuve.testing.settings import texts

    by = f"@pytest.mark.{_MARKER}"
    positional: tuple[Any, ...] = marker.args
    if len(positional) > 1 or not all(isinstance(one, Mapping) for one in positional):
        pytest.fail(f"{by}: want settings as keywords, or one mapping of them, got {positional!r}", pytrace=False)
    try:
        return texts(positional[0] if positional else None, marker.kwargs, by=by)
    except FleuveError as error:
        # Not "during handling of": the reason is in the line.
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _running(settings: Mapping[str, SettingValue]) -> Iterator[Broker]:
    from fleuve.base.errors import FleuveError
    from fleuve.testing.embedded import broker

    try:
        started = broker(settings)
        started.start()
    except FleuveError as error:
        raise pytest.fail.Exception(f"the Kafka broker cannot start: {error}", pytrace=False) from None
    try:
        yield started
    finally:
        try:
            started.close()
        except FleuveError as error:
            pytest.fail(f"the Kafka broker failed: {error}", pytrace=False)
