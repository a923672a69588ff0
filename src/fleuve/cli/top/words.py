"""Numbers and times in words that are short enough for a column."""

from __future__ import annotations

from fleuve.cli.top.rates import Course, GroupRow

_SIZES = ("B", "KB", "MB", "GB", "TB")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def rate(number: float | None) -> str:
    """Return a number per second: 0, 0.3, 12, 1,234."""
    if number is None:
        return "-"
    return f"{number:.1f}" if 0 < number < 10 else f"{number:,.0f}"


def size(number: float | None) -> str:
    """Return a number of bytes: 0 B, 1.2 MB."""
    if number is None:
        return "-"
    unit = 0
    while number >= 999.5 and unit < len(_SIZES) - 1:
        number /= 1000
        unit += 1
    return f"{number:.1f} {_SIZES[unit]}" if unit and number < 10 else f"{number:.0f} {_SIZES[unit]}"


def amount(number: int | None) -> str:
    """Return a whole number: 1,234."""
    return "-" if number is None else f"{number:,}"


def duration(seconds: float) -> str:
    """Return a time with its two largest units: 3 s, 2 min 5 s, 4 h 10 min, 3 d 2 h."""
    whole = max(1, round(seconds))
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    if whole < 100 * _DAY_S:
        return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"
    return "over 100 d"


def outlook(row: GroupRow) -> str:
    """Return how a group gets on: when it will have caught up, or why it will not."""
    if row.catch_up_s is not None:
        return duration(row.catch_up_s)
    return {Course.UNKNOWN: "-", Course.CATCHING_UP: "-"}.get(row.course, row.course.value)
