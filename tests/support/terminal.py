"""A pseudo-terminal with a `fleuve` at it, as somebody in front of a screen has it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

TIMEOUT_S = 30.0
# A terminal sends signals, such as Ctrl-C's, to those whose controlling terminal it is; and whoever was started in the
# background, as these tests may be, ignores them.
_FLEUVE = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)
from fleuve.cli.main import main
sys.exit(main())
"""


class Terminal:
    """A context manager: entering starts `fleuve` with these words at a terminal of so many columns and rows."""

    def __init__(self, *words: object, environment: Mapping[str, str], columns: int = 80, rows: int = 24) -> None:
        self._words = [str(word) for word in words]
        # Who runs tests in parallel gives them a size by these names, which would hold whatever the window's is.
        inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self._environment = {**inherited, "TERM": "xterm-256color", **environment}
        self._size = (rows, columns)
        self._printed = bytearray()

    def __enter__(self) -> Self:
        self._screen, theirs = pty.openpty()
        self.resize(*self._size)
        self.settings = termios.tcgetattr(self._screen)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FLEUVE, *self._words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self._environment,
            start_new_session=True,
        )
        os.close(theirs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    @property
    def printed(self) -> str:
        """Everything that the screen was sent so far."""
        return self._printed.decode(errors="replace")

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._screen, text.encode())

    def until(self, wanted: str | Callable[[str], bool]) -> str:
        """Wait until the screen was sent `wanted`, or what fulfils it; return all that it was sent."""
        fulfils = wanted if callable(wanted) else lambda printed: wanted in printed
        deadline = time.monotonic() + TIMEOUT_S
        while not fulfils(self.printed):
            assert time.monotonic() < deadline, f"not on the screen: {wanted}\n{self.printed}"
            assert self._read(), f"ended without {wanted}\n{self.printed}"
        return self.printed

    def terminate(self) -> None:
        """Ask the command to end, as a system that shuts down does."""
        self._process.terminate()

    def forget(self) -> None:
        """Forget what was printed so far."""
        self._printed.clear()

    def ended(self) -> int:
        """Wait for the end of the command, and return its exit code."""
        deadline = time.monotonic() + TIMEOUT_S
        while self._read():
            assert time.monotonic() < deadline, f"does not end\n{self.printed}"
        return self._process.wait(TIMEOUT_S)

    def settings_now(self) -> list[object]:
        """Return how the terminal is set: whether it echoes, whether it waits for whole lines."""
        return termios.tcgetattr(self._screen)

    def _read(self) -> bool:
        """Take what comes within a moment; return False once nobody is at the other end."""
        readable, _, _ = select.select([self._screen], [], [], 0.1)
        if not readable:
            return True
        try:
            chunk = os.read(self._screen, 65536)
        except OSError:
            # What Linux says when the last one has closed the terminal.
            return False
        self._printed += chunk
        return bool(chunk)
