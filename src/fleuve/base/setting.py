"""The type of a setting: one row, written in the room that reads it.

A room lists its rows in a module-level `SETTINGS: tuple[Setting, ...]`; `app` collects them into a registry,
which serves DescribeConfigs, the command line and the reference page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


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
    """Anything but its default is an error that gives the reason: accepting it would break a promise."""


class UpdateMode(StrEnum):
    """How a broker setting may change while the broker runs (KIP-226)."""

    READ_ONLY = "read-only"
    PER_BROKER = "per-broker"
    CLUSTER_WIDE = "cluster-wide"


Value = bool | int | float | str | tuple[str, ...] | None
"""A parsed value; LIST is a tuple of strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting.

    `default` is text, in the form `server.properties` uses; None means that Kafka has no default (null).
    `check` gets the parsed value and returns what is wrong with it in one sentence, or None.
    `synonyms` are broker settings that give a topic or group setting its default, most specific first.
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
