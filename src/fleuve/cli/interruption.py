"""Ctrl-C and SIGTERM for commands that have something to finish: records to flush, offsets to commit.

The first one is noted, and the command looks at it between two steps; the second one ends it where it stands.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

WAITS_FOR_INPUT = sys.platform != "win32"
"""Whether a command can wait for input and look up meanwhile; where it cannot, the first Ctrl-C ends it."""


class Interruption:
    """Whether the user wants the command to end."""

    def __init__(self) -> None:
        self.told = False

    def tell(self, *_: object) -> None:
        """Note it; raise KeyboardInterrupt if it was told before."""
        if self.told or not WAITS_FOR_INPUT:
            raise KeyboardInterrupt
        self.told = True


@contextlib.contextmanager
def interruption() -> Iterator[Interruption]:
    """Note signals inside the block instead of raising at any line of it."""
    it = Interruption()
    before = {number: signal.signal(number, it.tell) for number in _SIGNALS}
    try:
        yield it
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
