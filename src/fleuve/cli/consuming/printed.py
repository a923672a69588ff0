"""Standard output, as a command has it that may wait long between two records: a reader that has gone is noticed."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Callable

from fleuve.cli.output.standard_output import writing


class Printed:
    """Writes to standard output, and flushes each time."""

    def __init__(self) -> None:
        self._poll_gone = _gone_poll()

    def write(self, data: bytes) -> None:
        """Write all of it. Raises BrokenPipeError if nobody reads any more, OutputFailed if it cannot be written."""
        with writing():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def check(self) -> None:
        """Raise BrokenPipeError if nobody reads any more, though nothing is there to be written."""
        if self._poll_gone():
            raise BrokenPipeError


def _gone_poll() -> Callable[[], bool]:
    """Return what tells whether a pipe's reader has gone; where the system cannot tell, it never has."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError, ValueError):
            number = sys.stdout.fileno()
            os.fstat(number)
            poll = select.poll()
            poll.register(number, 0)
            return lambda: any(event & select.POLLERR for _, event in poll.poll(0))
    return lambda: False
