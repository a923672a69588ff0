"""What Fleuve's brokers tell over HTTP and Kafka's protocol does not: their connections, and how many bytes go by.

Nobody has to have this: whoever does not answer in time, or is no broker of the cluster, is left out.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

PORT_DEFAULT = 9644
TIMEOUT_S = 1.0
_SIZE_BYTES_MAX = 20_000_000
_BROKERS_MAX = 32


@dataclass(frozen=True, slots=True)
class BrokerMetrics:
    """What a broker has counted since it began, and its connections now."""

    connections: int
    requests: float
    received_bytes: float
    sent_bytes: float


def urls_of(hosts: Iterable[str]) -> list[str]:
    """Return where brokers on these hosts would have their metrics."""
    bracketed = (f"[{host}]" if ":" in host else host for host in dict.fromkeys(hosts))
    return [f"http://{host}:{PORT_DEFAULT}/metrics" for host in bracketed][:_BROKERS_MAX]


def fetched(urls: Iterable[str], *, cluster_id: str | None) -> dict[int, BrokerMetrics]:
    """Return what the brokers of the cluster among these answer, by their id."""
    wanted = list(urls)
    if not wanted:
        return {}
    with ThreadPoolExecutor(max_workers=len(wanted)) as threads:
        texts = list(threads.map(_text, wanted))
    return {broker: metrics for text in texts for broker, metrics in parsed(text, cluster_id=cluster_id).items()}


def _text(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            data: bytes = answer.read(_SIZE_BYTES_MAX)
            return data.decode(errors="replace")
    except (OSError, ValueError):
        return ""


def parsed(text: str, *, cluster_id: str | None) -> Mapping[int, BrokerMetrics]:
    """Return the broker that a page of metrics is of: none, if it is not one of Fleuve's in this cluster.

    Another cluster's broker may well have the port on this host.
    """
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except ValueError:
        return {}
    sums: dict[str, float] = {}
    broker = None
    for sample in samples:
        sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        if sample.name == "fleuve_broker_info" and sample.labels.get("cluster_id") == cluster_id:
            broker = int(sample.labels["broker_id"])
    if broker is None:
        return {}
    return {
        broker: BrokerMetrics(
            connections=int(sums.get("fleuve_kafka_connections", 0)),
            requests=sums.get("fleuve_kafka_requests_total", 0.0),
            received_bytes=sums.get("fleuve_kafka_received_bytes_total", 0.0),
            sent_bytes=sums.get("fleuve_kafka_sent_bytes_total", 0.0),
        )
    }
