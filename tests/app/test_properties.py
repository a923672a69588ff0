r"""Java properties. The cases are those of the format's specification (java.util.Properties)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.app.properties import parse


def pairs(text):
    return [(entry.name, entry.value) for entry in parse(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n  \n\t\n", []),
        ("# comment\n! another\n  # indented", []),
        ("a=1", [("a", "1")]),
        ("a:1", [("a", "1")]),
        ("a 1", [("a", "1")]),
        ("  a  =  1  ", [("a", "1  ")]),
        ("a", [("a", "")]),
        ("a=", [("a", "")]),
        ("a==1", [("a", "=1")]),
        ("a= = 1", [("a", "= 1")]),
        ("a = b # no comment", [("a", "b # no comment")]),
        ("a\\=b=c", [("a=b", "c")]),
        ("a\\ b c", [("a b", "c")]),
        ("a=\\u00e9\\t\\\\x", [("a", "é\t\\x")]),
        ("a=\\q", [("a", "q")]),
        ("a=1,\\\n   2", [("a", "1,2")]),
        ("a=1\\\\\nb=2", [("a", "1\\"), ("b", "2")]),
        ("a=1\\\n# not a comment", [("a", "1# not a comment")]),
        ("a=1\r\nb=2\rc=3", [("a", "1"), ("b", "2"), ("c", "3")]),
        ("a=1\na=2", [("a", "1"), ("a", "2")]),
        ("a=1\\", [("a", "1")]),
        ("=1", [("", "1")]),
    ],
)
def test_entries_are_read_as_java_reads_them(text, expected):
    assert pairs(text) == expected


def test_an_entry_knows_the_line_it_begins_on():
    assert [entry.line for entry in parse("# x\na=1,\\\n 2\n\nb=3")] == [2, 5]


def test_a_broken_escape_names_its_line():
    with pytest.raises(ValueError, match="line 2: .*four hex digits"):
        parse("a=1\nb=\\u00x1")


@given(st.text())
def test_any_text_is_entries_or_value_error(text):
    try:
        entries = parse(text)
    except ValueError:
        return
    assert all(isinstance(entry.value, str) for entry in entries)
