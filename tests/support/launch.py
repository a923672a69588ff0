"""Starts the broker with something changed under it: a disk whose power can be cut or that fails on demand, or a
promise that is broken on purpose. Runs in the broker's process; tests use `command`, and `environment` beside it.

The disks are those in `DISKS`. The rest of the command line is the `fleuve` command's.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fleuve.adapters.journal.files import Files
from fleuve.app import engines
from fleuve.cli.main import main as fleuve
from support.disk import Disk, KeepsUpTo, Loss, Shuffled
from support.disk_sqlite import watch
from support.faulty_files import CHANGES, PowerCutFiles
from support.sabotages import Sabotage, apply

CUT = "SIGUSR1"
"""The signal that cuts the power. The process ends with EXIT_CUT."""
EXIT_CUT = 75
TESTS = Path(__file__).parents[1]


def command(disk: str | None = None, *, sabotage: Sabotage | None = None) -> tuple[str, ...]:
    """Return the command with which `BrokerProcess` runs a broker on such a disk, or with a line changed."""
    change = None if sabotage is None else (sabotage.promise, sabotage.module, sabotage.old, sabotage.new)
    program = f"import sys; from support.launch import main; sys.exit(main({disk!r}, {change!r}))"
    return (sys.executable, "-c", program)


def environment() -> dict[str, str]:
    """Return what the environment of such a broker needs."""
    return {"PYTHONPATH": str(TESTS)}


def main(disk: str | None, change: tuple[str, str, str, str] | None) -> int:
    """Change what `command` wrote down and run `fleuve`."""
    if disk is not None:
        DISKS[disk]()
    if change is not None:
        apply(Sabotage(*change))
    return fleuve()


# ---------------------------------------------------------------- a power cut


def _install_power_cut() -> None:
    disk = Disk(_data_dir(), unread=Path("segments"))
    watch(disk)
    vars(engines)["Files"] = lambda: PowerCutFiles(disk)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    threading.Thread(target=_wait_for_cut, args=(disk,), name="power", daemon=True).start()


def _wait_for_cut(disk: Disk) -> None:
    signal.sigwait({signal.SIGUSR1})
    # The seed of a campaign decides when; what a device does with what is not flushed is anybody's guess.
    chance = random.Random()
    with disk.lock:
        # Nobody does or hears anything any more.
        disk.cut_for_good(
            chance.choice([Loss(), KeepsUpTo(disk.device.count - chance.randrange(100)), Shuffled(chance)])
        )
        os._exit(EXIT_CUT)


def _data_dir() -> Path:
    return Path(sys.argv[sys.argv.index("--data-dir") + 1]).absolute()


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
    os.chdir(_data_dir().parent)
    vars(engines)["Files"] = _ObedientFiles


# ---------------------------------------------------------------- a slow disk


class _SlowFiles(Files):
    """Real files on a device that takes 20 MB a second, and a twentieth of one for each flush."""

    def write_some(self, fd: int, buffers: Sequence[Any], position: int) -> int:
        time.sleep(sum(map(len, buffers)) / 20e6)
        return super().write_some(fd, buffers, position)

    def datasync(self, fd: int) -> None:
        time.sleep(0.05)
        super().datasync(fd)


def _install_slow_disk() -> None:
    vars(engines)["Files"] = _SlowFiles


DISKS: dict[str, Callable[[], None]] = {
    "power-cut": _install_power_cut,
    "failing-disk": _install_failing_disk,
    "slow-disk": _install_slow_disk,
}
