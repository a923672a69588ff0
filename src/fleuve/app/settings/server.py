"""Threads, waiting rooms and reporters of Kafka's server: accepted."""

from __future__ import annotations

from fleuve.app.settings.rows import CLUSTER_WIDE, INT, LIST, LONG, STRING, accepted
from fleuve.base.setting import AtLeast, Setting

_ONE_LOOP = "one event loop serves all connections."
_NO_PURGATORY = "what waits is woken by events and leaves nothing behind."
_METRICS = "metrics are at /metrics on the HTTP port."
_NO_REQUESTS = "the broker sends no requests of its own."
_FIXED = "the bound is fixed at its default."
_NO_TELEMETRY = "there are no client metrics in this version."

SETTINGS: tuple[Setting, ...] = (
    accepted(
        "delete.records.purgatory.purge.interval.requests",
        INT,
        "1",
        "Finished DeleteRecords requests after which the waiting room is swept.",
        _NO_PURGATORY,
    ),
    accepted(
        "fetch.purgatory.purge.interval.requests",
        INT,
        "1000",
        "Finished fetches after which the waiting room is swept.",
        _NO_PURGATORY,
    ),
    accepted(
        "kafka.metrics.polling.interval.secs",
        INT,
        "10",
        "How often metrics reporters are asked.",
        _METRICS,
        check=AtLeast(1),
    ),
    accepted("kafka.metrics.reporters", LIST, "", "Classes that report Yammer metrics.", _METRICS),
    accepted(
        "max.request.partition.size.limit",
        INT,
        "2000",
        "Partitions that one DescribeTopicPartitions answer may have.",
        _FIXED,
        check=AtLeast(1),
    ),
    accepted(
        "metric.reporters",
        LIST,
        "org.apache.kafka.common.metrics.JmxReporter",
        "Classes that report metrics.",
        _METRICS,
        mode=CLUSTER_WIDE,
    ),
    accepted("metrics.num.samples", INT, "2", "Samples of which a metric is made.", _METRICS, check=AtLeast(1)),
    accepted("metrics.recording.level", STRING, "INFO", "How much is measured.", _METRICS),
    accepted(
        "metrics.sample.window.ms", LONG, "30000", "Length of one sample of a metric.", _METRICS, check=AtLeast(1)
    ),
    accepted(
        "num.io.threads", INT, "8", "Threads that work on requests.", _ONE_LOOP, check=AtLeast(1), mode=CLUSTER_WIDE
    ),
    accepted(
        "num.network.threads",
        INT,
        "3",
        "Threads that read requests and write answers, per listener.",
        _ONE_LOOP,
        check=AtLeast(1),
        mode=CLUSTER_WIDE,
    ),
    accepted(
        "producer.purgatory.purge.interval.requests",
        INT,
        "1000",
        "Finished produce requests after which the waiting room is swept.",
        _NO_PURGATORY,
    ),
    accepted("request.timeout.ms", INT, "30000", "Time-out of requests that the broker itself sends.", _NO_REQUESTS),
    accepted(
        "socket.connection.setup.timeout.max.ms",
        LONG,
        "30000",
        "Longest time-out of a connection that the broker makes.",
        _NO_REQUESTS,
    ),
    accepted(
        "socket.connection.setup.timeout.ms",
        LONG,
        "10000",
        "First time-out of a connection that the broker makes.",
        _NO_REQUESTS,
    ),
    accepted(
        "telemetry.max.bytes",
        INT,
        "1048576",
        "Bytes of the largest set of client metrics.",
        _NO_TELEMETRY,
        check=AtLeast(1),
    ),
)
