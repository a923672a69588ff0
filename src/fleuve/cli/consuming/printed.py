"""Standard output, as a command has it that may wait long between two records: a reader that has gone is noticed."""

from __future__ import annotations

import os
import select
import sys

from fleuve.cli.client.errors import CommandFailed


class Printed:
    """Writes to standard output, and flushes each time."""

    def __init__(self) -> None:
        self._gone = _gone_poll()

    def write(self, data: bytes) -> None:
        """Write all of it. Raises BrokenPipeError if nobody reads any more, CommandFailed if it cannot be written."""
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandFailed(f"standard output: cannot be written ({error.strerror})") from None

    def check(self) -> None:
        """Raise BrokenPipeError if nobody reads any more, though nothing is there to be written."""
        if self._gone is not None and any(event & select.POLLERR for _, event in self._gone.poll(0)):
            raise BrokenPipeError


def _gone_poll() -> select.poll | None:
    """Return a poll that tells of a pipe's reader that has gone; None where the system has none."""
    if not hasattr(select, "poll"):
        return None
    try:
        number = sys.stdout.fileno()
        os.fstat(number)
    except (OSError, ValueError):
        return None
    gone = select.poll()
    gone.register(number, 0)
    return gone
