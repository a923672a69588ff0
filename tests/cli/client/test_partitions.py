"""Partitions as people name them."""

import pytest

from fleuve.app.options import UsageError
from fleuve.cli.client.partitions import parse_topic_partitions, shown_partitions


@pytest.mark.parametrize(
    ("text", "meant"),
    [("t", ("t", None)), ("t:3", ("t", (3,))), ("t:5,0-2,1", ("t", (0, 1, 2, 5))), ("a.b:0", ("a.b", (0,)))],
)
def test_a_topic_may_have_partitions_behind_it(text, meant):
    assert parse_topic_partitions(text, flag="-t") == meant


@pytest.mark.parametrize("text", ["", ":1", "t:", "t:a", "t:-1", "t:2-1", "t:1,", "t:0-999999999", "t:99999999999"])
def test_what_names_no_partitions_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match="orders:0,2-5"):
        parse_topic_partitions(text, flag="-t")


def test_partitions_are_shown_in_short():
    assert shown_partitions([("b", 2), ("a", 0), ("a", 1), ("a", 2), ("a", 5)]) == "a:0-2,5 b:2"
    assert shown_partitions([]) == ""
