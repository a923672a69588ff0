"""A disk that fails when it is told to, and one whose power can be cut.

`FaultyFiles` is the local store's `Files` with faults: the n-th call of a kind fails, before or after it had its
effect, or a write is torn. `PowerCutFiles` also tells a `Disk` everything: what was written and not flushed is lost
with the power, and bytes whose flush failed are lost even if a later flush succeeds.
"""

from __future__ import annotations

import errno
import functools
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fleuve.adapters.journal.files import Buffer, Files
from support.disk import DIRECTORY, Disk, Flush, FlushDirectory, Loss, Names, Resize, Shuffled, Write

Call = TypeVar("Call", bound=Callable[..., Any])

CHANGES = ("datasync", "write", "sync", "truncate", "sync_directory", "unlink", "open_new", "allocate", "rename")
"""Kinds of calls that change something."""


@dataclass
class Fault:
    """What goes wrong with one call, or with every call from there on."""

    kind: str
    countdown: int
    code: int = errno.EIO
    after: bool = False
    """The call has its effect, and fails all the same."""
    torn_bytes: int | None = None
    """A write's effect ends after so many bytes."""
    lasting: bool = False
    then: str | None = None
    """The next call of that kind fails, too."""


def _locked(call: Call) -> Call:
    """Let the call and what is told about it be one: others come before it or after it."""

    @functools.wraps(call)
    def locked(self: FaultyFiles, *arguments: Any) -> Any:
        with self.lock:
            return call(self, *arguments)

    return locked  # type: ignore[return-value]


