"""Starts the broker with something changed under it: a disk whose power can be cut or that fails on demand, or a
promise that is broken on purpose. Runs in the broker's process; tests use `command`, and `environment` beside it.

What is changed is named on the command line; the names are the functions in `DISKS` and, in `sabotage.py`, the
sabotages. The rest of the command line is the `fleuve` command's.
"""

from __future__ import annotations

import errno
import functools
import os
import random
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleuve.adapters.journal.files import Files
from fleuve.adapters.journal.store import JournalStore
from fleuve.adapters.sqlite.database import Database
from fleuve.app import engines
from fleuve.cli.main import main as fleuve
from support.faulty_files import CHANGES, PowerCutFiles

CUT = "SIGUSR1"
"""The signal that cuts the power. The process ends with EXIT_CUT."""
EXIT_CUT = 75
SNAPSHOT = "catalog.cut"
"""What the cut left of the catalog; `restore_catalog` puts it in its place."""
TESTS = Path(__file__).parents[1]


def command(*changes: str) -> tuple[str, ...]:
    """Return the command with which `BrokerProcess` runs a broker with these changes."""
    return (sys.executable, "-c", f"import sys; from support.launch import main; sys.exit(main({changes!r}))")


def environment() -> dict[str, str]:
    """Return what the environment of such a broker needs."""
    return {"PYTHONPATH": str(TESTS)}


def main(changes: tuple[str, ...]) -> int:
    """Change what `changes` say and run `fleuve`."""
    from support.sabotage import SABOTAGES

    for name in changes:
        change = DISKS.get(name) or SABOTAGES[name]
        change()
    return fleuve()


# ---------------------------------------------------------------- a power cut


class _WatchedFiles(PowerCutFiles):
    """Cuts between two calls, never in the middle of one."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self.lock = threading.RLock()

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return self._locked(value) if name in _WATCHED else value

    def _locked(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def locked(*arguments: Any) -> Any:
            with self.lock:
                return call(*arguments)

        return locked


_WATCHED = {*CHANGES, "open_change", "write_some", "write_all", "cut"} - {"write"}


class _Power:
    """What a cut leaves: of the journal what the model of the device says, of the catalog a state of some moment.

    The catalog's relaxed commits may be lost, all behind some moment; a flushed one and those before it may not.
    """

    def __init__(self) -> None:
        # The seed of a campaign decides when; what a device does with unflushed sectors is anybody's guess.
        self._chance = random.Random()
        self.files = _WatchedFiles(self._chance)
        self._answering = threading.Lock()
        self._flushed = 0
        self._snapshots: dict[Path, bytes] = {}

    def install(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        threading.Thread(target=self._wait_for_cut, name="power", daemon=True).start()
        vars(engines)["JournalStore"] = functools.partial(JournalStore, files=self.files)
        answer = Database._answer
        power = self

        def answer_when_kept(self: Database, group: Any) -> None:
            with power._answering:
                power._keep(self)
                answer(self, group)

        Database._answer = answer_when_kept  # type: ignore[method-assign]

    def _keep(self, database: Database) -> None:
        # Called by the writer and by the reader: only the writer has just committed.
        if threading.current_thread().name != "catalog-writer":
            return
        path, chosen = database._path, self._chance.random() < 0.1
        if database.commits_flushed > self._flushed or chosen or path not in self._snapshots:
            self._flushed = database.commits_flushed
            self._snapshots[path] = database._writer.serialize()

    def _wait_for_cut(self) -> None:
        signal.sigwait({signal.SIGUSR1})
        self.files.cut()
        self._answering.acquire()
        for path, snapshot in self._snapshots.items():
            path.with_name(SNAPSHOT).write_bytes(snapshot)
        os._exit(EXIT_CUT)


def restore_catalog(data_dir: Path) -> None:
    """Put in place what a power cut left of the catalog. If it left nothing yet, all of it is there."""
    snapshot = data_dir / SNAPSHOT
    if snapshot.exists():
        for file in data_dir.glob("catalog.sqlite*"):
            file.unlink()
        snapshot.rename(data_dir / "catalog.sqlite")
        # The bytes say that there is a WAL; there is none, and that is how it looks after a checkpoint.
        sqlite3.connect(data_dir / "catalog.sqlite").close()


# ---------------------------------------------------------------- a disk that fails on demand


def fail(directory: Path, kind: str, code: int = errno.EIO) -> None:
    """Let every call of that kind fail in the broker that was started in `directory` with "failing-disk"."""
    (directory / f"fail-{kind}").write_text(str(code))


def recover(directory: Path) -> None:
    """Let everything work again."""
    for order in directory.glob("fail-*"):
        order.unlink()


class _ObedientFiles(Files):
    """Real files, whose calls fail while a file beside the data directory says so."""

    def _obey(self, kind: str) -> None:
        try:
            code = int(Path(f"fail-{kind}").read_text() or errno.EIO)
        except FileNotFoundError:
            return
        raise OSError(code, os.strerror(code))


def _obedient(kind: str, name: str) -> Callable[..., Any]:
    def call(self: _ObedientFiles, *arguments: Any) -> Any:
        self._obey(kind)
        return getattr(Files, name)(self, *arguments)

    return call


for _kind in CHANGES:
    _name = "write_some" if _kind == "write" else _kind
    setattr(_ObedientFiles, _name, _obedient(_kind, _name))


def _install_failing_disk() -> None:
    data_dir = Path(sys.argv[sys.argv.index("--data-dir") + 1]).absolute()
    os.chdir(data_dir.parent)
    vars(engines)["JournalStore"] = functools.partial(JournalStore, files=_ObedientFiles())


DISKS: dict[str, Callable[[], None]] = {
    "power-cut": lambda: _Power().install(),
    "failing-disk": _install_failing_disk,
}
