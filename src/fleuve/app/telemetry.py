"""What is measured of the broker as a whole, and the one list of everything that is measured.

Each room counts for itself (`stats.py`). `TABLES` has all their tables, for the reference page; `Telemetry` joins
the tables of a running broker with their values, for `/metrics`, and watches the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fleuve import __version__
from fleuve.adapters.journal import stats as journal
from fleuve.base.metric import Histogram, Kind, Metric, MetricSource
from fleuve.engine.brokers import stats as brokers
from fleuve.engine.groups import stats as groups
from fleuve.engine.log import stats as log
from fleuve.engine.maintenance import stats as maintenance
from fleuve.engine.topics import stats as topics
from fleuve.kafka import stats as kafka
from fleuve.web import metrics as web

PROBE_INTERVAL_S = 0.5
LAG_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class BrokerStats:
    """Numbers of the process as a whole."""

    __slots__ = ("build", "loop_lag")

    def __init__(self) -> None:
        self.build = {__version__: 1}
        self.loop_lag = Histogram(LAG_BOUNDS_S)


METRICS = (
    Metric("fleuve_build_info", Kind.GAUGE, "Always 1; the label tells the version that runs.", "build", ("version",)),
    Metric(
        "fleuve_loop_lag_seconds",
        Kind.HISTOGRAM,
        f"How much later than asked the event loop ran a timer; probed every {PROBE_INTERVAL_S:g} s.",
        "loop_lag",
    ),
)

TABLES: tuple[tuple[str, Sequence[Metric]], ...] = (
    ("Broker", METRICS),
    ("Kafka edge", kafka.METRICS),
    ("Log", log.METRICS),
    ("Journal", journal.METRICS),
    ("Maintenance", maintenance.METRICS),
    ("Topics", topics.METRICS),
    ("Brokers", brokers.METRICS),
    ("Consumer groups", groups.METRICS),
    ("HTTP port", web.METRICS),
)
"""Every table of metrics there is, under the title of its part of the reference page."""


class Telemetry:
    """The metrics of one running broker."""

    def __init__(self) -> None:
        self.stats = BrokerStats()
        self._sources = [MetricSource(METRICS, self.stats)]

    def add(
        self, metrics: Sequence[Metric], stats: object, refresh: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Show a room's metrics; `refresh` is awaited before each scrape."""
        assert any(metrics is table for _, table in TABLES), "a table of metrics belongs into TABLES"
        self._sources.append(MetricSource(metrics, stats, refresh))

    def sources(self) -> list[MetricSource]:
        """Return everything that is shown."""
        return self._sources

    async def run(self) -> None:
        """Measure the event loop's lag for ever; the caller owns the task."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + PROBE_INTERVAL_S
            await asyncio.sleep(PROBE_INTERVAL_S)
            self.stats.loop_lag.observe(max(0.0, loop.time() - due_s))
