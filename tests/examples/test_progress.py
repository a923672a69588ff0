"""What a processor says of its way."""

import re

import pytest
from examples.shared.progress import CatchUp, Status, offsets, partitions, spans


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([4], "4"), ([0, 1, 2], "0–2"), ([5, 0, 2, 1], "0–2, 5"), ([1, 3], "1, 3")]
)
def test_numbers_are_told_in_spans(numbers, text):
    assert spans(numbers) == text


def test_one_is_told_in_the_singular():
    assert (partitions([3]), partitions([3, 4]), partitions([])) == ("partition 3", "partitions 3–4", "no partition")
    assert (offsets({3: 7}), offsets({4: 12_000, 3: 7})) == ("offset 7", "offsets 7, 12,000")


def test_the_end_of_the_last_partition_ends_the_way():
    way = CatchUp({0: 100, 1: 50}, {0: 1300, 1: 84})
    assert way.beginning() == "partitions 0–1: going on at offsets 100, 50; 1,234 events are waiting"
    assert way.reached(1, 84) is None
    assert way.reached(0, 1299) is None
    assert not way.done
    said = way.reached(0, 1300)
    assert way.done
    assert re.fullmatch(r"caught up 1,234 events in \d+\.\d s, from offsets 100, 50", said)
    assert way.reached(0, 1301) is None


def test_with_nothing_to_do_the_way_is_over():
    way = CatchUp({0: 0}, {0: 0})
    assert way.done
    assert way.beginning() == "partition 0: at the beginning, no event is waiting"


def test_the_lag_is_that_of_the_partitions_here():
    status = Status(held=[0, 2], partitions=3, ends={0: 10, 1: 100, 2: 7}, places={0: 4, 1: 0, 2: 7})
    assert status.lag == 6


def test_the_summary_tells_what_was_done():
    assert Status(made=5).summary() == "made 5 events"
    done = Status(done=1000, results=20, snapshots=3, unreadable=2).summary()
    assert done == ("worked on 1,000 events, wrote 20 results and 3 snapshots, left out 2 records that are no events")
