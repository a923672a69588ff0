"""The type of a metric: one row, written in the room that counts.

A room keeps its counts in a slots class of plain numbers (`Stats`, in its `stats.py`) and lists beside it, in
`METRICS: tuple[Metric, ...]`, what each attribute is called outside. Counting costs an addition; names,
labels and text are made when somebody asks.

    class LogStats:
        __slots__ = ("buffer_bytes", "flush_seconds", "flushes")

        def __init__(self) -> None:
            self.flushes = 0
            self.buffer_bytes = 0
            self.flush_seconds = Histogram()

    METRICS = (
        Metric("fleuve_log_flushes_total", Kind.COUNTER, "Flushes written.", "flushes"),
        Metric("fleuve_log_buffer_bytes", Kind.GAUGE, "Bytes that wait for a flush.", "buffer_bytes"),
        Metric("fleuve_log_flush_seconds", Kind.HISTOGRAM, "Time a flush took.", "flush_seconds"),
    )

Names follow Prometheus: `fleuve_` and the room in front, the base unit behind (`_seconds`, `_bytes`),
`_total` for counters. An attribute with labels is a dict: from the label's value, or from a tuple of values if
there are several, to the number or histogram.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Prometheus' types of metrics."""

    COUNTER = "counter"
    """Only grows; starts at 0 with the broker."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: what it is called outside, and which attribute of the room's stats holds it.

    The attribute may be a property or a method without parameters, for what is cheaper to compute when asked.
    """

    name: str
    kind: Kind
    help: str
    attribute: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricSource:
    """One room's metrics with the object that holds their values.

    `refresh` is awaited before the values are read, for what has to be looked up (consumer lag).
    """

    metrics: Sequence[Metric]
    stats: object
    refresh: Callable[[], Awaitable[None]] | None = None


LATENCY_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets for latencies, in seconds: from a quick flush to a client's patience."""


class Histogram:
    """Counts values by size: `counts[i]` are those up to `bounds[i]`, and the last one has the rest.

    Single-threaded, like all stats. A hot path may do by hand what `observe` does.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = LATENCY_BOUNDS_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count `value`."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value
