"""`fleuve` as a process of its own: in a pipeline of bash, at a terminal, or running while the test goes on."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sysconfig
import termios
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

TIMEOUT_S = 30.0


def environment(bootstrap: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which `fleuve` is this version's, and its cluster is at `bootstrap`."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    return {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "PATH": path, **(more or {})}


def bash(command: str, bootstrap: str, *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command line of bash to its end; what it printed is bytes."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=environment(bootstrap),
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )


class Running:
    """A command line that runs while the test goes on. Leaving ends it if it has not ended.

    With `columns` it has a terminal of that width, and everything it prints is on it; else what it prints to
    standard output and to standard error goes to the same pipe, and standard input is a pipe too.
    """

    def __init__(
        self,
        command: str,
        bootstrap: str,
        *,
        columns: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.printed = ""
        if columns is None:
            self._output, inside_out = os.pipe()
            inside_in, self._input = os.pipe()
        else:
            self._output, inside_out = pty.openpty()
            inside_in = os.dup(inside_out)
            fcntl.ioctl(self._output, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            self._input = os.dup(self._output)
        more = {"TERM": "xterm-256color", "COLUMNS": "", **(variables or {})}
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            env={name: value for name, value in environment(bootstrap, more).items() if value},
            stdin=inside_in,
            stdout=inside_out,
            stderr=inside_out,
            start_new_session=True,
        )
        os.close(inside_in)
        os.close(inside_out)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.close_input()
        os.close(self._output)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def write(self, data: bytes) -> None:
        """Type this."""
        os.write(self._input, data)

    def until_read(self) -> None:
        """Wait until it has read all that was typed. Not for terminals."""
        deadline = time.monotonic() + TIMEOUT_S
        while any(fcntl.ioctl(self._input, termios.FIONREAD, bytes(4))):
            assert time.monotonic() < deadline, "it reads nothing"
            time.sleep(0.001)

    def close_input(self) -> None:
        """End its standard input."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def until(self, text: str) -> str:
        """Wait until it has printed this, and return all that it printed so far."""
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.printed:
            assert time.monotonic() < deadline, f"{text!r} does not come:\n{self.printed}"
            assert self._more(), f"it ended without {text!r}:\n{self.printed}"
        return self.printed

    def ended(self) -> int:
        """Wait until it has ended, and return its exit code."""
        while self._more():
            pass
        return self._process.wait(TIMEOUT_S)

    def _more(self) -> bool:
        ready, _, _ = select.select([self._output], [], [], TIMEOUT_S)
        assert ready, f"nothing more comes:\n{self.printed}"
        try:
            data = os.read(self._output, 65536)
        except OSError:
            # A terminal that nobody has open any more.
            return False
        self.printed += data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        return bool(data)
