"""Moments as people name them: a date, a date with a time, milliseconds since 1970, or how long ago.

`2026-11-30`, `2026-11-30T18:00`, `2026-11-30T18:00:00Z`, `@1700000000000`, `15m`, `1h30m`, `2d ago`, `now`. A time
without a zone is this machine's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_AGO_PART = re.compile(r"([0-9]{1,9})([smhdw])")
_AGO = re.compile(rf"(?:{_AGO_PART.pattern})+")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
EPOCH_MS_MIN = 10**12
"""A whole number from here on is milliseconds since 1970 (from 2001 on): no partition has that many records."""
_EPOCH_MS_MAX = 253_402_300_799_999

MOMENTS = "2026-11-30T18:00:00Z, @MILLISECONDS since 1970, or 15m, 2h, 7d for so long ago"
"""What may be given, for helps and messages."""


def parse_moment(text: str, *, now_ms: int) -> int | None:
    """Return milliseconds since 1970; None if the text is no moment."""
    if text == "now":
        return now_ms
    age = text.removesuffix("ago").rstrip()
    if _AGO.fullmatch(age):
        return max(0, now_ms - sum(int(count) * _UNITS_MS[unit] for count, unit in _AGO_PART.findall(age)))
    number = text.removeprefix("@")
    if number.isascii() and number.isdigit():
        ms = int(number)
        return ms if ms <= _EPOCH_MS_MAX and (text != number or ms >= EPOCH_MS_MIN) else None
    # fromisoformat takes more than people write: week dates, and 20261130, which may be meant as an offset.
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        ms = round(datetime.fromisoformat(text).timestamp() * 1_000)
    except (ValueError, OverflowError, OSError):
        return None
    return ms if ms >= 0 else None


def shown_moment(timestamp_ms: int) -> str:
    """Return a moment in UTC, as `parse_moment` reads it; outside the years that have four digits, as @MILLISECONDS."""
    seconds, ms = divmod(timestamp_ms, 1_000)
    try:
        # By whole seconds: a float has no place for all milliseconds.
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"@{timestamp_ms}"
    return f"{moment.isoformat(timespec='seconds').removesuffix('+00:00')}.{ms:03}Z"
