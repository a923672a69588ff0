"""Size-prefixed frames."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.wire.errors import FrameError
from fleuve.wire.framing import FrameReader, frame_size, parse_frames, size_prefix

FRAMES = st.lists(st.binary(max_size=40), max_size=6)


def stream_of(frames):
    return b"".join(size_prefix(len(frame)) + frame for frame in frames)


@given(frames=FRAMES, data=st.data())
def test_chunking_never_changes_the_frames(frames, data):
    stream = stream_of(frames)
    reader = FrameReader()
    out: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += reader.feed(stream[:size])
        stream = stream[size:]
    assert out == frames


@given(frames=FRAMES, data=st.data())
def test_a_scan_finds_the_complete_frames_and_leaves_the_rest(frames, data):
    stream = stream_of(frames)
    end = data.draw(st.integers(0, len(stream)))
    buffer = memoryview(stream + b"\xff" * 8)  # bytes past the end are old ones: not to be looked at
    found, consumed = parse_frames(buffer, end, 40)
    assert [bytes(buffer[start:stop]) for start, stop in found] == frames[: len(found)]
    assert consumed == sum(4 + len(frame) for frame in frames[: len(found)])
    assert consumed <= end
    rest = frame_size(buffer, consumed, end)
    if end - consumed < 4:
        assert rest is None
    else:
        assert rest == 4 + len(frames[len(found)])


@given(st.binary(max_size=64))
def test_garbage_is_frames_or_frame_error_and_nothing_else(garbage):
    for take in (
        lambda: list(FrameReader(size_max=50).feed(garbage)),
        lambda: parse_frames(memoryview(garbage), len(garbage), 50),
    ):
        try:
            take()
        except FrameError:
            pass


@pytest.mark.parametrize("size", [-1, -(1 << 31), 101, (1 << 31) - 1])
def test_a_size_out_of_bounds_is_refused_before_the_body_arrives(size):
    prefix = struct.pack(">i", size)
    with pytest.raises(FrameError, match=rf"{size} outside 0\.\.100"):
        parse_frames(memoryview(prefix), 4, 100)
    with pytest.raises(FrameError, match=rf"{size} outside 0\.\.100"):
        list(FrameReader(size_max=100).feed(prefix))


def test_frames_before_a_bad_one_are_given_out():
    frames = FrameReader(size_max=100).feed(stream_of([b"one", b"two"]) + b"\xff\xff\xff\xff")
    assert [next(frames), next(frames)] == [b"one", b"two"]
    with pytest.raises(FrameError):
        next(frames)
