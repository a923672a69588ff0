"""Frames: a 32-bit size, then as many bytes. Bytes in, frames out; no socket.

A connection that reads into a buffer of its own scans it with `parse_frames`, which copies nothing.
`FrameReader` keeps the buffer itself, for tools and tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from fleuve.wire.errors import FrameError
from fleuve.wire.message import Buffer

SIZE_PREFIX_BYTES = 4
FRAME_SIZE_BYTES_MAX = 100 * 1024 * 1024
"""Kafka's default of `socket.request.max.bytes`."""

_read_size = Struct(">i").unpack_from
_write_size = Struct(">i").pack


def parse_frames(
    buffer: memoryview, end: int, size_max: int = FRAME_SIZE_BYTES_MAX
) -> tuple[list[tuple[int, int]], int]:
    """Find the complete frames in `buffer[:end]`; return their (start, stop) without size prefix, and what they take.

    Bytes from the second result on belong to a frame that is not complete; ask `frame_size` how large it will be.
    Raises FrameError for a size outside 0..`size_max`, as soon as the size is there, and does not return the
    frames before it: the stream is lost.
    """
    frames: list[tuple[int, int]] = []
    at = 0
    while end - at >= SIZE_PREFIX_BYTES:
        (size,) = _read_size(buffer, at)
        if not 0 <= size <= size_max:
            raise FrameError(f"frame size {size} outside 0..{size_max}")
        stop = at + SIZE_PREFIX_BYTES + size
        if stop > end:
            break
        frames.append((at + SIZE_PREFIX_BYTES, stop))
        at = stop
    return frames, at


def frame_size(buffer: memoryview, at: int, end: int) -> int | None:
    """Return the size, prefix included, of the frame that starts at `at`, or None if not even its size is there.

    The size was checked by `parse_frames`, which stopped at this frame.
    """
    if end - at < SIZE_PREFIX_BYTES:
        return None
    size: int = _read_size(buffer, at)[0]
    return SIZE_PREFIX_BYTES + size


def size_prefix(size: int) -> bytes:
    """Return the prefix of a frame with `size` bytes."""
    return _write_size(size)


class FrameReader:
    """Takes frames out of a stream of chunks."""

    def __init__(self, *, size_max: int = FRAME_SIZE_BYTES_MAX) -> None:
        assert 0 < size_max <= 0x7FFFFFFF
        self._size_max = size_max
        self._buffer = bytearray()

    def feed(self, chunk: Buffer) -> Iterator[bytes]:
        """Return the frames that `chunk` completes. Raises FrameError behind the last good one."""
        self._buffer += chunk
        while (frame := self._take()) is not None:
            yield frame

    def _take(self) -> bytes | None:
        if len(self._buffer) < SIZE_PREFIX_BYTES:
            return None
        (size,) = _read_size(self._buffer)
        # Checked before waiting for the body: a hostile size must not make us buffer it.
        if not 0 <= size <= self._size_max:
            raise FrameError(f"frame size {size} outside 0..{self._size_max}")
        stop = SIZE_PREFIX_BYTES + size
        if len(self._buffer) < stop:
            return None
        frame = bytes(memoryview(self._buffer)[SIZE_PREFIX_BYTES:stop])
        del self._buffer[:stop]
        return frame
