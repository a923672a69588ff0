"""Kafka's error codes for what goes wrong with record batches and the log."""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.engine.log import errors as log
from fleuve.records import errors as records
from fleuve.wire.errors import ErrorCode

CODES: dict[type[FleuveError], ErrorCode] = {
    log.UnknownPartition: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    log.OffsetOutOfRange: ErrorCode.OFFSET_OUT_OF_RANGE,
    log.MessageTooLarge: ErrorCode.MESSAGE_TOO_LARGE,
    log.FencedLeaderEpoch: ErrorCode.FENCED_LEADER_EPOCH,
    log.UnknownLeaderEpoch: ErrorCode.UNKNOWN_LEADER_EPOCH,
    log.StorageFailed: ErrorCode.KAFKA_STORAGE_ERROR,
    log.OutcomeUnknown: ErrorCode.REQUEST_TIMED_OUT,
    log.ShuttingDown: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    log.OutOfOrderSequence: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    log.ProducerFenced: ErrorCode.INVALID_PRODUCER_EPOCH,
    log.TransactionsUnsupported: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    records.CorruptBatch: ErrorCode.CORRUPT_MESSAGE,
    records.InvalidRecord: ErrorCode.INVALID_RECORD,
    records.InvalidTimestamp: ErrorCode.INVALID_TIMESTAMP,
    records.UnsupportedCompression: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
}
