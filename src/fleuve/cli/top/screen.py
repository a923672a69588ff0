"""`fleuve top` on a terminal: a screen that is drawn anew for each look, each key and each new size.

A thread looks at the cluster; this one draws. So keys work while a broker does not answer, and what was seen last stays
in sight.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

from confluent_kafka import KafkaException
from rich.live import Live

from fleuve.cli.client.errors import CommandFailed, failure
from fleuve.cli.output.consoles import console
from fleuve.cli.top.drawing import Shown, drawn
from fleuve.cli.top.keys import keys
from fleuve.cli.top.rates import History
from fleuve.cli.top.sampling import Sampler

_TICK_S = 0.1
"""How long a new size of the window may wait to be seen."""
_TERMINATED = 128 + signal.SIGTERM


class _Watcher:
    """Looks at the cluster in its own thread, and tells what it has seen last."""

    def __init__(self, sampler: Sampler, interval_s: float) -> None:
        self._sampler = sampler
        self._interval_s = interval_s
        self._history = History()
        self._ended = threading.Event()
        self.changed = threading.Event()
        self.shown = Shown(interval_s=interval_s)

    def look(self) -> None:
        """Look once. Raises CommandFailed if nobody answers."""
        self._history.add(self._sampler.sample())
        self.shown.view, self.shown.trouble = self._history.view(), None

    def run(self) -> None:
        """Look again and again, until `end`."""
        # Rates come with the second look: it need not be a whole interval off.
        pause_s = min(1.0, self._interval_s)
        while not self._ended.wait(pause_s):
            pause_s = self._interval_s
            try:
                self.look()
            except KafkaException as error:
                self.shown.trouble = str(failure(error, what="the cluster does not answer"))
            except CommandFailed as error:
                self.shown.trouble = str(error)
            self.changed.set()

    def end(self) -> None:
        """Let the thread end after the look that it is at."""
        self._ended.set()


def watch(sampler: Sampler, interval_s: float, *, rows_max: int | None) -> int:
    """Show the cluster until q is typed. Raises CommandFailed if it cannot be reached at the start."""
    watcher = _Watcher(sampler, interval_s)
    watcher.look()
    shown = watcher.shown
    shown.rows_max = rows_max
    out = console()
    # A daemon: it may be in the middle of waiting for a broker that is gone.
    threading.Thread(target=watcher.run, name="watcher", daemon=True).start()
    with _ending_at_sigterm(), keys() as board, Live(console=out, screen=True, auto_refresh=False) as live:
        size = None
        while True:
            if size != out.size or watcher.changed.is_set():
                watcher.changed.clear()
                size = out.size
                live.update(drawn(shown, size.width, size.height), refresh=True)
            for key in board.typed(_TICK_S):
                if key in {"q", "Q"}:
                    watcher.end()
                    return 0
                shown.take(key)
                watcher.changed.set()


@contextlib.contextmanager
def _ending_at_sigterm() -> Iterator[None]:
    """Leave the block at SIGTERM as at the end of the program, so that the terminal is given back as it was."""

    def end(_number: int, _frame: object) -> None:
        sys.exit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
