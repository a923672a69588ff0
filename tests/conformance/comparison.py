"""Compares an answer with the recorded one, field by field."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from conformance.rules import DIRECTORIES, KEYS, WORDS, Symbols, is_near_now, is_number, ordered

Json = Any
PARAGRAPHS_MAX = 100
_WORDS = "a message in words"
SHORT = 300
MISSING, DEFAULT = "missing", "default"
"""What stands for an element that one of the two lists does not have, and for a field that one of them leaves out."""


Found = tuple[str, Json, Json]
"""A field, what Kafka has there, and what Fleuve has."""


class Mismatch(NamedTuple):
    """One field in which the two differ."""

    case: str
    line: int
    api: str
    version: int
    field: str
    """Such as `topics[0].partitions[1].error_code`; empty if the two differ in whether there is an answer."""
    kafka: Json
    fleuve: Json
    request: Json = None


def summary(mismatches: list[Mismatch]) -> str:
    """Return mismatches for people: those that differ in the line and the version alone in one paragraph."""
    groups: dict[tuple[str, ...], list[Mismatch]] = {}
    for one in mismatches:
        field = re.sub(r"\[[^]]*\]", "[]", one.field) or "answer"
        words = field.rpartition(".")[2] in WORDS
        shown = [
            _WORDS if words and isinstance(value, str) and value != DEFAULT else _short(value) for value in one[-2:]
        ]
        groups.setdefault((one.case, one.api, field, *shown), []).append(one)
    paragraphs = [
        f"{case}: {api} {field}\n    Kafka  {kafka}\n    Fleuve {fleuve}\n"
        f"    lines {' '.join(f'{one.line}(v{one.version})' for one in found[:12])}{' …' if found[12:] else ''}"
        for (case, api, field, kafka, fleuve), found in groups.items()
    ]
    return "\n".join(["", *paragraphs[:PARAGRAPHS_MAX], f"{len(mismatches)} fields in {len(paragraphs)} kinds"])


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"


def compare(api: str, recorded: Json, actual: Json, symbols: Symbols, prefix: str) -> list[Found]:
    """Return (field, recorded, actual) of what differs, and bind the symbols seen."""
    found: list[Found] = []

    def walked(expected: Json, value: Json, field: str, plain: str) -> None:
        if isinstance(expected, dict) and isinstance(value, dict):
            for name in expected | value:
                inner = f"{field}.{name}" if field else name
                walked_field(expected, value, name, inner, f"{plain}.{name}" if plain else name)
        elif isinstance(expected, list) and isinstance(value, list):
            key = KEYS.get((api, plain))
            left, right = _by_key(expected, key), _by_key(value, key)
            for index in left | right:
                inner = f"{field}[{index}]"
                if index in left and index in right:
                    walked(left[index], right[index], inner, f"{plain}[]")
                else:
                    found.append((inner, left.get(index, MISSING), right.get(index, MISSING)))
        elif not _agrees(expected, value, symbols):
            found.append((field, expected, value))

    def walked_field(expected: Json, value: Json, name: str, field: str, plain: str) -> None:
        if name in expected and name in value:
            if name in WORDS:
                if (expected[name] is None) != (value[name] is None):
                    found.append((field, expected[name], value[name]))
            elif name in DIRECTORIES:
                if not value[name]:
                    found.append((field, expected[name], value[name]))
            else:
                walked(expected[name], value[name], field, plain)
        else:
            # What is left out has its default.
            found.append((field, expected.get(name, DEFAULT), value.get(name, DEFAULT)))

    walked(recorded, ordered(api, actual, prefix, symbols), "", "")
    return found


def _agrees(expected: Json, value: Json, symbols: Symbols) -> bool:
    if isinstance(expected, str) and not isinstance(value, (dict, list)):
        if expected.startswith("$"):
            return symbols.bind(expected, value)
        if expected == "*time":
            return is_near_now(value)
        if expected == "*number":
            return is_number(value)
    return bool(type(expected) is type(value) and expected == value)


def _by_key(elements: list[Json], key: str | None) -> dict[Any, Json]:
    """Return a list's elements by their number, or by the field that tells them apart if they are told apart by it."""
    if key is not None:
        keyed = {element.get(key, 0): element for element in elements}
        if len(keyed) == len(elements):
            return keyed
    return dict(enumerate(elements))
