"""What can be wrong with record batches and records.

Which Kafka error code each class becomes is decided where answers are written; the class docstrings name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fleuve.base.errors import FleuveError, Verdict


class RecordError(NamedTuple):
    """What is wrong with one record of a refused batch, as Produce answers it (KIP-467)."""

    batch_index: int
    """Place of the record in its batch, from 0."""
    message: str


class CorruptBatch(FleuveError, verdict=Verdict.RETRY):
    """The bytes are no sound record batch: cut off, or the checksum differs (CORRUPT_MESSAGE).

    Worth a retry, as Kafka's clients do it: the sender's own copy may be sound.
    """


class CorruptStoredBatch(CorruptBatch, verdict=Verdict.FATAL):
    """Stored bytes are not the batches they should be."""


class InvalidRecord(FleuveError, verdict=Verdict.REJECT):
    """A sound batch that a producer may not send (INVALID_RECORD)."""

    def __init__(self, message: str, records: Sequence[RecordError] = ()) -> None:
        super().__init__(message)
        self.records = tuple(records)
        """The records at fault, if single ones are."""


class CorruptRecord(InvalidRecord):
    """The checksum is good, but the records cannot be decoded, or are more than allowed (INVALID_RECORD).

    A retry would bring the same bytes again; so it is not CORRUPT_MESSAGE, which clients retry.
    """


class UnsupportedMagic(InvalidRecord):
    """Message format 0 or 1, which ended with Kafka 4.0 (KIP-724). INVALID_RECORD, as Kafka answers."""


class InvalidTimestamp(InvalidRecord):
    """A record's time is outside what the topic allows, or not the producer's to set (INVALID_TIMESTAMP)."""


class UnsupportedCompression(FleuveError, verdict=Verdict.REJECT):
    """An unknown compression code, or one that this request may not use (UNSUPPORTED_COMPRESSION_TYPE)."""
