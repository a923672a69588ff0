"""From the rooms' plain numbers to Prometheus' text.

Two steps, because the text of thousands of series takes tens of milliseconds: `snapshot` copies the numbers, on the
event loop, so that they belong together; `render` makes the text, in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from fleuve.base.metric import Histogram, Kind, Metric, MetricSource

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

SERIES_MAX = 1_000
"""Series of one metric that are shown. Topics and groups are the clients' to name: their number must not decide
how long a scrape takes. Those left out are counted in `fleuve_web_series_left_out`."""

LEFT_OUT = Metric(
    "fleuve_web_series_left_out",
    Kind.GAUGE,
    f"Series of a metric that were left out because it has more than {SERIES_MAX}.",
    "",
    labels=("metric",),
)

METRICS = (LEFT_OUT,)

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistogramValues:
    """A histogram's numbers at one moment."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """A metric with its values at one moment, by label values."""

    metric: Metric
    samples: list[tuple[Labels, float | HistogramValues]]


def snapshot(sources: Iterable[MetricSource]) -> list[Sampled]:
    """Return the values of all metrics now, at most SERIES_MAX of each."""
    sampled = []
    left_out: list[tuple[Labels, float | HistogramValues]] = []
    for source in sources:
        for metric in source.metrics:
            value = getattr(source.stats, metric.attribute)
            values = value() if callable(value) else value
            if not metric.labels:
                sampled.append(Sampled(metric, [((), _copied(values))]))
                continue
            samples = [(_labels(key), _copied(one)) for key, one in islice(values.items(), SERIES_MAX)]
            sampled.append(Sampled(metric, samples))
            if len(values) > SERIES_MAX:
                left_out.append(((metric.name,), len(values) - SERIES_MAX))
    sampled.append(Sampled(LEFT_OUT, left_out))
    return sampled


def _labels(key: object) -> Labels:
    return tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)


def _copied(value: Any) -> float | HistogramValues:
    if isinstance(value, Histogram):
        return HistogramValues(value.bounds, tuple(value.counts), value.sum)
    return float(value)


class _Collected:
    """Families that were made already, in the shape that prometheus-client's writers ask for."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families


def render(sampled: Sequence[Sampled], accept: str) -> tuple[bytes, str]:
    """Return the text of the metrics and its content type, in the form that the header `accept` asks for.

    The process's own numbers (memory, CPU, open files) are added under Prometheus' usual names. Call it in a thread.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder

    process = ProcessCollector(registry=CollectorRegistry(auto_describe=False))
    families = [_family(one) for one in sampled]
    encode, content_type = choose_encoder(accept)
    return encode(_Collected([*families, *process.collect()])), content_type


def _family(sampled: Sampled) -> Family:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    metric = sampled.metric
    family: Any
    match metric.kind:
        case Kind.COUNTER:
            family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        case Kind.GAUGE:
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        case Kind.HISTOGRAM:
            family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in sampled.samples:
        if isinstance(value, HistogramValues):
            family.add_metric(labels, buckets=_buckets(value), sum_value=value.sum)
        else:
            family.add_metric(labels, value)
    return family  # type: ignore[no-any-return]


def _buckets(values: HistogramValues) -> list[tuple[str, float]]:
    bounds = [*(f"{bound:g}" for bound in values.bounds), "+Inf"]
    return list(zip(bounds, accumulate(values.counts), strict=True))
