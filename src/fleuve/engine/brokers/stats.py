"""What the brokers room counts."""

from __future__ import annotations

from fleuve.base.metric import Kind, Metric


class BrokerStats:
    """The brokers that live, and this one's lease."""

    __slots__ = ("identity", "live", "renewals", "renewals_failed")

    def __init__(self) -> None:
        self.identity: dict[tuple[str, str], int] = {}
        self.live = 0
        self.renewals = 0
        self.renewals_failed = 0


METRICS = (
    Metric(
        "fleuve_broker_info",
        Kind.GAUGE,
        "Always 1; the labels tell which cluster this is, and which broker of it.",
        "identity",
        ("cluster_id", "broker_id"),
    ),
    Metric("fleuve_brokers_live", Kind.GAUGE, "Brokers of the cluster whose lease holds.", "live"),
    Metric("fleuve_broker_lease_renewals_total", Kind.COUNTER, "Renewals of this broker's lease.", "renewals"),
    Metric(
        "fleuve_broker_lease_renewals_failed_total",
        Kind.COUNTER,
        "Renewals that failed because the catalog could not be reached.",
        "renewals_failed",
    ),
)
