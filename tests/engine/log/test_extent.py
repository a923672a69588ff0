"""The header of an extent is read as it was written, by any version, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.base.ids import PartitionId, ProducerId
from fleuve.engine.log.extent import ExtentGroup, ExtentHeader, decode, encode
from fleuve.ports.errors import CorruptState

GOLDEN = Path(__file__).parent / "golden"
ids = st.integers(0, 2**63 - 1)
headers = st.builds(
    ExtentHeader,
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    st.lists(st.builds(ExtentGroup, ids.map(PartitionId), st.integers(0, 2**32 - 1)), max_size=5),
    st.lists(st.tuples(ids.map(PartitionId), ids.map(ProducerId)), max_size=5),
)

EXAMPLE = ExtentHeader(
    1_700_000_000_000,
    86_400_000,
    [ExtentGroup(PartitionId(1), 170), ExtentGroup(PartitionId(9), 1_048_576)],
    [(PartitionId(9), ProducerId(7))],
)


@given(headers)
def test_what_was_written_is_read(header):
    assert decode(encode(header)) == header


@given(st.binary(max_size=80))
def test_garbage_is_a_header_or_corrupt(garbage):
    try:
        header = decode(garbage)
    except CorruptState:
        return
    assert encode(header) == garbage


@given(headers, st.data())
def test_a_header_that_is_cut_off_is_corrupt(header, data):
    whole = encode(header)
    with pytest.raises(CorruptState):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_format_1_is_read_for_ever():
    assert decode((GOLDEN / "extent-header-1.bin").read_bytes()) == EXAMPLE
