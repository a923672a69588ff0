"""Varints and their bounds."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleuve.wire.errors import DecodeError
from fleuve.wire.primitives import read_uvarint, uvarint


@given(st.integers(0, (1 << 31) - 1))
@example(0)
@example(0x7F)
@example(0x80)
@example(0x3FFF)
@example(0x4000)
@example(0x1FFFFF)
@example(0x200000)
@example(0xFFFFFFF)
@example(0x10000000)
@example((1 << 31) - 1)
def test_a_varint_is_read_back_and_as_short_as_can_be(value):
    raw = uvarint(value)
    assert len(raw) == max(1, -(-value.bit_length() // 7))
    assert read_uvarint(raw + b"\xff", 0) == (value, len(raw))


@pytest.mark.parametrize("raw", [b"\x80" * 5 + b"\x00", b"\xff" * 9, b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x08"])
def test_a_varint_is_bounded(raw):
    with pytest.raises(DecodeError):
        read_uvarint(raw, 0)
