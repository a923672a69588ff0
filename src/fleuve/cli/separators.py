r"""Separators and markers as they are typed: `\t`, `\n`, `\r`, `\0`, `\\` and `\x1f` stand for bytes."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_NAMED = {"t": "\t", "n": "\n", "r": "\r", "0": "\0", "\\": "\\"}


def separator(text: str) -> bytes:
    """Return the bytes that `text` stands for, for `type=` of an option. Raises ValueError for an empty one."""
    if not text:
        raise ValueError("the separator is empty")
    return marker(text)


def marker(text: str) -> bytes:
    """Return the bytes that `text` stands for; unlike a separator, it may be empty."""
    parts: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(text):
        parts.append(text[at : match.start()].encode("utf-8", "surrogateescape"))
        escaped = match[1]
        if escaped[0] == "x" and len(escaped) > 1:
            parts.append(bytes([int(escaped[1:], 16)]))
        else:
            parts.append(_NAMED.get(escaped, match[0]).encode("utf-8", "surrogateescape"))
        at = match.end()
    parts.append(text[at:].encode("utf-8", "surrogateescape"))
    return b"".join(parts)
