"""The receiving half of a connection: bytes in, frames out, within the memory that there is for them.

Into the buffer shared by all connections; what is left of it, the begin of a frame, is kept. A frame of more than 4 KiB
that is not complete gets a buffer of its own size, into which the rest is received directly. It takes its memory
before, which may mean to wait, and to read nothing until then (`admission.py`).
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from fleuve.kafka.admission import FrameMemory
from fleuve.kafka.connections import RECEIVE_WHEN_SPENT_BYTES, Connections
from fleuve.wire.errors import DecodeError
from fleuve.wire.framing import SIZE_PREFIX_BYTES, frame_size, parse_frames
from fleuve.wire.message import Buffer

SMALL_REST_BYTES: Final = 4 * 1024
"""The begin of a frame up to this size is kept, and copied before what is received next."""
LARGE_FRAME_BYTES: Final = 64 * 1024
"""A frame above this size takes request memory before it is received, a smaller one of what is there for those."""
PROVEN_FACTOR: Final = 4
"""Who has sent a frame to its end has proven that it sends those that are up to so many times as large, too."""

# Why nothing is read at the moment; several reasons may hold at once.
MEMORY, IN_FLIGHT, UNSENT, ENDING = 1, 2, 4, 8


class OwnFrame:
    """A frame that is received into a buffer of its own, or waits for the memory for it."""

    __slots__ = ("_connection", "_shared", "buffer", "filled", "memory", "proven", "size", "view")

    def __init__(self, connection: Receiving, shared: Connections, size: int, begin: bytes, *, proven: bool) -> None:
        self._connection = connection
        self._shared = shared
        self.size = size
        self.filled = len(begin)
        self.proven = proven
        admission = shared.admission
        self.memory: FrameMemory = admission.small_frames if size <= LARGE_FRAME_BYTES else admission.requests
        self.buffer: bytes | bytearray = begin
        self.view = memoryview(b"")

    @property
    def held_up(self) -> bool:
        """Whether it does not go on because the broker does not read it."""
        return self._connection.is_held_up

    def cut_off(self) -> None:
        """End its connection."""
        self._connection.abort(f"its request of {self.size} bytes comes slowly, and others wait for the memory")

    def granted(self) -> None:
        """Go on: the memory that was waited for is there."""
        self.receive()
        self._connection.go_on()

    def receive(self) -> None:
        """Take the buffer; the memory is there."""
        begin, size = self.buffer, self.size
        self.buffer = bytearray(size) if size <= LARGE_FRAME_BYTES else self._shared.slabs.take(size)
        self.view = memoryview(self.buffer)
        self.view[: self.filled] = begin
        self._shared.admission.begin(self)

    def release(self) -> None:
        """Give back what a frame that will never be complete has taken."""
        if isinstance(self.buffer, bytes):
            self.memory.stop_waiting(self.granted)
            return
        self._shared.admission.end(self)
        if self.size > LARGE_FRAME_BYTES:
            self._shared.slabs.give_back(self.buffer)
        self.memory.give_back(self.size)


class Receiving(asyncio.BufferedProtocol):
    """What of a connection receives. What becomes of a frame is the other half's business: `_take`."""

    __slots__ = (
        "_active",
        "_closing",
        "_dirty",
        "_out",
        "_own",
        "_own_size_max",
        "_paused",
        "_rest",
        "_shared",
        "_transport",
    )

    def __init__(self, shared: Connections) -> None:
        self._shared = shared
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._closing = True
        self._active = 0.0
        """When something was received last."""
        self._rest = b""
        self._own: OwnFrame | None = None
        self._own_size_max = 0
        """The largest one that was received to its end."""
        self._paused = 0
        # The other half's: what is written when all that was received is handled.
        self._out: list[Buffer] = []
        self._dirty = False

    # ------------------------------------------------------------ what the other half does

    def _take(self, view: memoryview, size: int, slab: bytearray | None = None) -> None:
        """Handle one frame; `slab` is its memory if it has its own. Raises DecodeError."""
        raise NotImplementedError

    def _malformed(self, error: DecodeError) -> None:
        raise NotImplementedError

    def _bug(self, error: Exception) -> None:
        raise NotImplementedError

    def flush(self) -> None:
        """Write all answers that are there, at once."""
        raise NotImplementedError

    def abort(self, reason: str | None) -> None:
        """Close at once; what is unsent is lost. Complain about the client if there is a reason."""
        raise NotImplementedError

    @property
    def is_held_up(self) -> bool:
        """Whether nothing is read because of what the broker has to do first."""
        raise NotImplementedError

    # ------------------------------------------------------------ bytes

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        own = self._own
        if own is not None:
            return own.view[own.filled : own.size]
        shared = self._shared
        buffer = shared.buffer
        size = len(self._rest)
        if size:
            buffer[:size] = self._rest
        if shared.admission.free:
            return buffer[size:]
        return buffer[size : size + RECEIVE_WHEN_SPENT_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """Handle the frames that the received bytes complete."""
        if self._closing:
            return
        shared = self._shared
        self._active = shared.loop.time()
        shared.stats.received_bytes += nbytes
        own = self._own
        try:
            if own is not None:
                own.filled += nbytes
                if own.filled == own.size:
                    self._take_own(own)
            else:
                self._take_shared(len(self._rest) + nbytes)
        except DecodeError as error:
            self._malformed(error)
        except Exception as error:
            self._bug(error)
        if self._out and not self._dirty:
            self.flush()

    def _take_shared(self, end: int) -> None:
        buffer = self._shared.buffer
        if self._rest:
            self._rest = b""
        frames, at = parse_frames(buffer, end, self._shared.limits.request_size_max)
        for start, stop in frames:
            self._take(buffer[start:stop], stop - start)
            if self._closing:
                return
        if at < end:
            self._keep(buffer, at, end)

    # ------------------------------------------------------------ a part of a frame

    def _keep(self, buffer: memoryview, at: int, end: int) -> None:
        """Keep the begin of a frame."""
        size = frame_size(buffer, at, end)
        if size is None or size <= SMALL_REST_BYTES:
            self._rest = bytes(buffer[at:end])
            return
        begin = bytes(buffer[at + SIZE_PREFIX_BYTES : end])
        size -= SIZE_PREFIX_BYTES
        proven = size <= PROVEN_FACTOR * self._own_size_max
        own = self._own = OwnFrame(self, self._shared, size, begin, proven=proven)
        if own.memory.take(size):
            own.receive()
        else:
            self._pause(MEMORY)
            own.memory.wait(size, own.granted, proven=proven)
            self._shared.hurry()

    def _take_own(self, own: OwnFrame) -> None:
        shared, size, buffer = self._shared, own.size, own.buffer
        assert isinstance(buffer, bytearray)
        self._own = None
        self._own_size_max = max(self._own_size_max, size)
        shared.admission.end(own)
        if size <= LARGE_FRAME_BYTES:
            own.memory.give_back(size)
            self._take(own.view[:size], size)
            return
        try:
            self._take(own.view[:size], size, buffer)
        except BaseException:
            own.memory.give_back(size)
            raise

    def _release_own(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.release()

    # ------------------------------------------------------------ to read or not to read

    def _pause(self, reason: int) -> None:
        if not self._paused and not self._transport.is_closing():
            self._transport.pause_reading()
        self._paused |= reason

    def go_on(self) -> None:
        """Read again, since there is memory now."""
        self._active = self._shared.loop.time()
        self._resume(MEMORY)

    def _resume(self, reason: int) -> None:
        if self._paused & reason:
            self._paused &= ~reason
            if not self._paused and not self._transport.is_closing():
                self._transport.resume_reading()
