"""APIs and errors by the names that people know them by: Kafka's, in any spelling, a client's constants, a number."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Protocol, runtime_checkable

from fleuve.app.options import UsageError
from fleuve.wire.apis import APIS
from fleuve.wire.errors import ErrorCode

_OLDER_NAMES = {
    "GROUP_COORDINATOR_NOT_AVAILABLE": ErrorCode.COORDINATOR_NOT_AVAILABLE,
    "GROUP_LOAD_IN_PROGRESS": ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    "NOT_COORDINATOR_FOR_GROUP": ErrorCode.NOT_COORDINATOR,
    "NOT_LEADER_FOR_PARTITION": ErrorCode.NOT_LEADER_OR_FOLLOWER,
    "REPLICA_NOT_AVAILABLE": ErrorCode.REPLICA_NOT_AVAILABLE,
}
"""Names that errors had in older Kafkas, and have in some clients."""


@runtime_checkable
class HasErrno(Protocol):
    """An error of kafka-python or aiokafka, class or instance: it knows its code."""

    errno: int


ErrorName = str | int | HasErrno | type[Exception]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_APIS = {_plain(info.name): info.key for info in APIS.values()}
_ERRORS = {_plain(name): code for name, code in (*ErrorCode.__members__.items(), *_OLDER_NAMES.items())}


def api_key(api: str | int) -> int:
    """Return the key of an API. Raises UsageError."""
    if isinstance(api, int):
        if api in APIS:
            return int(api)
        raise UsageError(f"this broker has no API with key {int(api)}: want a name, as in 'Produce'")
    key = _APIS.get(_plain(api))
    if key is None:
        advice = _advice(_plain(api), {plain: APIS[key].name for plain, key in _APIS.items()}, "'Produce'")
        raise UsageError(f"this broker has no API named {api!r}; {advice}")
    return key


def error_code(error: ErrorName) -> ErrorCode:
    """Return the code of an error. Raises UsageError."""
    if not isinstance(error, str | int):
        error = getattr(error, "errno", repr(error))
    if isinstance(error, int):
        if error not in ErrorCode.__members__.values():
            raise UsageError(f"{int(error)} is no error code of Kafka: want a name, as in 'NOT_LEADER_OR_FOLLOWER'")
        code = ErrorCode(error)
    else:
        found = _ERRORS.get(_plain(error)) or _ERRORS.get(re.sub("(error|exception)$", "", _plain(error)))
        if found is None:
            names = {plain: code.name for plain, code in _ERRORS.items()}
            advice = _advice(_plain(str(error)), names, "'NOT_LEADER_OR_FOLLOWER'")
            raise UsageError(f"Kafka has no error named {error!r}; {advice}")
        code = found
    if code == ErrorCode.NONE:
        raise UsageError("NONE is no error: to let requests succeed again, clear the fault")
    return code


def _advice(plain: str, names: dict[str, str], example: str) -> str:
    # A part of a name is more like it than another name of its length.
    found = [name for name in names if len(plain) > 3 and plain in name] or get_close_matches(plain, names, cutoff=0.7)
    near = list(dict.fromkeys(names[one] for one in found))[:3]
    return f"did you mean {' or '.join(near)}?" if near else f"want a name, as in {example}"
