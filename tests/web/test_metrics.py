"""What the rooms count comes out as Prometheus' text."""

from prometheus_client.parser import text_string_to_metric_families

from fleuve.base.metric import Histogram, Kind, Metric, MetricSource
from fleuve.web.metrics import SERIES_MAX, render, snapshot

METRICS = (
    Metric("fleuve_room_requests_total", Kind.COUNTER, "Requests.", "requests", labels=("api", "error")),
    Metric("fleuve_room_lag", Kind.GAUGE, "Lag.", "lag", labels=("group",)),
    Metric("fleuve_room_size_bytes", Kind.GAUGE, "Size.", "size_bytes"),
    Metric("fleuve_room_wait_seconds", Kind.HISTOGRAM, "Waits.", "waits"),
)


class Stats:
    def __init__(self):
        self.requests = {("Fetch", "NONE"): 3, ("Fetch", 'a"b\n'): 1}
        self.lag = {"g": 7}
        self.waits = Histogram((0.5, 1.0))

    def size_bytes(self):
        return 12


def samples(stats, accept=""):
    text, _ = render(snapshot([MetricSource(METRICS, stats)]), accept)
    families = text_string_to_metric_families(text.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_counters_and_gauges_keep_their_labels_whatever_they_contain():
    found = samples(Stats())
    assert found["fleuve_room_requests_total", (("api", "Fetch"), ("error", "NONE"))] == 3
    assert found["fleuve_room_requests_total", (("api", "Fetch"), ("error", 'a"b\n'))] == 1
    assert found["fleuve_room_lag", (("group", "g"),)] == 7


def test_a_value_may_be_computed_when_it_is_asked_for():
    assert samples(Stats())["fleuve_room_size_bytes", ()] == 12


def test_the_buckets_of_a_histogram_are_cumulative():
    stats = Stats()
    for value in (0.1, 0.6, 0.7, 9.0):
        stats.waits.observe(value)
    found = samples(stats)
    buckets = [found["fleuve_room_wait_seconds_bucket", (("le", bound),)] for bound in ("0.5", "1", "+Inf")]
    assert buckets == [1, 3, 4]
    assert found["fleuve_room_wait_seconds_count", ()] == 4


def test_a_snapshot_does_not_move_with_the_room():
    stats = Stats()
    before = snapshot([MetricSource(METRICS, stats)])
    stats.waits.observe(0.1)
    stats.lag["g"] = 8
    assert before[1].samples == [(("g",), 7.0)]
    assert b'fleuve_room_wait_seconds_bucket{le="+Inf"} 0.0' in render(before, "")[0]


def test_the_series_of_a_metric_are_bounded_and_the_rest_is_counted():
    stats = Stats()
    stats.lag = {f"group-{number}": number for number in range(SERIES_MAX + 5)}
    found = samples(stats)
    assert sum(name == "fleuve_room_lag" for name, _ in found) == SERIES_MAX
    assert found["fleuve_web_series_left_out", (("metric", "fleuve_room_lag"),)] == 5


def test_the_process_is_measured_too():
    assert samples(Stats())["process_resident_memory_bytes", ()] > 0


def test_openmetrics_is_there_for_who_asks_for_it():
    text, content_type = render(snapshot([]), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
