"""The footer of a segment: what is found by it is what a walk over all batches finds."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.base.ids import PartitionId
from fleuve.engine.log import segment
from fleuve.engine.log.segment import HEAD_SIZE_BYTES, INTERVAL_BYTES, SegmentIndex, decode, entries_size
from fleuve.ports.errors import CorruptState

GOLDEN = Path(__file__).parent / "golden"
SEVEN = PartitionId(7)

BATCHES = st.lists(
    st.tuples(st.integers(61, 3 * INTERVAL_BYTES), st.integers(1, 1_000), st.integers(-1, 1_000)),
    min_size=1,
    max_size=60,
)
"""(size, offsets, max timestamp) of each batch."""


def built(batches, first_offset=100):
    """Return the index, and (base offset, end offset, position, end, timestamp) of each batch."""
    index, known = SegmentIndex(), []
    offset, position = first_offset, 0
    for size, count, timestamp in batches:
        index.add(offset, position, timestamp)
        known.append((offset, offset + count, position, position + size, timestamp))
        offset, position = offset + count, position + size
    return index, known


def decoded(footer, partition_id=SEVEN):
    head, entries = footer[:HEAD_SIZE_BYTES], footer[HEAD_SIZE_BYTES:]
    assert entries_size(head) == len(entries)
    return decode(head, entries, partition_id=partition_id)


@given(BATCHES)
def test_what_was_encoded_is_decoded(batches):
    index, _ = built(batches)
    again = decoded(index.encode(SEVEN))
    assert (again.offsets, again.positions, again.max_timestamps) == (
        index.offsets,
        index.positions,
        index.max_timestamps,
    )


@pytest.mark.parametrize("version", [1])
def test_a_footer_of_each_released_format_is_read(version):
    again = decoded((GOLDEN / f"segment-footer-{version}.bin").read_bytes())
    assert list(again.offsets) == [100, 101, 141]
    assert list(again.positions) == [0, INTERVAL_BYTES, 4 * INTERVAL_BYTES]
    assert list(again.max_timestamps) == [1_700_000_000_000, 1_700_000_000_500, -1]


def test_todays_footer_is_the_golden_one():
    batches = [(INTERVAL_BYTES, 1, 1_700_000_000_000), (3 * INTERVAL_BYTES, 40, 1_700_000_000_500), (61, 1, -1)]
    index, _ = built(batches)
    assert index.encode(SEVEN) == (GOLDEN / "segment-footer-1.bin").read_bytes()


@given(BATCHES, st.data())
def test_an_offset_is_found_at_or_shortly_before_its_batch(batches, data):
    index, known = built(batches)
    base, end, position, _, _ = data.draw(st.sampled_from(known))
    offset = data.draw(st.integers(base, end - 1))
    found = index.position_of(offset)
    assert found in {batch[2] for batch in known}
    assert found <= position
    # What is read in vain is less than an interval and one batch.
    assert position - found < INTERVAL_BYTES
    assert index.position_of(0) == 0


@given(BATCHES, st.integers(-1, 1_001), st.data())
def test_the_first_batch_as_young_is_in_the_span(batches, timestamp, data):
    index, known = built(batches)
    offset = data.draw(st.sampled_from(known))[0]
    span = next(index.spans_since(timestamp, offset=offset, end=known[-1][3]), None)
    young = [batch for batch in known if batch[4] >= timestamp and batch[1] > offset]
    if span is None:
        assert not young
        return
    starts = {batch[2] for batch in known}
    assert span[0] in starts
    assert span[1] in starts | {known[-1][3]}
    if young and not any(
        batch[4] >= timestamp and span[0] <= batch[2] < span[1] for batch in known if batch[1] <= offset
    ):
        assert span[0] <= young[0][2] < span[1]


def test_small_batches_share_an_entry():
    index, _ = built([(1_000, 1, 5)] * 1_000)
    assert len(index.positions) == pytest.approx(1_000_000 / INTERVAL_BYTES, abs=2)


def test_an_index_without_batches_can_be_read():
    assert len(decoded(SegmentIndex().encode(SEVEN)).offsets) == 0


def test_the_layout_is_the_page_s():
    index = SegmentIndex()
    index.add(42, 0, 1_700_000_000_000)
    footer = index.encode(SEVEN)
    assert footer[:8] == b"FLEUVSEG"
    assert struct.unpack_from(">II", footer, 8) == (1, 1)
    assert struct.unpack_from(">Q", footer, 20) == (7,)
    assert footer[28:] == struct.pack(">qqq", 42, 0, 1_700_000_000_000)


@given(st.integers(0, 27 + 24 * 3), st.integers(1, 255))
def test_any_changed_byte_is_noticed(place, change):
    index, _ = built([(INTERVAL_BYTES, 1, 1)] * 3)
    footer = bytearray(index.encode(SEVEN))
    footer[place] ^= change
    with pytest.raises(CorruptState):
        size = entries_size(footer[:HEAD_SIZE_BYTES])
        # A count that lies makes a reader ask for bytes that are not there: that is the store's ObjectMissing.
        entries = bytes(footer[HEAD_SIZE_BYTES : HEAD_SIZE_BYTES + size])
        if len(entries) < size:
            raise CorruptState("too short")
        decode(bytes(footer[:HEAD_SIZE_BYTES]), entries, partition_id=SEVEN)


def test_a_footer_of_another_partition_or_version_is_refused():
    index, _ = built([(100, 1, 1)])
    with pytest.raises(CorruptState):
        decoded(index.encode(SEVEN), PartitionId(8))
    newer = bytearray(index.encode(SEVEN))
    struct.pack_into(">I", newer, 8, segment.FORMAT_VERSION + 1)
    with pytest.raises(CorruptState, match="format 2"):
        entries_size(newer[:HEAD_SIZE_BYTES])
