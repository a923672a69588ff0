"""The made-up worlds: the same for the same seed, and made to the end by a generator that is killed."""

from itertools import islice

import pytest
from examples.shared.options import Refused
from examples.shared.world import NUMBERS_PER_DAY, Pace, clock, last_number, partition_of, start_of, told, unsent
from hypothesis import given, settings
from hypothesis import strategies as st

from support.example_programs import EXAMPLES, first_events

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)


@every_example
def test_a_seed_is_a_world(example):
    first, again, other = (list(islice(example.day(seed, 0), 200)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@every_example
def test_an_event_is_read_as_it_was_written(example):
    for event in islice(example.day(1, 0), 300):
        assert example.read(event.encode()) == event


@every_example
def test_numbers_are_those_of_the_day_and_grow(example):
    numbers = [event.number for event in islice(example.day(1, 3), 300)]
    assert numbers == list(range(3 * NUMBERS_PER_DAY, 3 * NUMBERS_PER_DAY + 300))


def test_a_day_has_fewer_events_than_numbers_and_after_it_comes_the_next():
    example = next(each for each in EXAMPLES if each.name == "spam")
    last = None
    for last in example.day(1, 0):
        # What happens late in the evening may go on after the day.
        assert start_of(0) <= last.at < start_of(1) + 3_600_000
    assert last is not None
    assert 50_000 < last.number < NUMBERS_PER_DAY
    [(_, event)] = islice(unsent(lambda day: example.day(1, day) if day else [last], [last.number] * 2), 1)
    assert event.number == NUMBERS_PER_DAY


@every_example
@settings(max_examples=15)
@given(sent=st.lists(st.integers(0, 200), min_size=3, max_size=3))
def test_a_killed_generator_sends_what_is_missing_in_each_partition_and_nothing_twice(example, sent):
    events = [(partition_of(event.key, 3), event) for event in islice(example.day(1, 0), 1000)]
    parts = [[event for partition, event in events if partition == number] for number in range(3)]
    # What arrived before the kill: the beginning of each partition, one further than the other.
    there = [part[:count] for part, count in zip(parts, sent, strict=True)]
    last = [part[-1].number if part else None for part in there]
    missing = islice(unsent(lambda day: example.day(1, day), last), 1000 - sum(map(len, there)))
    for partition, event in missing:
        there[partition].append(event)
    assert there == parts


def test_the_last_event_counts_even_behind_a_foreign_record():
    example = EXAMPLES[0]
    values = [*first_events(example)[:3], b"foreign"]
    assert last_number(values, example.read, "events") == 2
    assert last_number([], example.read, "events") is None


def test_a_generator_says_where_it_begins():
    assert told([None, None]) == "making events from the beginning of the world"
    assert told([12, None, 2 * NUMBERS_PER_DAY + 1234]) == "making events: going on after number 1,234 of day 3"


def test_a_topic_of_somebody_else_is_not_written_to():
    with pytest.raises(Refused, match="another --prefix"):
        last_number([b"foreign"], EXAMPLES[0].read, "events")


def test_the_clock_tells_day_and_time():
    assert (clock(start_of(0)), clock(start_of(1) + 90 * 60_000)) == ("Mon 06:30", "Tue 08:00")


def test_without_a_rate_every_event_is_due():
    pace = Pace(0)
    pace.take()
    assert pace.early() == 0


def test_with_a_rate_the_next_event_is_not_due_before_its_time():
    pace = Pace(0.001)
    pace.take()
    assert pace.early() > 900
