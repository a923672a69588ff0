"""The type of a setting: one row, written in the room that reads it, and the reading of its text.

A room lists its rows in a module-level `SETTINGS: tuple[Setting, ...]`; `app` collects them into a registry,
which serves DescribeConfigs, the command line and the reference page. A value travels as text (the form that
`server.properties` uses) and is read with `parse`, which says in Kafka's words what is wrong with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from fleuve.base.errors import FleuveError, Verdict


class ValueType(StrEnum):
    """Kafka's types of settings, as DescribeConfigs tells them."""

    BOOLEAN = "boolean"
    STRING = "string"
    INT = "int"
    SHORT = "short"
    LONG = "long"
    DOUBLE = "double"
    LIST = "list"
    CLASS = "class"
    PASSWORD = "password"


class Scope(StrEnum):
    """What a setting belongs to."""

    BROKER = "broker"
    TOPIC = "topic"
    GROUP = "group"


class Status(StrEnum):
    """What Fleuve does with a setting."""

    HONOURED = "honoured"
    """It has Kafka's meaning."""
    ACCEPTED = "accepted"
    """Stored, validated and shown, without effect; one warning at start if it is set."""
    REFUSED = "refused"
    """Setting it to anything but its default is an error that gives the reason: accepting it would break a promise."""


class UpdateMode(StrEnum):
    """How a broker setting may change while the broker runs (KIP-226)."""

    READ_ONLY = "read-only"
    PER_BROKER = "per-broker"
    CLUSTER_WIDE = "cluster-wide"


Value = bool | int | float | str | tuple[str, ...] | None
"""A parsed value; LIST is a tuple of strings."""


class InvalidConfig(FleuveError, verdict=Verdict.REJECT):
    """A setting's name or value is not allowed; the message names the setting, the value and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting.

    `default` is text, in the form `server.properties` uses; None means that there is no default (null).
    `check` gets the parsed value and returns what is wrong with it in one sentence, or None; the text of `check`
    itself (`str`) says what is allowed.
    `synonyms` are broker settings that give this one its value where it is not set itself, most specific first. A
    broker setting's own name is among them, at its place; none means the name alone.
    """

    name: str
    scope: Scope
    type: ValueType
    default: str | None
    doc: str
    status: Status = Status.HONOURED
    reason: str = ""
    """Why a setting is accepted without effect, or refused."""
    check: Callable[[Value], str | None] | None = None
    synonyms: tuple[str, ...] = ()
    update_mode: UpdateMode = UpdateMode.READ_ONLY
    sensitive: bool = False
    internal: bool = False
    """Shown by DescribeConfigs only where it is set."""
    fixed_at_start: bool = False
    """Apache Kafka changes it while the broker runs, and shows it so; here such a change is refused."""
    differs: str = ""
    """What is different from Apache Kafka, though it is honoured: for the reference page."""


