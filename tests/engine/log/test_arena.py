"""Recycled memory: nothing is written over what somebody still holds, and what nobody holds is used again."""

from __future__ import annotations

from fleuve.base.ids import PartitionId
from fleuve.engine.log.arena import SLAB_ENTRIES_MAX, Arena
from fleuve.engine.log.partition import PartitionView
from fleuve.ports.log import LogState

SLABS = 4
SLAB_BYTES = 64 << 10
PIECE_BYTES = SLAB_BYTES // 4
ROUNDS = 10 * SLABS * SLAB_BYTES // PIECE_BYTES


class Memory:
    """An arena and a partition whose records lie in it: each piece is one "batch" with its number in every byte."""

    def __init__(self) -> None:
        self.released = 0
        self.arena = Arena(size_bytes=SLABS * SLAB_BYTES, release_pinned=self._release)
        self.view = PartitionView(PartitionId(1), LogState(0, 0, 0, 0))
        self.slabs: dict[int, object] = {}
        """All that were ever used."""

    def _release(self) -> None:
        self.released += 1

    def begin(self, size: int = PIECE_BYTES):
        """Store the next batch; its flush is not settled."""
        number = self.view.high_watermark
        slab, start = self.arena.store(memoryview(bytes([number % 251]) * size))
        self.slabs[id(slab)] = slab
        return slab, start, start + size

    def settle(self, slab, start: int, stop: int) -> None:
        slab.pending -= 1
        number = self.view.high_watermark
        self.view.append(number, number + 1, slab, start, stop)

    def add(self, count: int = 1, size: int = PIECE_BYTES) -> None:
        for _ in range(count):
            self.settle(*self.begin(size))

    def newest(self) -> memoryview:
        """Return what a reader of the newest batch gets."""
        piece = self.view._tail[-1]
        return piece.slab.view[piece.stop - PIECE_BYTES : piece.stop]


def test_a_slab_is_not_used_again_while_a_view_of_it_is_held():
    memory = Memory()
    memory.add(3)
    # A socket whose client reads slowly, say, or a write of the journal.
    held = memory.newest()
    before = bytes(held)
    for _ in range(ROUNDS):
        memory.add()
        assert held == before
    assert memory.arena.pinned_bytes == SLAB_BYTES


def test_each_of_many_views_keeps_what_it_shows():
    memory = Memory()
    held = []
    for number in range(ROUNDS):
        memory.add()
        if number % 3 == 0:
            held.append((memory.newest(), bytes(memory.newest())))
        if number % 5 == 0:
            held.pop(0)
        assert all(view == before for view, before in held)


def test_a_slab_is_used_again_when_the_last_view_of_it_is_gone():
    memory = Memory()
    memory.add(3)
    held = [memory.newest(), memory.newest()[1:]]
    memory.add(ROUNDS)
    slabs = len(memory.slabs)
    del held[0]
    memory.add(ROUNDS)
    assert set(held[0]) == {2}
    del held[0]
    memory.add(ROUNDS)
    assert len(memory.slabs) == slabs


def test_without_slow_readers_no_more_slabs_are_made_than_there_may_be():
    memory = Memory()
    memory.add(ROUNDS)
    assert len(memory.slabs) == SLABS
    assert memory.arena.size_bytes == SLABS * SLAB_BYTES


def test_a_slab_is_not_used_again_while_a_flush_of_it_is_not_settled():
    memory = Memory()
    # Nobody has a view of it yet: its flush waits for another one.
    waiting = memory.begin()
    slab, start, stop = waiting
    before = bytes(slab.view[start:stop])
    for _ in range(ROUNDS):
        memory.add()
        assert slab.view[start:stop] == before
    assert memory.arena.size_bytes > SLABS * SLAB_BYTES
    memory.settle(*waiting)
    memory.add(ROUNDS)
    assert memory.arena.size_bytes == SLABS * SLAB_BYTES


def test_what_is_used_again_is_in_no_tail_any_more():
    memory = Memory()
    for _ in range(ROUNDS):
        memory.add()
        view = memory.view
        found, size = view.read_tail(view.tail_start, max_bytes=1 << 30, at_least_one=True) if view._tail else ([], 0)
        numbers = range(view.tail_start, view.high_watermark)
        assert b"".join(found) == b"".join(bytes([number % 251]) * PIECE_BYTES for number in numbers)
        assert size <= SLABS * SLAB_BYTES


def test_a_batch_larger_than_a_slab_gets_one_of_its_own_for_as_long_as_it_is_wanted():
    memory = Memory()
    memory.add(2)
    memory.add(size=3 * SLAB_BYTES)
    piece = memory.view._tail[-1]
    assert bytes(piece.slab.view[piece.start : piece.stop]) == bytes([2]) * (3 * SLAB_BYTES)
    memory.add(ROUNDS)
    assert memory.arena.size_bytes == SLABS * SLAB_BYTES


def test_small_batches_fill_a_slab_by_their_number():
    memory = Memory()
    slabs = [memory.begin(1)[0] for _ in range(SLAB_ENTRIES_MAX + 1)]
    assert slabs[0] is slabs[-2] is not slabs[-1]


def test_readers_are_asked_to_let_go_when_they_hold_more_than_half_of_it():
    memory = Memory()
    held = []
    while not memory.released:
        memory.add(SLAB_BYTES // PIECE_BYTES)
        held.append(memory.newest())
        assert len(held) < 10 * SLABS
    assert memory.arena.pinned_bytes > SLABS * SLAB_BYTES // 2
    assert memory.arena.size_bytes <= SLABS * SLAB_BYTES * 3 // 2 + SLAB_BYTES


def test_a_small_cache_holds_no_more_than_it_may():
    memory = Memory()
    memory.arena = Arena(size_bytes=1 << 20)
    for _ in range(4 << 20 >> 14):
        memory.add()
        assert sum(slab.size for slab in memory.arena._slabs) <= 1 << 20


def test_memory_that_is_given_back_is_all_but_what_a_flush_needs():
    memory = Memory()
    memory.add(ROUNDS)
    waiting = memory.begin()
    memory.arena.release()
    assert memory.arena.size_bytes == SLAB_BYTES
    memory.settle(*waiting)
    memory.arena.release()
    assert memory.arena.size_bytes == 0
