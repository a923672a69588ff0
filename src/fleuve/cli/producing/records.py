"""One record to be sent, and how it is read: from a line of text, or from the JSON that `fleuve consume` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleuve.cli.output.json_lines import decoded

Header = tuple[str, bytes | None]

PARTITION_AUTO = -1
"""The client chooses: by the key, or any if there is none."""
TIMESTAMP_NOW = -1

_KEPT = frozenset({"value", "key", "headers", "partition", "timestamp"})
# These say where a record was, and do not matter where it goes.
_KNOWN = _KEPT | {"topic", "offset", "timestamp_type"}


@dataclass(frozen=True, slots=True)
class Record:
    """A record to be sent."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[Header, ...] = ()
    partition: int = PARTITION_AUTO
    timestamp: int = TIMESTAMP_NOW


class TextForm:
    """How a line becomes a key and a value."""

    def __init__(self, *, key_separator: bytes | None, null_marker: bytes | None, key: bytes | None) -> None:
        self._key_separator = key_separator
        self._null_marker = null_marker
        self._key = key

    @property
    def plain(self) -> bool:
        """Whether each line is a value as it is."""
        return self._key_separator is None and self._null_marker is None

    def read(self, line: bytes) -> tuple[bytes | None, bytes | None]:
        """Return key and value. Raises ValueError if the separator is missing."""
        key, value = self._key, line
        if self._key_separator is not None:
            before, found, value = line.partition(self._key_separator)
            if not found:
                shown = self._key_separator.decode("utf-8", "backslashreplace")
                raise ValueError(f"has no key separator {shown!r}")
            key = before if self._key is None else self._key
        marker = self._null_marker
        return (None if key == marker else key), (None if value == marker else value)


def record_of_json(line: bytes, *, timestamp_ms: int | None = None) -> Record:
    """Return the record that a line of `fleuve consume --output json` says, with `timestamp_ms` if that is given.

    Raises ValueError, which says what is wrong.
    """
    try:
        document = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8, as JSON is") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error.msg} at column {error.colno})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("is not a JSON object")
    if not document.keys() <= _KNOWN:
        unknown = min(document.keys() - _KNOWN)
        raise ValueError(f"has an unknown field {unknown!r}; known are {', '.join(sorted(_KEPT))}")
    if "value" not in document:
        raise ValueError('has no "value"; null makes a tombstone')
    return Record(
        value=_bytes(document, "value"),
        key=_bytes(document, "key"),
        headers=_headers(document.get("headers")),
        partition=_whole_number(document, "partition", absent=PARTITION_AUTO),
        timestamp=_timestamp(document) if timestamp_ms is None else timestamp_ms,
    )


def _bytes(document: Mapping[str, Any], field: str) -> bytes | None:
    try:
        return decoded(document.get(field))
    except UnicodeEncodeError:
        raise ValueError(f"{field}: has half of a character; give its bytes as base64") from None
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def is_sendable_name(name: str) -> bool:
    """Return whether a header can have this name: the client library crashes at halves of characters."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _headers(found: object) -> tuple[Header, ...]:
    if found is None:
        return ()
    want = 'headers: want a list of {"name": "…", "value": "…"}'
    if not isinstance(found, list):
        raise ValueError(want)
    headers: list[Header] = []
    for header in found:
        match header:
            case {"name": str(name), "value": _, **rest} if not rest:
                if "\0" in name:
                    raise ValueError("headers: a name with a zero character cannot be sent by the client library")
                if not is_sendable_name(name):
                    raise ValueError("headers: a name has half of a character, which cannot be sent")
                headers.append((name, _bytes(header, "value")))
            case _:
                raise ValueError(want)
    return tuple(headers)


def _timestamp(document: Mapping[str, Any]) -> int:
    timestamp = _whole_number(document, "timestamp", absent=TIMESTAMP_NOW)
    if timestamp == 0:
        # librdkafka takes 0 for "not given", and would send the present moment instead.
        raise ValueError("timestamp: 0 cannot be sent by the client library; leave it out, or give --timestamp")
    return timestamp


def _whole_number(document: Mapping[str, Any], field: str, *, absent: int) -> int:
    found = document.get(field)
    if found is None:
        return absent
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 2**63:
        raise ValueError(f"{field}: want a whole number from 0")
    return found
