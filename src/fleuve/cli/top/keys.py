"""Single keys from a terminal, while something else is shown on it."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Iterator

if sys.platform != "win32":
    import termios
    import tty


class Keys:
    """The keys that are typed."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def typed(self, timeout_s: float) -> str:
        """Return the keys that were typed; an empty text if none is typed in time."""
        if self._descriptor is None:
            threading.Event().wait(timeout_s)
            return ""
        readable, _, _ = select.select([self._descriptor], [], [], timeout_s)
        if not readable:
            return ""
        typed = os.read(self._descriptor, 64)
        if not typed:
            # The terminal has gone away: nobody will type anything more.
            self._descriptor = None
        # Arrows and the like are an escape and letters, which are no keys of their own.
        return "" if typed.startswith(b"\x1b") else typed.decode(errors="ignore")


@contextlib.contextmanager
def keys() -> Iterator[Keys]:
    """Give a block the keys, one by one and without an echo; afterwards the terminal is as it was."""
    if sys.platform != "win32" and sys.stdin.isatty():
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        try:
            # Not raw: Ctrl-C still interrupts.
            tty.setcbreak(descriptor)
            yield Keys(descriptor)
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    else:
        # On Windows there are no keys, and Ctrl-C ends.
        yield Keys(None)
