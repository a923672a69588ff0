"""Where to go in partitions, as people say it: earliest, latest, an offset, a moment, or so many records on or back."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from enum import Enum

from fleuve.base.clock import SystemClock
from fleuve.cli.client.moments import EPOCH_MS_MIN, MOMENTS, parse_moment

POSITIONS = f"earliest, latest, an offset, +N or -N records from where it is, or a time: {MOMENTS}"


class Kind(Enum):
    """What the number of a position means."""

    EARLIEST = "earliest"
    LATEST = "latest"
    OFFSET = "offset"
    SHIFT = "shift"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a partition."""

    kind: Kind
    number: int = 0
    """The offset, how far to shift, or milliseconds since 1970."""


def parse_position(text: str) -> Position:
    """Return a position, for `type=` of an option."""
    if text in {"earliest", "latest"}:
        return Position(Kind(text))
    if re.fullmatch(r"[+-][0-9]{1,18}", text):
        return Position(Kind.SHIFT, int(text))
    if re.fullmatch(r"[0-9]{1,18}", text) and int(text) < EPOCH_MS_MIN:
        return Position(Kind.OFFSET, int(text))
    moment = parse_moment(text, now_ms=SystemClock().wall_ms())
    if moment is None:
        raise argparse.ArgumentTypeError(f"{text!r} is none of these: {POSITIONS}")
    return Position(Kind.TIME, moment)


@dataclass(frozen=True, slots=True)
class Place:
    """The offset that a position comes to in a partition, inside the log, and why it is not the one asked for."""

    offset: int
    note: str = ""


def place(
    position: Position, *, earliest: int, latest: int, current: int | None, at_time: int | None = None
) -> Place | None:
    """Return the offset that a position comes to; None if it is a shift and there is nothing to shift.

    `at_time` is the first offset at or after the position's time, None if there is none.
    """
    match position.kind:
        case Kind.EARLIEST:
            return Place(earliest)
        case Kind.LATEST:
            return Place(latest)
        case Kind.TIME:
            return Place(latest, "no record is that young") if at_time is None else _inside(at_time, earliest, latest)
        case Kind.OFFSET:
            return _inside(position.number, earliest, latest)
        case Kind.SHIFT:
            return None if current is None else _inside(current + position.number, earliest, latest)


def _inside(offset: int, earliest: int, latest: int) -> Place:
    if offset < earliest:
        return Place(earliest, f"{offset} is before the log")
    if offset > latest:
        return Place(latest, f"{offset} is beyond the log")
    return Place(offset)
