"""The command line of an example, and how long it runs."""

from __future__ import annotations

import argparse
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

_PATIENCE_S = 8.0
NO_BROKER = "no Kafka broker answers at {}: start one (fleuve serve), or name another with --bootstrap-server"


class Refused(Exception):
    """The example cannot go on; the message says in one line why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The topics of one example."""

    events: str
    results: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for on the command line."""

    command: str
    bootstrap: str
    topics: Topics
    group: str
    instance: str
    partitions: int
    seed: int
    rate: float
    seconds: float | None
    events: int | None
    snapshot_every: int
    exit_at_end: bool
    plain: bool

    @property
    def generates(self) -> bool:
        """Whether this process makes events."""
        return self.command != "process"

    @property
    def processes(self) -> bool:
        """Whether this process works on events."""
        return self.command != "generate"

    @property
    def batch_max(self) -> int:
        """How many records to read at once: not more than there may be between two snapshots."""
        return min(500, self.snapshot_every)

    @property
    def fenced(self) -> str:
        """What to say when the group has another member of this name."""
        return (
            f"another processor is named {self.instance}: name each with --instance (or it was away too long: start it)"
        )

    @property
    def no_broker(self) -> str:
        """What to say when nobody answers."""
        return NO_BROKER.format(self.bootstrap)


def parse(name: str, about: str, results: str, arguments: Sequence[str] | None = None, *, rate: float) -> Options:
    """Read the command line of example `name`, whose results go to the topic PREFIX.`results`."""
    parser = _Parser(
        prog=f"python -m examples.{name}",
        description=about,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("command", nargs="?", choices=("both", "generate", "process"), default="both", help="make events, work on them")
    add(
        "-b",
        "--bootstrap-server",
        type=_servers,
        metavar="HOST:PORT",
        default=os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or "localhost:9092",
        help="a broker; KAFKA_BOOTSTRAP_SERVERS says the same",
    )
    add("--prefix", type=_name, default=name, help="what the names of the topics and of the group begin with")
    add("--instance", default="1", help="this processor's name; of two that share the partitions, each has its own")
    add("--partitions", type=_positive, default=4, help="of the topics, if they are not there yet")
    add("--seed", type=int, default=1, help="another seed is another world")
    add("--rate", type=_rate, default=rate, help="events per second; 0: as fast as they come")
    add("--for", dest="seconds", metavar="SECONDS", type=float, help="stop after so many seconds")
    add("--events", metavar="N", type=_positive, help="stop after so many events more")
    add("--snapshot-every", metavar="N", type=_positive, default=2000, help="events of a partition, or each second")
    add("--exit-at-end", action="store_true", help="process: stop after the events that were there at the start")
    add("--plain", action="store_true", help="one line each second, no moving table; so it is without a terminal")
    given = parser.parse_args(arguments)
    return Options(
        command=given.command,
        bootstrap=given.bootstrap_server,
        topics=Topics(
            events=f"{given.prefix}.events", results=f"{given.prefix}.{results}", state=f"{given.prefix}.state"
        ),
        group=f"{given.prefix}.processors",
        instance=given.instance,
        partitions=given.partitions,
        seed=given.seed,
        rate=given.rate,
        seconds=given.seconds,
        events=given.events,
        snapshot_every=given.snapshot_every,
        exit_at_end=given.exit_at_end,
        plain=given.plain or not sys.stdout.isatty(),
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line, as whatever else goes wrong is said.
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def _servers(text: str) -> str:
    for server in text.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not (host and colon and port.isdecimal() and int(port) < 2**16) or "/" in server:
            raise argparse.ArgumentTypeError(f"want HOST:PORT, as in localhost:9092, not {server.strip()!r}")
    return text


def _name(text: str) -> str:
    # What Kafka allows, with room for what is put behind it.
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,200}", text):
        raise argparse.ArgumentTypeError(f"want letters, digits, '.', '_' and '-', not {text!r}")
    return text


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"want a whole number from 1, not {text!r}")
    return int(text)


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 <= rate < math.inf:
        raise argparse.ArgumentTypeError(f"want events per second, or 0, not {text!r}")
    return rate


class Stop:
    """When to stop: at Ctrl-C, SIGTERM, when `seconds` are over, or when somebody says so.

    A signal only sets a flag: what is half done is finished, the last snapshot is written, then the program ends. Where
    no broker answers any more, that is given up after a while: a crash does no harm at any moment, and neither does
    this.
    """

    def __init__(self, seconds: float | None) -> None:
        self._event = threading.Event()
        self._giving_up = threading.Timer(_PATIENCE_S, _give_up)
        self._giving_up.daemon = True
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def on_signals(self) -> None:
        """Stop at Ctrl-C and SIGTERM; a second Ctrl-C interrupts at once."""
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)

    def _signalled(self, number: int, _frame: object) -> None:
        if not self._event.is_set():
            self._giving_up.start()
        self._event.set()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def now(self) -> None:
        """Stop."""
        self._event.set()

    def ended(self) -> None:
        """Note that everything has stopped."""
        self._giving_up.cancel()

    def is_set(self) -> bool:
        """Whether to stop."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._event.set()
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait; return whether to stop."""
        self._event.wait(seconds)
        return self.is_set()


def _give_up() -> None:
    # The screen may have hidden the cursor.
    print("\x1b[?25h" if sys.stdout.isatty() else "", end="", flush=True)
    print("the broker does not answer: ended without a last snapshot, to go on at the one before", file=sys.stderr)
    os._exit(1)


def start(name: str, options: Options) -> int:
    """Run example `name` until it stops; return the exit code. Its `stream` has `run(options, stop)`."""
    stop = Stop(options.seconds)
    stop.on_signals()
    try:
        import_module(f"examples.{name}.stream").run(options, stop)
    except Refused as why:
        print(why, file=sys.stderr)
        return 1
    except ModuleNotFoundError as missing:
        print(f"{missing.name} is not installed: pip install -r examples/requirements.txt", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        stop.ended()
    return 0
