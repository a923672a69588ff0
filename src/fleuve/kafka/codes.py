"""The one table from Fleuve's errors to Kafka's error codes.

Each room has its rows in `codes_<room>.py` (`CODES`); here they are joined. An error is looked up by its class,
then by its base classes.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError, Verdict
from fleuve.kafka import codes_configs, codes_groups, codes_log, codes_topics, sessions
from fleuve.ports import errors as ports
from fleuve.wire.errors import DecodeError, ErrorCode

CODES: dict[type[FleuveError], ErrorCode] = {
    # What adapters raise gets here where a room has nothing better to say of it.
    ports.CatalogUnavailable: ErrorCode.KAFKA_STORAGE_ERROR,
    ports.StoreUnavailable: ErrorCode.KAFKA_STORAGE_ERROR,
    ports.ObjectMissing: ErrorCode.KAFKA_STORAGE_ERROR,
    ports.VersionConflict: ErrorCode.KAFKA_STORAGE_ERROR,
    ports.CorruptState: ErrorCode.KAFKA_STORAGE_ERROR,
    ports.Fenced: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    DecodeError: ErrorCode.INVALID_REQUEST,
    sessions.SessionNotFound: ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
    sessions.InvalidSessionEpoch: ErrorCode.INVALID_FETCH_SESSION_EPOCH,
    sessions.SessionTopicIdMismatch: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
    **codes_configs.CODES,
    **codes_groups.CODES,
    **codes_log.CODES,
    **codes_topics.CODES,
}
"""Every error that may reach a client, and its code. A room adds a line `**codes_<room>.CODES`."""


class Refused(FleuveError, verdict=Verdict.REJECT):
    """What the edge itself refuses, with the code to say so: not authorized, unknown topic, …"""

    def __init__(self, code: ErrorCode, message: str = "") -> None:
        super().__init__(message)
        self.code = code


def code_of(error: FleuveError) -> ErrorCode:
    """Return the code that tells a client of `error`; UNKNOWN_SERVER_ERROR if no row names it."""
    if isinstance(error, Refused):
        return error.code
    for kind in type(error).__mro__:
        code = CODES.get(kind)
        if code is not None:
            return code
    return ErrorCode.UNKNOWN_SERVER_ERROR
