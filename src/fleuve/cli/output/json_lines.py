"""JSON for programs: one object a line. Bytes are text where they are UTF-8, else an object with their base64."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from fleuve.cli.output.standard_output import write

# Made once: json.dumps would make it for each line.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


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
    """Return one line of JSON, without its end."""
    return _ENCODER.encode(document)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one line of JSON to standard output."""
    write(line(document) + "\n")
