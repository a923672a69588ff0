"""`fleuve run -- COMMAND`: a throw-away broker for a command, which is told its address, and whose exit code is ours.

The command has our standard input, output and error. The broker says nothing but warnings, on standard error.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from fleuve.app import logging as app_logging
from fleuve.app.in_thread import BrokerThread, guest_broker, guest_settings
from fleuve.app.options import ListenerSpec, UsageError
from fleuve.app.sources import SettingsError
from fleuve.base.errors import FleuveError, Verdict

VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
"""The variable that tells the command where its broker is."""
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127
"""As shells say it."""
EXIT_SIGNAL = 128
"""What the number of a signal is added to."""

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
"""What is passed on to the command."""

_OURS = {
    "advertised.listeners": "--listen",
    "listeners": "--listen",
    "fleuve.log.level": "--log-level",
}
"""Settings that have a flag of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Everything `fleuve run` can be told on its command line."""

    command: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()
    """Name and value of each `--set`, in order."""
    listener: ListenerSpec
    variables: tuple[str, ...] = ()
    """Variables that get the broker's address, beside `KAFKA_BOOTSTRAP_SERVERS`."""
    log_level: str = "warning"


class CannotRun(FleuveError, verdict=Verdict.REJECT):
    """The command cannot be run; `exit_code` is what a shell would say."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run(options: RunOptions) -> int:
    """Run the command beside a broker, and return its exit code, or 128 and the signal that ended it.

    Raises UsageError, CannotRun, and FleuveError with one line where the broker cannot start.
    """
    for name, _ in options.settings:
        if name in _OURS:
            raise UsageError(f"--set {name}: use {_OURS[name]}")
    try:
        settings = guest_settings(options.settings, assigned_by="--set")
    except SettingsError as error:
        raise UsageError(str(error)) from None
    logger = app_logging.configure(options.log_level, "text")
    for warning in settings.warnings:
        logger.warning(warning)
    directory = Path(tempfile.mkdtemp(prefix="fleuve-"))
    with _removed(directory), _Signals() as signals:
        thread = BrokerThread(
            lambda: guest_broker(settings, directory=directory, listener=options.listener, logger=logger)
        )
        broker = thread.start()
        try:
            told = dict.fromkeys((VARIABLE, *options.variables), str(broker.addresses[0]))
            code = _run_command(options.command, told, signals)
        except BaseException:
            with contextlib.suppress(FleuveError):
                thread.stop()
            raise
        thread.stop()
    return code


def _run_command(command: Sequence[str], told: dict[str, str], signals: _Signals) -> int:
    if signals.first is not None:
        return EXIT_SIGNAL + signals.first
    try:
        process = subprocess.Popen(command, env=os.environ | told)
    except FileNotFoundError as error:
        # The interpreter of a script may be what is missing.
        what = f"there is no command {command[0]!r}"
        if shutil.which(command[0]) is not None:
            what = f"{command[0]} cannot be run: {error.strerror}"
        raise CannotRun(f"{what}; name a program that is on the PATH, behind --", EXIT_NOT_FOUND) from error
    except OSError as error:
        raise CannotRun(
            f"{command[0]} cannot be run: {error.strerror}; name a program that may be executed", EXIT_NOT_EXECUTABLE
        ) from error
    with process:
        signals.pass_on_to(process)
        code = process.wait()
    return code if code >= 0 else EXIT_SIGNAL - code


class _Signals:
    """Passes signals on to the command, instead of ending this process before the broker is gone."""

    def __init__(self) -> None:
        self.first: int | None = None
        """The first signal that came."""
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        for number in SIGNALS:
            # What the parent has us ignore (nohup), the command ignores, too.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def pass_on_to(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on what comes from now on, and what came while it was started."""
        self._process = process
        if self.first is not None:
            self._send(self.first)

    def _received(self, number: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first = number
        self._send(number)

    def _send(self, number: int) -> None:
        if self._process is None or (number in _OF_TERMINALS and _terminal_tells_the_command()):
            return
        # It may have ended; and Windows knows few signals.
        with contextlib.suppress(OSError, ValueError):
            self._process.send_signal(number)


_OF_TERMINALS = [getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name)]
"""What a terminal sends for a key, to every process in its foreground."""


def _terminal_tells_the_command() -> bool:
    """Return whether the command is told by the terminal itself: then it must not hear of it twice."""
    if sys.platform != "win32":
        try:
            terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
        except OSError:
            return False
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        except OSError:
            return False
        finally:
            os.close(terminal)
    return True  # Windows: Ctrl-C goes to every process of the console.


@contextlib.contextmanager
def _removed(directory: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(directory, ignore_errors=True)
