"""How the brokers are started that are compared: the same settings for both, and what makes Fleuve as strict."""

from __future__ import annotations

SETTINGS = {
    "num.partitions": "1",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "log.retention.ms": "-1",
    "group.initial.rebalance.delay.ms": "0",
    "group.max.size": "3",
    "group.min.session.timeout.ms": "100",
    "group.consumer.min.session.timeout.ms": "1000",
}

FLEUVE_SETTINGS = {**SETTINGS, "fleuve.replication.factor.strict": "true"}
"""Kafka's errors for more replicas than brokers, too."""
