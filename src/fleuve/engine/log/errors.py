"""What can go wrong between a client's batch and the log."""

from __future__ import annotations

from fleuve.base.errors import FleuveError, Verdict


class UnknownPartition(FleuveError, verdict=Verdict.REFRESH):
    """There is no such partition (any more)."""


class OffsetOutOfRange(FleuveError, verdict=Verdict.REFRESH):
    """The offset is below the log start or above the log end, as the catalog knows them."""


class MessageTooLarge(FleuveError, verdict=Verdict.REJECT):
    """The batch is larger than the topic's `max.message.bytes`."""


class FencedLeaderEpoch(FleuveError, verdict=Verdict.REFRESH):
    """The client's leader epoch is older than the partition's (KIP-320)."""


class UnknownLeaderEpoch(FleuveError, verdict=Verdict.RETRY):
    """The client's leader epoch is newer than the partition's (KIP-320)."""


class StorageFailed(FleuveError, verdict=Verdict.RETRY):
    """The batch could not be stored, and is not in the log. It may be sent again."""


class OutcomeUnknown(FleuveError, verdict=Verdict.RETRY):
    """The batch may or may not be in the log. An idempotent producer that sends it again finds out."""


class ShuttingDown(FleuveError, verdict=Verdict.REFRESH):
    """The broker is stopping and takes no more batches."""


class OutOfOrderSequence(FleuveError, verdict=Verdict.RETRY):
    """The batch does not follow the producer's last one (KIP-98)."""


class ProducerFenced(FleuveError, verdict=Verdict.REJECT):
    """The producer's epoch is older than the one that the partition knows (KIP-98)."""


class TransactionsUnsupported(FleuveError, verdict=Verdict.REJECT):
    """The batch is part of a transaction, and there is none."""
