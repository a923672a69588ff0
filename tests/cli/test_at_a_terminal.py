"""`fleuve produce` and `fleuve consume` as somebody sees them who sits at a terminal."""

import os
import signal

import pytest

from support.shell import Running

WIDE, NARROW = 160, 80
ESCAPE = "\x1b["


def test_who_types_is_told_how_to_end_and_each_line_is_sent(cluster, fleuve):
    with Running("fleuve produce typed", cluster, columns=NARROW) as producing:
        producing.until("Ctrl-D ends")
        producing.write(b"one\n")
        assert fleuve.ok("consume", "typed", "-n", 1).out == "one\n"
        producing.write(b"\x04")
        assert producing.ended() == 0
        assert "1 record to typed in" in producing.printed


@pytest.mark.parametrize("columns", [NARROW, WIDE])
def test_a_file_has_a_bar_that_fits_and_is_gone_at_the_end(cluster, fleuve, tmp_path, columns):
    fleuve.ok("topic", "create", f"barred-{columns}")
    pipe = tmp_path / "file"
    pipe.write_text("a line\n" * 300_000)
    with Running(f"fleuve produce barred-{columns} {pipe}", cluster, columns=columns) as producing:
        assert producing.ended() == 0
    assert "MB" in producing.printed
    assert "records/s" in producing.printed
    assert producing.printed.rstrip().splitlines()[-1].endswith(" s")
    assert f"300,000 records to barred-{columns} in" in producing.printed


def test_quiet_shows_neither_bar_nor_summary(cluster, tmp_path):
    (tmp_path / "file").write_text("a line\n")
    with Running(f"fleuve produce quietly -q {tmp_path}/file", cluster, columns=NARROW) as producing:
        assert producing.ended() == 0
    assert producing.printed == ""


@pytest.fixture(scope="module")
def hostile(cluster, tmp_path_factory):
    """A topic with a record that would clear the screen, ring, change the title, and turn the line round."""
    file = tmp_path_factory.mktemp("hostile") / "record"
    file.write_bytes("\x1b[2J\x07\x1b]0;title\x1b\\\r\u202eabc\u009b2J\ttab\nnext line ü".encode() + b"\xff")
    with Running(f"fleuve produce hostile --whole --key k -q {file}", cluster) as producing:
        assert producing.ended() == 0
    return "hostile"


def test_what_would_steer_the_terminal_is_shown_instead(cluster, hostile):
    with Running(f"fleuve consume {hostile} --exit-at-end", cluster, columns=WIDE) as consuming:
        assert consuming.ended() == 0
    shown = r"\x1b[2J\x07\x1b]0;title\x1b\\x0d\u202eabc\u009b2J" + "\ttab\nnext line ü" + r"\xff" + "\n"
    assert consuming.printed == shown + "1 record\n"


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["colours", "NO_COLOR", "dumb"],
)
@pytest.mark.parametrize("form", ["--print key,value", "--output hex"])
def test_colours_are_for_terminals_that_want_them(cluster, hostile, form, variables, coloured):
    with Running(f"fleuve consume {hostile} -n 1 {form}", cluster, columns=WIDE, variables=variables) as consuming:
        assert consuming.ended() == 0
    assert (ESCAPE in consuming.printed) is coloured


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "hostile from the beginning on, and what is written from now on; Ctrl-C ends\n"),
        ("--last 2 --follow", "hostile from the last 2 records on, and what is written from now on; Ctrl-C ends\n"),
        ("--group g", "hostile as a member of group g; Ctrl-C ends\n"),
    ],
    ids=["alone", "last", "group"],
)
def test_who_follows_is_told_from_where_and_how_to_end(cluster, hostile, words, said):
    with Running(f"fleuve consume {hostile} {words}", cluster, columns=WIDE) as consuming:
        consuming.until(said)
        consuming.until("next line")
        os.kill(consuming.pid, signal.SIGINT)
        assert consuming.ended() == 130
        assert consuming.printed.endswith("1 record\n")


def test_filters_say_how_much_they_saw(cluster, hostile):
    with Running(f"fleuve consume {hostile} --exit-at-end --key other", cluster, columns=WIDE) as consuming:
        assert consuming.ended() == 0
    assert consuming.printed == "0 records of 1 that were read\n"