# ---------------------------------------------------------------- what is allowed


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Allows numbers from `low` on."""

    low: float

    def __call__(self, value: Value) -> str | None:
        """Return what is wrong with `value`, or None."""
        if isinstance(value, int | float) and value < self.low:
            return f"Value must be at least {self.low}"
        return None

    def __str__(self) -> str:
        return f"≥ {self.low}"


@dataclass(frozen=True, slots=True)
class Between:
    """Allows numbers from `low` to `high`, both included, and `or_else`."""

    low: float
    high: float
    or_else: float | None = None

    def __call__(self, value: Value) -> str | None:
        """Return what is wrong with `value`, or None."""
        if not isinstance(value, int | float) or value == self.or_else or self.low <= value <= self.high:
            return None
        if self.or_else is not None:
            return f"Value must be between {self.low} and {self.high} or equal to {self.or_else}"
        if value < self.low:
            return f"Value must be at least {self.low}"
        return f"Value must be no more than {self.high}"

    def __str__(self) -> str:
        return f"{self.low} … {self.high}" + ("" if self.or_else is None else f", or {self.or_else}")


class OneOf:
    """Allows the words given; in a list, each element must be one of them."""

    __slots__ = ("any_case", "words")

    def __init__(self, *words: str, any_case: bool = False) -> None:
        self.words = words
        self.any_case = any_case

    def __call__(self, value: Value) -> str | None:
        """Return what is wrong with `value`, or None."""
        if self.stranger(value) is None:
            return None
        how = " (case insensitive)" if self.any_case else ""
        return f"String must be one of{how}: {', '.join(self.words)}"

    def stranger(self, value: Value) -> str | None:
        """Return the first word of `value` that is not allowed, or None."""
        words = value if isinstance(value, tuple) else () if value is None else (str(value),)
        return next((word for word in words if not self._knows(word)), None)

    def _knows(self, word: str) -> bool:
        return word in self.words or (self.any_case and word.upper() in self.words)

    def __str__(self) -> str:
        return ", ".join(f"`{word}`" for word in self.words)


class NotEmpty:
    """Allows everything but the empty text."""

    __slots__ = ()

    def __call__(self, value: Value) -> str | None:
        """Return what is wrong with `value`, or None."""
        return "String must be non-empty" if value == "" else None

    def __str__(self) -> str:
        return "not empty"


# ---------------------------------------------------------------- reading and writing values

_BITS = {ValueType.INT: 31, ValueType.SHORT: 15, ValueType.LONG: 63}
_TEXTS = (ValueType.STRING, ValueType.CLASS, ValueType.PASSWORD)


def parse(setting: Setting, text: str) -> Value:
    """Return the value that `text` means for `setting`.

    Raises InvalidConfig, in Kafka's words, where it has another type or is not allowed.
    """
    shown: str | None = "[hidden]" if setting.sensitive else text
    try:
        value = _read(setting.type, text.strip())
    except ValueError as error:
        raise InvalidConfig(f"Invalid value {shown} for configuration {setting.name}: {error}") from None
    wrong = setting.check(value) if setting.check is not None else None
    if wrong is not None:
        if isinstance(setting.check, OneOf):
            # Of a list, Kafka names the one word.
            shown = setting.check.stranger(value)
        elif not setting.sensitive:
            # What is not allowed is the value, not how it was written.
            shown = text_of(value)
        raise InvalidConfig(f"Invalid value {shown} for configuration {setting.name}: {wrong}")
    return value


def _read(kind: ValueType, text: str) -> Value:
    if kind in _TEXTS:
        return text
    if kind is ValueType.LIST:
        # An element twice counts once, as in Kafka since 4.1.
        return tuple(dict.fromkeys(part.strip() for part in text.split(","))) if text else ()
    if kind is ValueType.BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise ValueError("Expected value to be either true or false")
        return text.lower() == "true"
    try:
        if kind is ValueType.DOUBLE:
            return float(text.replace("_", "x"))
        number = int(text.replace("_", "x"))
    except ValueError:
        raise ValueError(f"Not a number of type {kind.name}") from None
    if not -1 << _BITS[kind] <= number < 1 << _BITS[kind]:
        raise ValueError(f"Not a number of type {kind.name}")
    return number


def text_of(value: Value) -> str | None:
    """Return the text that means `value`, as DescribeConfigs shows it."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value)
        case float():
            return _text_of_double(value)
        case _:
            return str(value)


def _text_of_double(value: float) -> str:
    """Write a double as Java does: 0.5, 2.0, 1.0E-7, 1.7976931348623157E308."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    if not math.isfinite(value):
        return repr(value).replace("inf", "Infinity").replace("nan", "NaN")
    # The shortest that is read as the same value, with one digit behind the point at least; 17 always do.
    shortest = next(text for digits in range(1, 17) if float(text := f"{value:.{digits}E}") == value)
    mantissa, exponent = shortest.split("E")
    return f"{mantissa}E{int(exponent)}"


def canonical(setting: Setting, text: str) -> str:
    """Return `text` as DescribeConfigs shows it: trimmed, numbers without ornament. Raises as `parse` does."""
    return text_of(parse(setting, text)) or ""
