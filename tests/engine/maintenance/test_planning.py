"""What is merged and what is deleted: rules over index rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleuve.base.ids import PartitionId, TimestampMs
from fleuve.engine.maintenance.planning import (
    FANOUT,
    OWN_BYTES,
    UNLIMITED,
    Limits,
    Part,
    Retention,
    due_generations,
    due_journals,
    due_segments,
    expired,
    gathered_name,
    generation_of,
    outputs_of,
    parts_of,
    segment_name,
)
from fleuve.ports.log import Run, StoredRun
from fleuve.ports.maintenance import ObjectRow

ONE, TWO = PartitionId(1), PartitionId(2)
MIB = 1 << 20
WIDE = Limits(256 * MIB, UNLIMITED)
JOURNAL = "journal/0000000001-00000001.journal"
GATHERED = gathered_name(1, "a-1", 1)


def stored(first, end, *, partition=ONE, length=1_000, timestamp=0, name=JOURNAL, segment=False):
    return StoredRun(Run(PartitionId(partition), first, end, 0, length, timestamp, 0), name, segment)


def segments(*lengths):
    """Return neighbouring segments of these sizes in MiB, ten offsets each."""
    return [
        stored(10 * place, 10 * place + 10, length=int(length * MIB), name=f"segments/1/{place}", segment=True)
        for place, length in enumerate(lengths)
    ]


# ---------------------------------------------------------------- names and objects


def test_a_gathered_object_says_its_level_and_generation():
    assert generation_of(gathered_name(3, "f00-1", 17)) == (3, "03-f00-1")
    assert generation_of(gathered_name(3, "f00-1", 18)) == generation_of(gathered_name(3, "f00-1", 17))
    assert generation_of(JOURNAL) is None
    assert generation_of(segment_name(ONE, 0, 10, "f00")) is None


def journals(*ages):
    return [ObjectRow(f"journal/{age}", is_segment=False, created_ms=TimestampMs(1_000 - age)) for age in ages]


def test_journals_are_merged_when_there_are_enough_or_the_oldest_is_old():
    assert due_journals(journals(9, 8, 7), files=4, age_ms=10, now_ms=1_000) == []
    assert len(due_journals(journals(9, 8, 7, 6), files=4, age_ms=10, now_ms=1_000)) == 4
    assert due_journals(journals(10, 1), files=4, age_ms=10, now_ms=1_000) == ["journal/10", "journal/1"]
    assert due_journals([], files=1, age_ms=0, now_ms=1_000) == []


def test_gathered_objects_are_gathered_again_when_there_are_enough_generations():
    level_one = [gathered_name(1, f"{job}", part) for job in range(FANOUT - 1) for part in (1, 2)]
    level_two = [gathered_name(2, f"x{job}", 1) for job in range(FANOUT)]
    assert due_generations(level_one) is None
    assert due_generations([*level_one, *level_two]) == (2, level_two)
    eighth = gathered_name(1, "last", 1)
    assert due_generations([*level_one, eighth, *level_two]) == (1, [*level_one, eighth])


# ---------------------------------------------------------------- parts and outputs


def test_a_part_is_a_partition_s_neighbouring_runs():
    runs = [stored(0, 5), stored(5, 9), stored(12, 20), stored(0, 3, partition=TWO)]
    parts = parts_of(runs, limits={ONE: WIDE, TWO: WIDE})
    assert [[run.run.offset_first for run in part.runs] for part in parts] == [[0, 5], [12], [0]]


def test_partitions_without_limits_and_damaged_runs_are_left_out():
    runs = [stored(0, 5), stored(5, 9), stored(9, 12), stored(0, 3, partition=TWO)]
    parts = parts_of(runs, limits={ONE: WIDE}, damaged={(JOURNAL, 1, 5)})
    assert [[run.run.offset_first for run in part.runs] for part in parts] == [[0], [9]]


def test_a_part_ends_at_its_limits():
    runs = [stored(n, n + 1, length=MIB, timestamp=n * 1_000) for n in range(10)]
    assert [len(part.runs) for part in parts_of(runs, limits={ONE: Limits(4 * MIB, UNLIMITED)})] == [4, 4, 2]
    assert [len(part.runs) for part in parts_of(runs, limits={ONE: Limits(256 * MIB, 2_000)})] == [3, 3, 3, 1]
    big = [stored(0, 1, length=9 * MIB), stored(1, 2, length=1)]
    assert [len(part.runs) for part in parts_of(big, limits={ONE: Limits(4 * MIB, UNLIMITED)})] == [1, 1]


def test_limits_leave_retention_something_to_delete():
    assert Limits.of(Retention(None, None), segment_bytes=256 * MIB) == WIDE
    week = Limits.of(Retention(7 * 86_400_000, 80 * MIB), segment_bytes=256 * MIB)
    assert week == (10 * MIB, 7 * 86_400_000 // 8)
    assert Limits.of(Retention(1_000, 5), segment_bytes=256 * MIB) == (MIB, 600_000)


def test_only_partitions_with_enough_get_a_segment_of_their_own():
    parts = [
        Part(ONE, (stored(0, 5, length=OWN_BYTES),)),
        *[Part(PartitionId(n), (stored(0, 5, partition=n, length=1_000),)) for n in range(2, 10_002)],
    ]
    outputs = outputs_of(parts, object_bytes=4 * MIB)
    assert [output.is_segment for output in outputs] == [True, False, False, False]
    assert sum(len(output.parts) for output in outputs) == len(parts)
    assert all(output.size_bytes <= 4 * MIB for output in outputs)


# ---------------------------------------------------------------- segments


def shape(parts):
    return [[run.run.offset_first // 10 for run in part.runs] for part in parts]


def test_enough_small_neighbours_become_a_larger_one():
    assert due_segments(segments(*[1] * 7), WIDE) == []
    assert shape(due_segments(segments(*[1] * 8), WIDE)) == [list(range(8))]
    assert shape(due_segments(segments(30, *[1] * 8, 30), WIDE)) == [list(range(1, 9))]


def test_what_lies_between_goes_along():
    runs = segments(*[9] * 8)
    runs[3] = stored(30, 40, length=500, name=GATHERED)
    assert due_segments(runs, WIDE) == []
    runs = segments(*[9] * 9)
    runs[3] = stored(30, 40, length=500, name=GATHERED)
    assert shape(due_segments(runs, WIDE)) == [list(range(9))]


def test_what_is_full_larger_or_in_a_journal_separates():
    assert due_segments(segments(1, 1, 1, 1, 130, 1, 1, 1, 1), WIDE) == []
    runs = segments(*[1] * 9)
    runs[4] = stored(40, 50, length=500)
    assert due_segments(runs, WIDE) == []


def test_a_segment_does_not_grow_beyond_the_limit():
    parts = due_segments(segments(*[60] * 9), WIDE)
    assert shape(parts) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert due_segments(segments(*[240] * 20), WIDE) == []


@given(st.lists(st.integers(0, 40), min_size=1, max_size=200), st.sampled_from([8, 64, 256]))
def test_rows_stay_few_and_each_byte_is_rewritten_seldom(sizes, limit_mib):
    """Segments come one by one; after each, merges are done until none is due."""
    limits = Limits(limit_mib * MIB, UNLIMITED)
    runs: list[StoredRun] = []
    rewritten = added = offset = 0
    for size in sizes:
        length = (size + 1) * (MIB // 4) + MIB
        runs.append(stored(offset, offset + 10, length=length, name=f"segments/1/{offset}", segment=True))
        offset += 10
        added += length
        while parts := due_segments(runs, limits):
            for part in parts:
                assert part.size_bytes <= limits.size_bytes or len(part.runs) == 1
                place = runs.index(part.runs[0])
                merged = stored(
                    part.runs[0].run.offset_first,
                    part.runs[-1].run.offset_end,
                    length=part.size_bytes,
                    name=f"segments/1/{part.runs[0].run.offset_first}m",
                    segment=True,
                )
                assert tuple(runs[place : place + len(part.runs)]) == part.runs
                runs[place : place + len(part.runs)] = [merged]
                rewritten += part.size_bytes
    ends = [run.run.offset_end for run in runs]
    assert [run.run.offset_first for run in runs] == [0, *ends[:-1]]
    assert ends[-1] == offset
    full = 2 * added // limits.size_bytes + 1
    assert len(runs) <= full * FANOUT + 3 * FANOUT
    assert rewritten <= 4 * added


# ---------------------------------------------------------------- retention


def kept(runs, *, time_ms=None, size=None, now=10_000, written=None):
    retention = Retention(time_ms, size)
    total = sum(run.run.length for run in runs)
    gone = expired(runs, retention, size_bytes=total, now_ms=now, written_ms=written or {})
    return [run.run.offset_first for run in runs[gone:]]


def aged(*timestamps, length=100):
    return [stored(n, n + 1, length=length, timestamp=timestamp) for n, timestamp in enumerate(timestamps)]


def test_without_a_limit_everything_stays():
    assert kept(aged(0, 0, 0)) == [0, 1, 2]


def test_by_time_a_prefix_goes_and_a_future_record_holds_on_to_what_follows():
    assert kept(aged(1_000, 4_999, 5_000, 1_000, 9_000), time_ms=5_000) == [2, 3, 4]
    assert kept(aged(99_000, 0, 0), time_ms=5_000) == [0, 1, 2]
    assert kept(aged(0, 0), time_ms=5_000) == []
    assert kept(aged(9_999), time_ms=0) == []


def test_by_size_at_least_the_limit_is_kept():
    runs = aged(0, 0, 0, 0, 0)
    assert kept(runs, size=500) == [0, 1, 2, 3, 4]
    assert kept(runs, size=450) == [0, 1, 2, 3, 4]
    assert kept(runs, size=400) == [1, 2, 3, 4]
    assert kept(runs, size=101) == [3, 4]
    assert kept(runs, size=0) == []


def test_size_and_time_each_delete_what_they_would_alone():
    runs = aged(0, 0, 9_000, 9_000)
    assert kept(runs, time_ms=5_000, size=100) == [3]
    assert kept(runs, time_ms=5_000, size=400) == [2, 3]


def test_a_run_without_timestamps_is_as_old_as_its_object():
    assert kept(aged(-1, -1), time_ms=5_000) == [0, 1]
    assert kept(aged(-1, -1), time_ms=5_000, written={JOURNAL: 4_000}) == []


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100)), max_size=30),
    st.none() | st.integers(0, 2_000),
    st.none() | st.integers(0, 120),
)
def test_retention_agrees_with_kafka_s_two_passes(rows, size, time_ms):
    runs = [stored(n, n + 1, length=length, timestamp=timestamp) for n, (length, timestamp) in enumerate(rows)]
    # Apache Kafka: first while the excess covers the oldest segment, then while the oldest has expired.
    left = list(runs)
    if size is not None:
        excess = sum(run.run.length for run in left) - size
        while left and excess - left[0].run.length >= 0:
            excess -= left.pop(0).run.length
    if time_ms is not None:
        while left and 100 - left[0].run.timestamp_max > time_ms:
            left.pop(0)
    assert kept(runs, size=size, time_ms=time_ms, now=100) == [run.run.offset_first for run in left]
