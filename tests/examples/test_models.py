"""What holds for each example's model: however often its processor is killed, its results are those of one life."""

import json

import pytest
from examples.shared.options import Refused
from examples.shared.partition import Repeats, Snapshot, newest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.example_programs import EXAMPLES, first_events, results_of

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)


def lives(example, events, ends):
    """Work on events as a processor does that is killed again and again; return what it wrote: results and snapshots.

    Each life ends after so many events, and had written its last snapshot so many events before.
    """
    results, snapshots = [], []
    for length, unsaved in [*ends, (len(events), 0)]:
        snapshot = newest(snapshots, example.model.__name__)
        partition = example.partition(snapshot)
        begin = partition.next_offset
        for offset in range(begin, min(len(events), begin + length)):
            results += [result for _, result in partition.take(offset, events[offset])]
            if offset + 1 == begin + length - unsaved:
                snapshots.append(partition.snapshot().encode())
        last = partition
    return results, last


@every_example
@settings(max_examples=8)
@given(ends=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 400)), max_size=6))
def test_killed_at_any_moment_a_processor_comes_to_the_results_of_an_undisturbed_one(example, ends):
    events = first_events(example)
    undisturbed, state = results_of(example, events)
    written, last = lives(example, events, ends)
    repeats = Repeats()
    assert [result for result in written if repeats.is_new(json.loads(result))] == undisturbed
    assert json.dumps(last.model.state()) == json.dumps(state)


@every_example
def test_results_are_numbered_without_gaps(example):
    results, _ = results_of(example, first_events(example))
    assert len(results) > 20
    assert [json.loads(result)["sequence"] for result in results] == list(range(1, len(results) + 1))


@every_example
def test_a_snapshot_fits_into_a_record(example):
    _, state = results_of(example, first_events(example))
    assert len(json.dumps(state)) < 500_000


@every_example
@given(
    junk=st.one_of(st.binary(max_size=40), st.sampled_from([b"{}", b"[]", b"null", b'{"at": 1}', b'{"number": "x"}']))
)
def test_a_record_that_is_no_event_is_counted_and_left_out(example, junk):
    partition = example.partition()
    assert partition.take(0, junk) == []
    assert (partition.unreadable, partition.next_offset) == (1, 1)


@every_example
def test_an_offset_that_was_taken_is_not_taken_again(example):
    events = first_events(example)
    partition = example.partition()
    for offset, value in enumerate(events):
        partition.take(offset, value)
    before = partition.snapshot()
    assert [partition.take(offset, value) for offset, value in enumerate(events)] == [[]] * len(events)
    assert partition.snapshot() == before


@every_example
def test_offsets_that_retention_removed_are_counted(example):
    partition = example.partition()
    assert partition.begin(40, 100, "events") == 40
    assert partition.next_offset == 40


@every_example
def test_the_state_of_a_topic_that_was_made_anew_is_refused(example):
    snapshot = example.partition().snapshot()
    ahead = Snapshot.decode(snapshot.encode().replace(b'"next_offset":0', b'"next_offset":50'), example.model.__name__)
    with pytest.raises(Refused, match="made anew"):
        example.partition(ahead).begin(0, 20, "events")


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b'{"format": 2, "model": "Demand"}'])
def test_a_foreign_record_among_the_snapshots_is_refused(value):
    with pytest.raises(Refused, match="another --prefix"):
        newest([value], "Demand")


def test_the_state_of_another_example_is_refused():
    one, other = EXAMPLES[:2]
    with pytest.raises(Refused, match="another --prefix"):
        newest([one.partition().snapshot().encode()], other.model.__name__)


def test_the_furthest_snapshot_counts_even_if_one_that_is_behind_was_written_later():
    example = EXAMPLES[0]
    partition = example.partition()
    written = []
    for offset, value in enumerate(first_events(example)[:3]):
        partition.take(offset, value)
        written.append(partition.snapshot().encode())
    found = newest(reversed(written), example.model.__name__)
    assert found is not None
    assert found.next_offset == 3