class FaultyFiles(Files):
    """Real files whose calls fail on demand. Flushes are not handed to the device, so that tests are quick."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.calls: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.dead = False

    def fail(self, kind: str, *, nth: int = 1, **how: object) -> None:
        """Let the nth call of a kind from now on fail."""
        self.faults.append(Fault(kind, nth, **how))  # type: ignore[arg-type]

    def recover(self) -> None:
        """Let everything work again."""
        self.faults.clear()

    def kill(self) -> None:
        """Let nothing have any effect any more, as for a process that is gone."""
        self.dead = True

    def _fault(self, kind: str) -> Fault | None:
        self._raise_if_dead()
        self.calls[kind] += 1
        due = None
        for fault in list(self.faults):
            if fault.kind != kind:
                continue
            fault.countdown -= 1
            if fault.countdown <= 0:
                due = fault
                if fault.then is not None:
                    self.faults.append(Fault(fault.then, 1, fault.code))
                if not fault.lasting:
                    self.faults.remove(fault)
        return due

    def _before(self, kind: str) -> Fault | None:
        fault = self._fault(kind)
        if fault is not None and not fault.after and fault.torn_bytes is None:
            raise _error(fault)
        return fault

    @_locked
    def open_new(self, path: Path) -> int:
        fault = self._before("open_new")
        fd = super().open_new(path)
        self.opened(fd, path)
        if fault is not None:
            os.close(fd)
            raise _error(fault)
        return fd

    @_locked
    def open_change(self, path: Path) -> int:
        self._raise_if_dead()
        fd = super().open_change(path)
        self.opened(fd, path)
        return fd

    @_locked
    def open_read(self, path: Path) -> int:
        self._raise_if_dead()
        return super().open_read(path)

    @_locked
    def write_some(self, fd: int, buffers: Sequence[Buffer], position: int) -> int:
        fault = self._before("write")
        content = b"".join(buffers)
        if fault is not None and fault.torn_bytes is not None:
            content = content[: fault.torn_bytes]
        os.pwrite(fd, content, position)
        self.wrote(fd, position, content)
        _finish(fault)
        return len(content)

    @_locked
    def datasync(self, fd: int) -> None:
        self._flush("datasync", fd, everything=False)

    @_locked
    def sync(self, fd: int) -> None:
        self._flush("sync", fd, everything=True)

    def _flush(self, kind: str, fd: int, *, everything: bool) -> None:
        try:
            fault = self._before(kind)
        except OSError:
            self.flush_failed(fd)
            raise
        self.flushed(fd, everything=everything)
        _finish(fault)

    @_locked
    def sync_directory(self, path: Path) -> None:
        fault = self._before("sync_directory")
        self.directory_flushed(path)
        _finish(fault)

    @_locked
    def truncate(self, fd: int, length: int) -> None:
        fault = self._before("truncate")
        super().truncate(fd, length)
        self.truncated(fd, length)
        _finish(fault)

    @_locked
    def allocate(self, fd: int, position: int, length: int) -> bool:
        fault = self._before("allocate")
        # A sparse file reads the same as a reserved one.
        super().truncate(fd, max(position + length, self.size(fd)))
        self.truncated(fd, self.size(fd))
        _finish(fault)
        return True

    @_locked
    def rename(self, source: Path, target: Path) -> None:
        fault = self._before("rename")
        super().rename(source, target)
        self.renamed(source, target)
        _finish(fault)

    @_locked
    def unlink(self, path: Path) -> None:
        fault = self._before("unlink")
        super().unlink(path)
        self.unlinked(path)
        _finish(fault)

    @_locked
    def make_directory(self, path: Path) -> bool:
        self._raise_if_dead()
        made = super().make_directory(path)
        if made:
            self.made_directory(path)
        return made

    @_locked
    def remove_directory(self, path: Path) -> None:
        self._raise_if_dead()
        super().remove_directory(path)
        self.unlinked(path)

    def _raise_if_dead(self) -> None:
        if self.dead:
            raise OSError(errno.EIO, "the process is gone")

    # -- what happened, for a model of the device

    def opened(self, fd: int, path: Path) -> None: ...
    def wrote(self, fd: int, position: int, content: bytes) -> None: ...
    def truncated(self, fd: int, length: int) -> None: ...
    def flushed(self, fd: int, *, everything: bool) -> None: ...
    def flush_failed(self, fd: int) -> None: ...
    def directory_flushed(self, path: Path) -> None: ...
    def renamed(self, source: Path, target: Path) -> None: ...
    def unlinked(self, path: Path) -> None: ...
    def made_directory(self, path: Path) -> None: ...


def _error(fault: Fault) -> OSError:
    return OSError(fault.code, os.strerror(fault.code))


def _finish(fault: Fault | None) -> None:
    if fault is not None:
        raise _error(fault)


class PowerCutFiles(FaultyFiles):
    """Faulty files on a disk whose power can be cut.

    With `chance`, a part of what was not flushed survives; without it, nothing does.
    """

    def __init__(self, disk: Disk, chance: random.Random | None = None) -> None:
        super().__init__()
        self.lock = disk.lock
        self._disk = disk
        self._loss = Loss() if chance is None else Shuffled(chance)
        self._by_fd: dict[int, int] = {}

    def cut(self) -> None:
        """Cut the power: leave on the real disk what the device has, and let nothing have any effect any more."""
        self.kill()
        self._disk.cut(self._loss)

    def revive(self) -> None:
        """Be there for the next process: the machine did not stop when the last one was killed."""
        self.dead = False
        self.recover()

    def _raise_if_dead(self) -> None:
        super()._raise_if_dead()
        self._disk.raise_if_dead()

    def opened(self, fd: int, path: Path) -> None:
        self._by_fd[fd] = self._disk.opened(path)

    def wrote(self, fd: int, position: int, content: bytes) -> None:
        self._disk.do(Write(self._by_fd[fd], position, content))

    def truncated(self, fd: int, length: int) -> None:
        self._disk.do(Resize(self._by_fd[fd], length))

    def flushed(self, fd: int, *, everything: bool) -> None:
        self._disk.do(Flush(self._by_fd[fd], everything))

    def flush_failed(self, fd: int) -> None:
        self._disk.fail_flush(self._by_fd[fd], self._loss)

    def directory_flushed(self, path: Path) -> None:
        if self._disk.has(path):
            self._disk.do(FlushDirectory(self._disk.name(path)))

    def renamed(self, source: Path, target: Path) -> None:
        self._disk.rename(source, target)

    def unlinked(self, path: Path) -> None:
        self._disk.do(Names(((self._disk.name(path), None),)))

    def made_directory(self, path: Path) -> None:
        self._disk.do(Names(((self._disk.name(path), DIRECTORY),)))
