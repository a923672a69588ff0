"""Moments as people name them: a date, a date with a time, milliseconds since 1970, or how long ago.

`2026-11-30`, `2026-11-30T18:00`, `2026-11-30T18:00:00Z`, `@1700000000000`, `15m`. A time without a zone is this
machine's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_AGO = re.compile(r"(\d{1,9})(s|m|h|d)")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
EPOCH_MS_MIN = 10**12
"""A whole number from here on is milliseconds since 1970 (from 2001 on): no partition has that many records."""
_EPOCH_MS_MAX = 253_402_300_799_999

MOMENTS = "2026-11-30T18:00:00Z, @MILLISECONDS since 1970, or 15m, 2h, 7d for so long ago"
"""What may be given, for helps and messages."""


def parse_moment(text: str, *, now_ms: int) -> int | None:
    """Return milliseconds since 1970; None if the text is no moment."""
    if match := _AGO.fullmatch(text):
        return max(0, now_ms - int(match[1]) * _UNITS_MS[match[2]])
    number = text.removeprefix("@")
    if number.isascii() and number.isdigit():
        ms = int(number)
        return ms if ms <= _EPOCH_MS_MAX and (text != number or ms >= EPOCH_MS_MIN) else None
    # fromisoformat takes more than people write: week dates, and 20261130, which may be meant as an offset.
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        ms = int(datetime.fromisoformat(text).timestamp() * 1_000)
    except (ValueError, OverflowError, OSError):
        return None
    return ms if ms >= 0 else None


def shown_moment(timestamp_ms: int) -> str:
    """Return a moment in UTC, as `parse_moment` reads it."""
    shown = datetime.fromtimestamp(timestamp_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    return shown.replace("+00:00", "Z")
