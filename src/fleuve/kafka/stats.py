"""What the Kafka edge counts."""

from __future__ import annotations

from bisect import bisect_left

from fleuve.base.metric import Histogram, Kind, Metric
from fleuve.wire.errors import ErrorCode


class ApiStats:
    """Counts of one API."""

    __slots__ = ("latency", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.latency = Histogram()

    def answered(self, seconds: float) -> None:
        """Count a request that was answered after `seconds`."""
        self.requests += 1
        latency = self.latency
        latency.counts[bisect_left(latency.bounds, seconds)] += 1
        latency.sum += seconds


class KafkaStats:
    """Counts of all connections and requests."""

    __slots__ = (
        "_errors",
        "apis",
        "connections",
        "connections_accepted",
        "connections_expired",
        "connections_refused",
        "connections_shed",
        "fetch_memory_bytes",
        "fetch_memory_capacity_bytes",
        "malformed",
        "received_bytes",
        "request_memory_bytes",
        "request_memory_capacity_bytes",
        "sent_bytes",
        "sessions",
        "sessions_evicted",
    )

    def __init__(self) -> None:
        self.apis: dict[str, ApiStats] = {}
        self._errors: dict[tuple[str, int], int] = {}
        self.connections = 0
        self.connections_accepted = 0
        self.connections_expired = 0
        self.connections_refused = 0
        self.connections_shed = 0
        self.malformed = 0
        self.received_bytes = 0
        self.sent_bytes = 0
        self.request_memory_bytes = 0
        self.request_memory_capacity_bytes = 0
        self.fetch_memory_bytes = 0
        self.fetch_memory_capacity_bytes = 0
        self.sessions = 0
        self.sessions_evicted = 0

    def api(self, name: str) -> ApiStats:
        """Return the counts of an API."""
        found = self.apis.get(name)
        if found is None:
            found = self.apis[name] = ApiStats()
        return found

    def error(self, api: str, code: int) -> None:
        """Count an error code that a client got."""
        key = (api, code)
        self._errors[key] = self._errors.get(key, 0) + 1

    @property
    def requests(self) -> dict[str, int]:
        """Requests answered, by API."""
        return {name: counts.requests for name, counts in self.apis.items()}

    @property
    def latencies(self) -> dict[str, Histogram]:
        """Seconds from a request's arrival to its answer, by API."""
        return {name: counts.latency for name, counts in self.apis.items()}

    @property
    def errors(self) -> dict[tuple[str, str], int]:
        """Error codes that clients got, by API and code."""
        return {(api, _name_of(code)): count for (api, code), count in self._errors.items()}


def _name_of(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return str(code)


METRICS = (
    Metric("fleuve_kafka_requests_total", Kind.COUNTER, "Requests answered.", "requests", ("api",)),
    Metric(
        "fleuve_kafka_errors_total",
        Kind.COUNTER,
        "Error codes in answers: one for each answer, topic or partition that has one.",
        "errors",
        ("api", "code"),
    ),
    Metric(
        "fleuve_kafka_request_seconds",
        Kind.HISTOGRAM,
        "Time from a request's arrival to its answer, waiting included.",
        "latencies",
        ("api",),
    ),
    Metric("fleuve_kafka_received_bytes_total", Kind.COUNTER, "Bytes received.", "received_bytes"),
    Metric("fleuve_kafka_sent_bytes_total", Kind.COUNTER, "Bytes given to sockets.", "sent_bytes"),
    Metric("fleuve_kafka_connections", Kind.GAUGE, "Open connections.", "connections"),
    Metric("fleuve_kafka_connections_accepted_total", Kind.COUNTER, "Connections opened.", "connections_accepted"),
    Metric(
        "fleuve_kafka_connections_refused_total",
        Kind.COUNTER,
        "Connections refused, since there were too many.",
        "connections_refused",
    ),
    Metric(
        "fleuve_kafka_connections_expired_total",
        Kind.COUNTER,
        "Connections closed because they were idle.",
        "connections_expired",
    ),
    Metric(
        "fleuve_kafka_connections_shed_total",
        Kind.COUNTER,
        "Connections closed because they held memory without progress.",
        "connections_shed",
    ),
    Metric(
        "fleuve_kafka_malformed_total",
        Kind.COUNTER,
        "Connections closed because of bytes that are no request that this broker serves.",
        "malformed",
    ),
    Metric(
        "fleuve_kafka_request_memory_bytes",
        Kind.GAUGE,
        "Bytes of requests being received or waiting.",
        "request_memory_bytes",
    ),
    Metric(
        "fleuve_kafka_request_memory_capacity_bytes",
        Kind.GAUGE,
        "Their bound, fleuve.request.memory.bytes.",
        "request_memory_capacity_bytes",
    ),
    Metric(
        "fleuve_kafka_fetch_memory_bytes",
        Kind.GAUGE,
        "Bytes of answers that clients have not taken yet.",
        "fetch_memory_bytes",
    ),
    Metric(
        "fleuve_kafka_fetch_memory_capacity_bytes",
        Kind.GAUGE,
        "Their bound, fleuve.fetch.memory.bytes.",
        "fetch_memory_capacity_bytes",
    ),
    Metric("fleuve_kafka_fetch_sessions", Kind.GAUGE, "Incremental fetch sessions.", "sessions"),
    Metric(
        "fleuve_kafka_fetch_sessions_evicted_total",
        Kind.COUNTER,
        "Fetch sessions that made room for others.",
        "sessions_evicted",
    ),
)
