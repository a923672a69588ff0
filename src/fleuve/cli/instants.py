"""Moments as people write them: 2026-11-30, 2026-11-30T10:00, 15m for fifteen minutes ago, milliseconds, `now`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_AGE = re.compile(r"(?:\d+(?:ms|s|m|h|d|w))+\Z")
_AGE_PART = re.compile(r"(\d+)(ms|s|m|h|d|w)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}

INSTANT_FORMS = "a time (2026-11-30T10:00, local unless a zone follows), an age (15m, 1h30m, 7d), milliseconds, or now"
"""What `instant_ms` takes, for the help of an option."""


def instant_ms(text: str, *, now_ms: int) -> int:
    """Return the milliseconds since the Unix epoch that `text` means. Raises ValueError, which says what is wanted."""
    words = text.strip().removesuffix("ago").strip()
    if words == "now":
        return now_ms
    if words.isascii() and words.isdigit():
        return int(words)
    if _AGE.match(words):
        return now_ms - sum(int(count) * _UNIT_MS[unit] for count, unit in _AGE_PART.findall(words))
    try:
        return int(datetime.fromisoformat(words).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time: want {INSTANT_FORMS}") from None


def shown_instant(timestamp_ms: int) -> str:
    """Return the moment in UTC, as 2026-11-30T10:00:00.000Z; outside the years that have four digits, its number."""
    seconds, ms = divmod(timestamp_ms, 1000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return str(timestamp_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms:03}Z"
