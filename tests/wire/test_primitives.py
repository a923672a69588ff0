"""Varints and their bounds."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleuve.wire.errors import DecodeError
from fleuve.wire.primitives import (
    STRING_SIZE_BYTES_MAX,
    compact_nullable_string,
    compact_string,
    nullable_string,
    read_uvarint,
    string,
    uvarint,
)


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


@pytest.mark.parametrize("write", [string, nullable_string, compact_string, compact_nullable_string])
def test_a_string_that_is_too_long_for_the_protocol_is_cut_behind_a_whole_character(write):
    # What a name of 32,767 bytes that are no UTF-8 becomes, and with it each answer that tells of it.
    text = (b"\xff" * STRING_SIZE_BYTES_MAX).decode(errors="replace")
    expected = text[: STRING_SIZE_BYTES_MAX // 3].encode()
    assert write(text).endswith(expected)
    assert len(write(text)) <= len(expected) + 3
    longest = "x" * STRING_SIZE_BYTES_MAX
    assert write(longest).endswith(longest.encode())
