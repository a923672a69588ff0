"""Moments as people name them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.cli.client.moments import parse_moment, shown_moment

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("15m", NOW_MS - 900_000),
        ("0s", NOW_MS),
        ("2h", NOW_MS - 7_200_000),
        ("7d", NOW_MS - 604_800_000),
        ("99999d", 0),
        ("1h30m", NOW_MS - 5_400_000),
        ("1w ago", NOW_MS - 604_800_000),
        ("15mago", NOW_MS - 900_000),
        ("now", NOW_MS),
        ("2023-11-14T22:13:20.257Z", NOW_MS + 257),
        ("@0", 0),
        ("@1700000000001", NOW_MS + 1),
        ("1700000000001", NOW_MS + 1),
        ("2023-11-14T22:13:20Z", NOW_MS),
        ("2023-11-14 22:13:20.500+00:00", NOW_MS + 500),
        ("2023-11-15T00:13:20+02:00", NOW_MS),
    ],
)
def test_a_moment_is_milliseconds_since_1970(text, ms):
    assert parse_moment(text, now_ms=NOW_MS) == ms


@pytest.mark.parametrize(
    "text",
    ["", "soon", "15", "15x", "ago", "1h30", "1.5h", "-15m", "@", "@-1", "@x", "20231114", "2023-W46-2",
     "2023-13-01", "1969-01-01", "2023-11-14T25:00", "@999999999999999999", "²m", "1٠00000000000"],
)  # fmt: skip
def test_what_is_no_moment_is_none(text):
    assert parse_moment(text, now_ms=NOW_MS) is None


def test_a_moment_that_is_shown_is_read_back():
    assert shown_moment(NOW_MS + 7) == "2023-11-14T22:13:20.007Z"
    assert parse_moment(shown_moment(NOW_MS + 7), now_ms=0) == NOW_MS + 7


def test_what_no_calendar_has_is_shown_as_its_number():
    assert shown_moment(10**17) == "@100000000000000000"
    assert shown_moment(-1) == "1969-12-31T23:59:59.999Z"


@given(st.integers(0, 253_402_300_799_999))
def test_what_is_shown_is_read_back(ms):
    assert parse_moment(shown_moment(ms), now_ms=0) == ms
