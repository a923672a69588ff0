"""Whose turn it is, where several wait for memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

PROVEN_TURNS: Final = 4
"""Of so many turns, those who have not proven themselves have one, if others wait as well."""

Granted = Callable[[], None]


class Queue:
    """Those who wait for memory, and who is next.

    In turn the one who has waited longest and the one who came last: by the first alone, everybody would wait behind
    a crowd of slow ones.
    """

    __slots__ = ("_new", "_proven", "_turn")

    def __init__(self) -> None:
        self._proven: deque[tuple[int, Granted]] = deque()
        self._new: deque[tuple[int, Granted]] = deque()
        self._turn = 0

    def __len__(self) -> int:
        return len(self._proven) + len(self._new)

    def add(self, size: int, granted: Granted, *, proven: bool) -> None:
        """Have somebody wait for `size` bytes."""
        (self._proven if proven else self._new).append((size, granted))

    def discard(self, granted: Granted) -> bool:
        """Forget who waits with that callback; return whether somebody did."""
        for waiting in (self._proven, self._new):
            for entry in waiting:
                if entry[1] == granted:
                    waiting.remove(entry)
                    return True
        return False

    @property
    def next_size(self) -> int:
        """What the next one waits for."""
        waiting, place = self._next()
        return waiting[place][0]

    def pop(self) -> Granted:
        """Take the next one out."""
        waiting, place = self._next()
        self._turn += 1
        _, granted = waiting[place]
        del waiting[place]
        return granted

    def _next(self) -> tuple[deque[tuple[int, Granted]], int]:
        for_new = self._turn % PROVEN_TURNS == PROVEN_TURNS - 1
        waiting = self._new if self._new and (for_new or not self._proven) else self._proven
        # Turns of the new ones alone go on one by one, those among the proven ones by four.
        newest = (self._turn // PROVEN_TURNS if self._proven and for_new else self._turn) % 2
        return waiting, -newest
