"""JSON for programs: one object a line. Bytes are text where they are UTF-8, else an object with their base64."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from fleuve.cli.output.standard_output import write

# Made once: json.dumps would make it for each line.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

# What JSON leaves as it is and a terminal may obey: DEL, the C1 control characters, marks of direction.
_HARMFUL = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def encoded(data: bytes | None) -> str | dict[str, str] | None:
    """Return bytes as JSON has them: text, or {"base64": "…"} where they are not UTF-8; None stays None."""
    if data is None:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def decoded(value: object) -> bytes | None:
    """Return the bytes that `encoded` made `value` of. Raises ValueError, which says what was expected."""
    match value:
        case None:
            return None
        case str():
            return value.encode("utf-8")
        case {"base64": str(text)}:
            return base64.b64decode(text, validate=True)
        case _:
            raise ValueError('want a text, null or {"base64": "…"}')


def line(document: Mapping[str, Any]) -> str:
    """Return one line of JSON, without its end; a terminal only shows it."""
    text = _ENCODER.encode(document)
    return text if text.isascii() and "\x7f" not in text else _HARMFUL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def print_json(document: Mapping[str, Any]) -> None:
    """Print one line of JSON to standard output."""
    write(line(document) + "\n")
