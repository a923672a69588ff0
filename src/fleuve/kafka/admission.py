"""Who may receive a frame when there is not memory for all: whose turn it is, and who is too slow to keep its memory.

A frame takes its memory before it is received, so that what was begun can be finished. So nobody is cut off because
there are many; but a client that takes memory and then sends slowly, or nothing, has it at the cost of those who wait.
Slow frames may have half of it: beyond that, and only while somebody waits, the slowest lose their connections.

A connection that has sent such a frame before, to its end, is proven. It is served before those that are not, and is
cut off after them: a crowd of others that only take memory hardly touches it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final, Protocol

from fleuve.kafka.limits import Limits
from fleuve.kafka.turns import Granted, Queue

SMALL_SHARE: Final = 8
"""A frame of at most this part of the memory is small, and so much of it is always there for small ones."""
SLOW_SHARE: Final = 2
"""The part of the memory that slow frames may have while others wait."""
TURN_S: Final = 0.1
"""How often frames are looked at while somebody waits. More time between two looks than this does not count: then the
broker was busy, and a frame that it had no time to read is not slow."""


class FrameMemory:
    """A bound on the bytes of frames: those that are being received, and those that wait to be served.

    What was received with others needs no leave: it is counted (`hold`), and only keeps large frames out.

    Large frames cannot take all of it, and while some wait, small ones have no more than their part: neither kind
    keeps the other out. A frame larger than what there is for its kind is granted when no other of its kind is held.
    """

    __slots__ = ("_held", "_large", "_large_used", "_small", "capacity", "small_max", "used", "waiters")

    def __init__(self, capacity: int) -> None:
        assert capacity > 0
        self.capacity = capacity
        self.small_max = max(1, capacity // SMALL_SHARE)
        self.used = 0
        self.waiters = 0
        """How many wait."""
        self._held = 0
        self._large_used = 0
        self._small = Queue()
        self._large = Queue()

    @property
    def available(self) -> int:
        """Bytes that are still free; 0 when more is held than there is."""
        return max(0, self.capacity - self.used)

    @property
    def free(self) -> bool:
        """Whether there is some, and nobody waits for it."""
        return self.used < self.capacity and not self.waiters

    def contended(self) -> Iterable[tuple[bool, int]]:
        """Yield for each kind of frame that somebody waits for whether it is the large one, and what it may use."""
        if self._small:
            yield False, self._small_capacity()
        if self._large:
            yield True, self.capacity

    def take(self, size: int) -> bool:
        """Take `size` bytes and return True; return False if they are not free, or others wait already."""
        if (self.waiters and self._queue_of(size)) or not self._fits(size):
            return False
        self._count(size)
        return True

    def _count(self, size: int) -> None:
        self.used += size
        if size > self.small_max:
            self._large_used += size

    def give_back(self, size: int) -> None:
        """Return `size` bytes that were taken at once, and grant what now fits to those who wait."""
        self.used -= size
        if size > self.small_max:
            self._large_used -= size
        assert 0 <= self._large_used <= self.used
        if self.waiters:
            self._grant()

    def hold(self, size: int) -> None:
        """Count `size` bytes that are held already, whether they are free or not."""
        self._held += size
        self.used += size

    def let_go(self, size: int) -> None:
        """Return `size` bytes that were counted by `hold`."""
        self._held -= size
        self.used -= size
        assert 0 <= self._held <= self.used
        if self.waiters:
            self._grant()

    def wait(self, size: int, granted: Granted, *, proven: bool = False) -> None:
        """Call `granted` once `size` bytes have been taken for the caller."""
        self.waiters += 1
        self._queue_of(size).add(size, granted, proven=proven)

    def stop_waiting(self, granted: Granted) -> bool:
        """Forget the wait with that callback; return whether there was one."""
        if self._small.discard(granted) or self._large.discard(granted):
            self.waiters -= 1
            # It may have been the one that others stood behind.
            self._grant()
            return True
        return False

    def is_large(self, size: int) -> bool:
        """Return whether a frame of that size is a large one."""
        return size > self.small_max

    def _queue_of(self, size: int) -> Queue:
        return self._large if size > self.small_max else self._small

    def _grant(self) -> None:
        for queue in (self._large, self._small):
            while queue and self._fits(size := queue.next_size):
                granted = queue.pop()
                self.waiters -= 1
                self._count(size)
                granted()

    def _small_capacity(self) -> int:
        return self.small_max if self._large else max(self.small_max, self.capacity - self._large_used - self._held)

    def _fits(self, size: int) -> bool:
        small_used = self.used - self._large_used - self._held
        if size <= self.small_max:
            return small_used + size <= self._small_capacity()
        if not self._large_used:
            # Beside what is in any case of the others, so that it comes to its turn however large it is.
            beside = small_used <= self.small_max and self._held <= self.capacity // 2
            return beside or self.used + size <= self.capacity
        return self.used + size <= self.capacity and self._large_used + size <= self.capacity - self.small_max


class Frame(Protocol):
    """What is asked of a frame that is being received."""

    size: int
    filled: int
    proven: bool
    """Whether its connection has sent one like it before."""

    @property
    def memory(self) -> FrameMemory:
        """What it is counted in."""
        ...

    @property
    def held_up(self) -> bool:
        """Whether it does not go on because the broker does not read it."""
        ...

    def cut_off(self) -> None:
        """End its connection."""
        ...


class Pace:
    """How fast something comes or goes, over the last one or two times that it is looked at."""

    __slots__ = ("_before", "_now")

    def __init__(self, now: float, done: int) -> None:
        self._before = self._now = (now, done)

    def seconds_left(self, now: float, *, done: int, left: int, window_s: float) -> float:
        """Return how long the `left` bytes will take at this pace; 0 as long as nobody can tell."""
        if now - self._now[0] >= window_s:
            self._before, self._now = self._now, (now, done)
        since, before = self._before
        if now - since < window_s:
            return 0.0
        return left * (now - since) / (done - before) if done > before else inf

    def begin_anew(self, now: float, done: int) -> None:
        """Forget how fast it was."""
        self._before = self._now = (now, done)


class Admission:
    """The frames that are being received, and the memory for them."""

    def __init__(self, limits: Limits) -> None:
        self.small_frames = FrameMemory(min(limits.partial_memory, limits.request_memory))
        """For frames that are so small that they do not count as requests until they are whole."""
        self.requests = FrameMemory(limits.request_memory)
        self._limits = limits
        self._receiving: dict[Frame, Pace] = {}
        self._looked = 0.0
        self._time = 0.0

    @property
    def free(self) -> bool:
        """Whether there is memory, and nobody waits for it."""
        return self.requests.free and self.small_frames.free

    @property
    def waiters(self) -> int:
        """How many wait for memory."""
        return self.requests.waiters + self.small_frames.waiters

    def begin(self, frame: Frame) -> None:
        """Keep an eye on a frame that has its memory and is being received."""
        self._receiving[frame] = Pace(self._time, frame.filled)

    def end(self, frame: Frame) -> None:
        """Forget a frame that is whole, or that will never be."""
        self._receiving.pop(frame, None)

    def too_slow(self, now: float) -> list[Frame]:
        """Return the frames to cut off, so that others get their memory. To be asked each `TURN_S`, or more often."""
        self._time += min(now - self._looked, TURN_S)
        self._looked = now
        found: dict[Frame, None] = {}
        for memory in (self.small_frames, self.requests):
            for large, capacity in memory.contended():
                rivals = [frame for frame in self._receiving if frame.memory is memory]
                if not large:
                    rivals = [frame for frame in rivals if not memory.is_large(frame.size)]
                found |= dict.fromkeys(self._slowest(rivals, capacity // SLOW_SHARE))
        return list(found)

    def _slowest(self, frames: list[Frame], allowed_bytes: int) -> list[Frame]:
        """Return the slowest of these frames, beyond those that fit into `allowed_bytes`."""
        slow = []
        for frame in frames:
            window_s, allowed_s = self._limits.pace_of(large=frame.memory.is_large(frame.size))
            pace, left = self._receiving[frame], frame.size - frame.filled
            if frame.held_up:
                pace.begin_anew(self._time, frame.filled)
                continue
            left_s = pace.seconds_left(self._time, done=frame.filled, left=left, window_s=window_s)
            if left_s > allowed_s:
                slow.append((not frame.proven, left_s, frame))
        slow.sort(key=lambda entry: entry[:2])
        held = 0
        found = []
        for *_, frame in slow:
            held += frame.size
            if held > allowed_bytes:
                found.append(frame)
        return found
