"""Numbers and times that fit a column."""

import pytest

from fleuve.cli.top import words


@pytest.mark.parametrize(("number", "shown"), [(None, "-"), (0, "0"), (0.25, "0.2"), (9.94, "9.9"), (1234.6, "1,235")])
def test_rates(number, shown):
    assert words.rate(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (999.6, "1.0 KB"), (1500, "1.5 KB"),
     (54_000_000, "54 MB"), (5e16, "50000 TB")],
)  # fmt: skip
def test_sizes(number, shown):
    assert words.size(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.1, "1 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min"), (90000, "1 d 1 h"),
     (1e9, "over 100 d")],
)  # fmt: skip
def test_durations(seconds, shown):
    assert words.duration(seconds) == shown
