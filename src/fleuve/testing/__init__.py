"""A real broker inside a test: isolated, in a thread of the test's process, on a free port, gone afterwards.

    with fleuve.testing.broker(num_partitions=3) as kafka:
        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})

`async with` does the same. With pytest there are the fixtures `kafka_broker` and `kafka_session_broker`
(`fleuve.testing.plugin`). Nothing is imported before it is used: a test suite that has Fleuve installed and does not
use it pays nothing for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleuve.testing.embedded import Broker, broker
    from fleuve.testing.faults import Fault
    from fleuve.testing.requests import BrokerError, Record

__all__ = ["broker", "Broker", "BrokerError", "Fault", "Record"]

_HOMES = {
    "broker": "embedded",
    "Broker": "embedded",
    "BrokerError": "requests",
    "Fault": "faults",
    "Record": "requests",
}


if not TYPE_CHECKING:  # A checker would take every name for one of ours.

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
