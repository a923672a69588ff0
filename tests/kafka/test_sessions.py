"""Incremental fetch sessions (KIP-227)."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.kafka.sessions import (
    EPOCH_MAX,
    EVICTION_MS,
    SCAN_PAUSE_MS,
    FetchSessions,
    InvalidSessionEpoch,
    SessionNotFound,
    SessionTopicIdMismatch,
    WantedPartition,
)

ID = UUID(int=7)


class Result:
    def __init__(self, high_watermark: int = 0, log_start: int = 0, records: bytes = b"", error: Any = None) -> None:
        self.high_watermark = high_watermark
        self.log_start_offset = log_start
        self.records = records
        self.error = error
        self.diverging = None


def sessions(slots: int = 10) -> FetchSessions:
    return FetchSessions(Random(1), slots=slots)


def want(index: int, offset: int = 0, topic: Any = "t") -> WantedPartition:
    return WantedPartition(topic, index, offset, 1000)


def start(cache: FetchSessions, *indexes: int, now_ms: int = 0, by_id: bool = False) -> int:
    """Begin a session with these partitions, all empty."""
    topic = ID if by_id else "t"
    turn = cache.begin(0, 0, [want(index, topic=topic) for index in indexes], by_id=by_id, now_ms=now_ms)
    session_id, answered = turn.finish([Result() for _ in indexes], now_ms=now_ms)
    assert answered == list(range(len(indexes)))
    return session_id


def go_on(cache: FetchSessions, session_id: int, epoch: int, *asked: WantedPartition, now_ms: int = 0, **fields: Any):
    return cache.begin(session_id, epoch, asked, by_id=False, now_ms=now_ms, **fields)


def test_a_request_without_a_session_gets_everything_and_none():
    cache = sessions()
    turn = cache.begin(0, -1, [want(0), want(1)], by_id=False, now_ms=0)
    assert [partition.index for partition in turn.partitions] == [0, 1]
    assert turn.finish([Result(), Result()], now_ms=0) == (0, [0, 1])
    assert len(cache) == 0


def test_an_incremental_answer_has_only_what_changed():
    cache = sessions()
    session_id = start(cache, 0, 1, 2)
    turn = go_on(cache, session_id, 1)
    results = [Result(), Result(high_watermark=3, records=b"x"), Result()]
    assert turn.finish(results, now_ms=0) == (session_id, [1])
    turn = go_on(cache, session_id, 2, want(1, offset=3))
    assert turn.finish([Result(), Result(), Result(high_watermark=3)], now_ms=0) == (session_id, [])


@pytest.mark.parametrize("changed", [Result(high_watermark=5), Result(log_start=5), Result(error=ValueError())])
def test_high_watermark_log_start_and_errors_are_changes(changed):
    cache = sessions()
    session_id = start(cache, 0)
    assert go_on(cache, session_id, 1).finish([changed], now_ms=0)[1] == [0]


def test_an_error_is_told_each_time_and_so_is_its_end():
    cache = sessions()
    session_id = start(cache, 0)
    for epoch in (1, 2):
        assert go_on(cache, session_id, epoch).finish([Result(error=ValueError())], now_ms=0)[1] == [0]
    assert go_on(cache, session_id, 3).finish([Result()], now_ms=0)[1] == [0]
    assert go_on(cache, session_id, 4).finish([Result()], now_ms=0)[1] == []


def test_partitions_come_change_and_go():
    cache = sessions()
    session_id = start(cache, 0, 1)
    turn = go_on(cache, session_id, 1, want(2), want(0, offset=9), forgotten=[("t", 1)])
    assert [(partition.index, partition.offset) for partition in turn.partitions] == [(0, 9), (2, 0)]
    # A new partition is told in any case.
    assert turn.finish([Result(), Result()], now_ms=0)[1] == [1]


def test_a_session_that_forgets_everything_ends():
    cache = sessions()
    session_id = start(cache, 0)
    turn = go_on(cache, session_id, 1, forgotten=[("t", 0)])
    assert turn.finish([], now_ms=0) == (0, [])
    with pytest.raises(SessionNotFound):
        go_on(cache, session_id, 2)


def test_partitions_that_had_records_move_to_the_end():
    cache = sessions()
    session_id = start(cache, 0, 1, 2)
    go_on(cache, session_id, 1).finish([Result(records=b"x"), Result(), Result()], now_ms=0)
    assert [partition.index for partition in go_on(cache, session_id, 2).partitions] == [1, 2, 0]


def test_a_repeated_or_skipped_epoch_is_refused():
    cache = sessions()
    session_id = start(cache, 0)
    go_on(cache, session_id, 1)
    for epoch in (1, 3):
        with pytest.raises(InvalidSessionEpoch):
            go_on(cache, session_id, epoch)
    go_on(cache, session_id, 2)


def test_an_answer_that_another_request_overtook_is_refused():
    cache = sessions()
    session_id = start(cache, 0)
    first = go_on(cache, session_id, 1)
    go_on(cache, session_id, 2)
    with pytest.raises(InvalidSessionEpoch):
        first.finish([Result()], now_ms=0)


def test_the_epoch_goes_from_its_largest_value_to_1():
    cache = sessions()
    session_id = start(cache, 0)
    cache._sessions[session_id].epoch = EPOCH_MAX
    go_on(cache, session_id, EPOCH_MAX)
    go_on(cache, session_id, 1)


def test_an_unknown_session_is_not_found():
    with pytest.raises(SessionNotFound):
        go_on(sessions(), 12345, 1)


@pytest.mark.parametrize("by_id", [True, False])
def test_a_session_keeps_to_names_or_ids(by_id):
    cache = sessions()
    session_id = start(cache, 0, by_id=by_id)
    with pytest.raises(SessionTopicIdMismatch):
        cache.begin(session_id, 1, [], by_id=not by_id, now_ms=0)


def test_a_full_request_with_a_session_id_replaces_the_session():
    cache = sessions()
    session_id = start(cache, 0)
    cache.begin(session_id, 0, [want(0)], by_id=False, now_ms=0)
    with pytest.raises(SessionNotFound):
        go_on(cache, session_id, 1)


def test_the_final_epoch_closes_the_session_and_still_answers():
    cache = sessions()
    session_id = start(cache, 0)
    turn = cache.begin(session_id, -1, [want(0)], by_id=False, now_ms=0)
    assert turn.finish([Result()], now_ms=0) == (0, [0])
    assert len(cache) == 0


def test_a_full_cache_gives_no_session():
    cache = sessions(slots=2)
    assert start(cache, 0)
    assert start(cache, 0)
    assert start(cache, 0) == 0
    assert start(sessions(slots=0), 0) == 0


def test_a_session_unused_for_long_makes_room():
    cache = sessions(slots=2)
    first, second = start(cache, 0), start(cache, 0)
    go_on(cache, first, 1, now_ms=EVICTION_MS)
    third = start(cache, 0, now_ms=EVICTION_MS + 1)
    assert third
    go_on(cache, first, 2)
    with pytest.raises(SessionNotFound):
        go_on(cache, second, 1)


def test_a_larger_session_takes_the_place_of_a_smaller_one_that_had_its_time():
    cache = sessions(slots=1)
    first = start(cache, 0, 1)
    later = EVICTION_MS + 1
    go_on(cache, first, 1, now_ms=EVICTION_MS)
    assert start(cache, 0, 1, now_ms=later) == 0, "not larger"
    later += SCAN_PAUSE_MS
    assert start(cache, 0, 1, 2, now_ms=later)
    with pytest.raises(SessionNotFound):
        go_on(cache, first, 2)


def test_a_young_session_is_not_evicted_by_a_larger_one():
    cache = sessions(slots=1)
    assert start(cache, 0)
    assert start(cache, 0, 1, 2, now_ms=EVICTION_MS) == 0


steps = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 5), st.integers(0, 9), max_size=3),  # asked: partition and offset
        st.sets(st.integers(0, 5), max_size=2),  # forgotten
        st.dictionaries(st.integers(0, 5), st.sampled_from(["hw", "start", "records", "error"]), max_size=4),
    ),
    max_size=12,
)


@given(steps)
def test_a_client_that_believes_its_session_always_knows_the_truth(script):
    """What the client was told last, by partition, is what it would be told by full requests."""
    cache = sessions()
    truth = {index: [0, 0] for index in range(6)}
    session_id = start(cache, 0, 1, 2)
    told: dict[int, tuple[int, int] | None] = dict.fromkeys((0, 1, 2), (0, 0))
    fetched = {0: 0, 1: 0, 2: 0}
    epoch = 1
    for asked, forgotten, events in script:
        for index, event in events.items():
            if event == "hw":
                truth[index][0] += 1
            if event == "start":
                truth[index][1] += 1
        fetched |= asked
        fetched = {index: offset for index, offset in fetched.items() if index not in forgotten}
        told = {index: what for index, what in told.items() if index in fetched}
        turn = go_on(
            cache,
            session_id,
            epoch,
            *[want(index, offset) for index, offset in asked.items()],
            forgotten=[("t", index) for index in forgotten],
        )
        assert {partition.index: partition.offset for partition in turn.partitions} == fetched
        results = [
            Result(
                truth[partition.index][0],
                truth[partition.index][1],
                records=b"x" if events.get(partition.index) == "records" else b"",
                error=ValueError() if events.get(partition.index) == "error" else None,
            )
            for partition in turn.partitions
        ]
        got_id, answered = turn.finish(results, now_ms=0)
        for place in answered:
            index = turn.partitions[place].index
            told[index] = (
                None if results[place].error else (results[place].high_watermark, results[place].log_start_offset)
            )
        expected = {index: None if events.get(index) == "error" else tuple(truth[index]) for index in fetched}
        assert told == expected
        if not fetched:
            assert got_id == 0
            return
        assert got_id == session_id
        with_records = {place for place, result in enumerate(results) if result.records}
        assert with_records <= set(answered)
        epoch += 1


def test_a_session_may_begin_without_partitions():
    cache = sessions()
    assert start(cache) > 0
    assert len(cache) == 1
