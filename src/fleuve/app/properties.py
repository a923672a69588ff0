"""Reads files of Java properties, the format of Kafka's `server.properties`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_SPACE = " \t\f"
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class Property(NamedTuple):
    """One entry, and the line it begins on, from 1."""

    name: str
    value: str
    line: int


def parse(text: str) -> list[Property]:
    """Return the entries of a file in its order; the same name may come again.

    Raises ValueError, with the line's number in the message, where an escaped u is not followed by four hex digits.
    """
    return [_entry(logical, number) for logical, number in _logical_lines(text)]


def _logical_lines(text: str) -> Iterator[tuple[str, int]]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    index = 0
    while index < len(lines):
        number, logical = index + 1, lines[index].lstrip(_SPACE)
        index += 1
        if not logical or logical[0] in "#!":
            continue
        while _continues(logical):
            logical = logical[:-1]
            if index == len(lines):
                break
            logical += lines[index].lstrip(_SPACE)
            index += 1
        yield logical, number


def _continues(line: str) -> bool:
    # An even number of backslashes at the end are escaped backslashes.
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _entry(logical: str, number: int) -> Property:
    end = 0
    while end < len(logical) and logical[end] not in "=:" + _SPACE:
        end += 2 if logical[end] == "\\" else 1
    end = min(end, len(logical))
    rest = logical[end:].lstrip(_SPACE)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(_SPACE)
    return Property(_unescaped(logical[:end], number), _unescaped(rest, number), number)


def _unescaped(text: str, number: int) -> str:
    if "\\" not in text:
        return text
    out, index = [], 0
    while index < len(text):
        char = text[index]
        index += 1
        if char != "\\" or index == len(text):
            out.append(char)
            continue
        escaped = text[index]
        index += 1
        if escaped == "u":
            digits = text[index : index + 4]
            if len(digits) < 4 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
                raise ValueError(f"line {number}: \\u wants four hex digits")
            out.append(chr(int(digits, 16)))
            index += 4
        else:
            out.append(_ESCAPES.get(escaped, escaped))
    return "".join(out)
