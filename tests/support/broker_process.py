"""A broker in its own process, as its users have it: `fleuve serve`, which can be stopped, killed and started again.

Everything is waited for: the ready file, the end of the process. What the broker wrote to standard error is part of
the result: a traceback in it fails whoever used the broker, however well the clients fared.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

READY_TIMEOUT_S = 20.0
# The broker promises to be gone 10 s after SIGTERM; a busy machine may add to that.
STOP_TIMEOUT_S = 15.0
_POLL_S = 0.005


class BrokerFailed(AssertionError):
    """The broker did not start, did not stop, or complained; the message ends with what it wrote to standard error."""


class BrokerProcess:
    """`fleuve serve` on a free port, its data and its output below `directory`.

    A context manager: entering starts it, leaving stops it with SIGTERM and checks its exit code and its complaints.
    Started again, it has the same address and the same data.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Mapping[str, str | int] | None = None,
        environment: Mapping[str, str] | None = None,
        http: str = "off",
        arguments: Sequence[str] = (),
        command: Sequence[str] = (sys.executable, "-m", "fleuve"),
    ) -> None:
        """Describe the broker; `settings` become `--set`, `environment` is added to this process's own."""
        self.data_dir = directory / "data"
        self.stderr_path = directory / "stderr.log"
        self.stdout_path = directory / "stdout.log"
        self._ready_path = directory / "ready"
        self._settings = dict(settings or {})
        self._environment = dict(environment or {})
        self._http = http
        self._arguments = tuple(arguments)
        self._command = tuple(command)
        self._listen = "127.0.0.1:0"
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # The test's own failure is the one to show; this one only must not be left running.
            self.kill()
            return
        if self._process is not None:
            self.terminate()
        self.check()

    @property
    def bootstrap(self) -> str:
        """The address for clients, HOST:PORT; known once the broker was started."""
        assert self._listen != "127.0.0.1:0", "the broker was never started"
        return self._listen

    @property
    def pid(self) -> int:
        """The process to send signals to, or to look at in /proc."""
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the broker was started, and nobody has stopped, killed or waited for it since."""
        return self._process is not None

    @property
    def stderr(self) -> str:
        """What the broker wrote to standard error so far, over all its starts."""
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    @property
    def stdout(self) -> str:
        """What the broker wrote to standard output so far, over all its starts."""
        return self.stdout_path.read_text(errors="replace") if self.stdout_path.exists() else ""

    def start(self) -> str:
        """Start the broker and wait until it is ready; return its address. Raise BrokerFailed if it does not come."""
        assert self._process is None, "the broker is running"
        self._ready_path.unlink(missing_ok=True)
        command = [*self._command, "serve", "--listen", self._listen, "--data-dir", str(self.data_dir)]
        command += ["--ready-file", str(self._ready_path), "--http", self._http, "--log-format", "text"]
        for name, value in self._settings.items():
            command += ["--set", f"{name}={value}"]
        with self.stdout_path.open("ab") as stdout, self.stderr_path.open("ab") as stderr:
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **self._environment},
            )
        self._listen = self._wait_until_ready()
        return self._listen

    def _wait_until_ready(self) -> str:
        assert self._process is not None
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            # The line end comes last: without it the address is still being written.
            if self._ready_path.exists() and (text := self._ready_path.read_text()).endswith("\n"):
                return text.strip()
            if self._process.poll() is not None:
                code, self._process = self._process.returncode, None
                raise BrokerFailed(f"the broker exited with {code} before it was ready:\n{self.stderr}")
            time.sleep(_POLL_S)
        self.kill()
        raise BrokerFailed(f"the broker was not ready after {READY_TIMEOUT_S} s:\n{self.stderr}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the broker."""
        assert self._process is not None, "the broker is not running"
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Stop the broker with SIGTERM; raise BrokerFailed unless it exits with 0 in time."""
        self.signal(signal.SIGTERM)
        code = self.wait()
        if code != 0:
            raise BrokerFailed(f"the broker exited with {code} after SIGTERM:\n{self.stderr}")

    def wait(self) -> int:
        """Wait until the broker is gone and return its exit code; raise BrokerFailed if it stays."""
        assert self._process is not None, "the broker is not running"
        try:
            code = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerFailed(f"the broker was still there after {STOP_TIMEOUT_S} s:\n{self.stderr}") from None
        self._process = None
        return code

    def kill(self) -> None:
        """End the broker with SIGKILL, as a crash would; nothing if it is not running."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def restart(self) -> str:
        """Stop the broker with SIGTERM and start it again, with the same address and data."""
        self.terminate()
        return self.start()

    def check(self) -> None:
        """Raise BrokerFailed if a traceback stands in what the broker wrote to standard error."""
        if "Traceback (most recent call last)" in self.stderr:
            raise BrokerFailed(f"the broker wrote a traceback:\n{self.stderr}")
