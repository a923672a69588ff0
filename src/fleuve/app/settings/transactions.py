"""Transactions: accepted as long as nothing is promised."""

from __future__ import annotations

from fleuve.app.settings.rows import BOOLEAN, CLUSTER_WIDE, INT, SHORT, accepted, refused
from fleuve.base.setting import AtLeast, Setting

_NO_TRANSACTIONS = "there are no transactions in this version."
_NO_TWO_PHASE = "there are no transactions in this version, nor two-phase commit; leave it off."

SETTINGS: tuple[Setting, ...] = (
    accepted(
        "add.partitions.to.txn.retry.backoff.max.ms",
        INT,
        "100",
        "How long the broker itself retries to add a partition to a transaction.",
        _NO_TRANSACTIONS,
        check=AtLeast(0),
    ),
    accepted(
        "add.partitions.to.txn.retry.backoff.ms",
        INT,
        "20",
        "Pause before the broker retries to add a partition to a transaction.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
    accepted(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        INT,
        "10000",
        "How often transactions that timed out are aborted.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
    accepted(
        "transaction.max.timeout.ms",
        INT,
        "900000",
        "Longest time-out that a transaction may have.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
    accepted(
        "transaction.partition.verification.enable",
        BOOLEAN,
        "true",
        "Whether a partition must have been added to a transaction before it is written.",
        _NO_TRANSACTIONS,
        mode=CLUSTER_WIDE,
    ),
    accepted(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        INT,
        "3600000",
        "How often expired transactional ids are removed.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
    accepted(
        "transaction.state.log.load.buffer.size",
        INT,
        "5242880",
        "Bytes read at once when transaction state is loaded.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
    accepted(
        "transaction.state.log.min.isr",
        INT,
        "2",
        "`min.insync.replicas` of the transaction state topic.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
    accepted(
        "transaction.state.log.num.partitions",
        INT,
        "50",
        "Partitions of the transaction state topic.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
    accepted(
        "transaction.state.log.replication.factor",
        SHORT,
        "3",
        "Replication factor of the transaction state topic.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
    accepted(
        "transaction.state.log.segment.bytes",
        INT,
        "104857600",
        "Segment size of the transaction state topic.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
    refused(
        "transaction.two.phase.commit.enable",
        BOOLEAN,
        "false",
        "Whether transactions may wait for an outside coordinator (two-phase commit).",
        _NO_TWO_PHASE,
    ),
    accepted(
        "transactional.id.expiration.ms",
        INT,
        "604800000",
        "Time after which an unused transactional id is forgotten.",
        _NO_TRANSACTIONS,
        check=AtLeast(1),
    ),
)
