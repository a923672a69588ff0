"""A disk that fails when it is told to, and one whose power can be cut.

`FaultyFiles` is the local store's `Files` with faults: the n-th call of a kind fails, before or after it had its
effect, or a write is torn. `PowerCutFiles` also keeps a model of what is on the device: what was written and not
flushed is lost with the power, a name that was not flushed with its directory is lost too, and bytes whose flush
failed are lost even if a later flush succeeds.
"""

from __future__ import annotations

import errno
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleuve.adapters.journal.files import Buffer, Files

CHANGES = ("datasync", "write", "sync", "truncate", "sync_directory", "unlink", "open_new", "allocate", "rename")
"""Kinds of calls that change something."""

SECTOR_BYTES = 512


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


class FaultyFiles(Files):
    """Real files whose calls fail on demand. Flushes are not handed to the device, so that tests are quick."""

    def __init__(self) -> None:
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
        if self.dead:
            raise OSError(errno.EIO, "the process is gone")
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

    def open_new(self, path: Path) -> int:
        fault = self._before("open_new")
        fd = super().open_new(path)
        self.opened(fd, path)
        if fault is not None:
            os.close(fd)
            raise _error(fault)
        return fd

    def open_change(self, path: Path) -> int:
        self._raise_if_dead()
        fd = super().open_change(path)
        self.opened(fd, path)
        return fd

    def open_read(self, path: Path) -> int:
        self._raise_if_dead()
        return super().open_read(path)

    def write_some(self, fd: int, buffers: Sequence[Buffer], position: int) -> int:
        fault = self._before("write")
        content = b"".join(buffers)
        if fault is not None and fault.torn_bytes is not None:
            content = content[: fault.torn_bytes]
        os.pwrite(fd, content, position)
        self.wrote(fd, position, content)
        _finish(fault)
        return len(content)

    def datasync(self, fd: int) -> None:
        self._flush("datasync", fd)

    def sync(self, fd: int) -> None:
        self._flush("sync", fd)

    def _flush(self, kind: str, fd: int) -> None:
        try:
            fault = self._before(kind)
        except OSError:
            self.flush_failed(fd)
            raise
        self.flushed(fd)
        _finish(fault)

    def sync_directory(self, path: Path) -> None:
        fault = self._before("sync_directory")
        self.directory_flushed(path)
        _finish(fault)

    def truncate(self, fd: int, length: int) -> None:
        fault = self._before("truncate")
        super().truncate(fd, length)
        self.truncated(fd, length)
        _finish(fault)

    def allocate(self, fd: int, position: int, length: int) -> bool:
        fault = self._before("allocate")
        # A sparse file reads the same as a reserved one.
        super().truncate(fd, max(position + length, self.size(fd)))
        self.truncated(fd, self.size(fd))
        _finish(fault)
        return True

    def rename(self, source: Path, target: Path) -> None:
        fault = self._before("rename")
        super().rename(source, target)
        self.renamed(source, target)
        _finish(fault)

    def unlink(self, path: Path) -> None:
        fault = self._before("unlink")
        super().unlink(path)
        self.unlinked(path)
        _finish(fault)

    def _raise_if_dead(self) -> None:
        if self.dead:
            raise OSError(errno.EIO, "the process is gone")

    # -- what happened, for a model of the device

    def opened(self, fd: int, path: Path) -> None: ...
    def wrote(self, fd: int, position: int, content: bytes) -> None: ...
    def truncated(self, fd: int, length: int) -> None: ...
    def flushed(self, fd: int) -> None: ...
    def flush_failed(self, fd: int) -> None: ...
    def directory_flushed(self, path: Path) -> None: ...
    def renamed(self, source: Path, target: Path) -> None: ...
    def unlinked(self, path: Path) -> None: ...


def _error(fault: Fault) -> OSError:
    return OSError(fault.code, os.strerror(fault.code))


def _finish(fault: Fault | None) -> None:
    if fault is not None:
        raise _error(fault)


@dataclass
class _Node:
    """A file on the device."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Writes (position, bytes) and new lengths (length, None) that no flush has covered."""

    def apply(self, position: int, content: bytes | None) -> None:
        if content is None:
            del self.durable[position:]
            self.durable.extend(bytes(position - len(self.durable)))
        else:
            self.durable.extend(bytes(max(0, position - len(self.durable))))
            self.durable[position : position + len(content)] = content

    def apply_some(self, chance: random.Random) -> None:
        """Let a part of what is pending reach the device, sector by sector, as a disk without a flush may do."""
        for position, content in self.pending:
            if content is None:
                if chance.random() < 0.5:
                    self.apply(position, None)
                continue
            for start in range(0, len(content), SECTOR_BYTES):
                if chance.random() < 0.5:
                    self.apply(position + start, content[start : start + SECTOR_BYTES])


class PowerCutFiles(FaultyFiles):
    """Faulty files over a device whose power can be cut.

    With `chance`, a part of what was not flushed survives; without it, nothing does.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        super().__init__()
        self._chance = chance
        self._live: dict[Path, _Node] = {}
        self._durable: dict[Path, _Node] = {}
        self._by_fd: dict[int, _Node] = {}

    def cut(self) -> None:
        """Cut the power: leave on the real disk what the device has, and let nothing have any effect any more."""
        self.kill()
        names = dict(self._durable)
        if self._chance is not None:
            for path in sorted(set(self._live) ^ set(self._durable)):
                if self._chance.random() < 0.5:
                    if path in self._live:
                        names[path] = self._live[path]
                    else:
                        del names[path]
            for node in {id(node): node for node in names.values()}.values():
                node.apply_some(self._chance)
        for path in {*self._live, *self._durable}:
            # A new file: a descriptor that is still open must not reach it.
            path.unlink(missing_ok=True)
            if path in names:
                path.write_bytes(names[path].durable)

    def revive(self) -> None:
        """Be there for the next process: the machine did not stop when the last one was killed."""
        self.dead = False
        self.recover()

    def opened(self, fd: int, path: Path) -> None:
        node = self._live.get(path)
        if node is None:
            node = self._live[path] = _Node()
            if os.fstat(fd).st_size:  # It was there before this disk was watched.
                node.durable += path.read_bytes()
                self._durable[path] = node
        self._by_fd[fd] = node

    def wrote(self, fd: int, position: int, content: bytes) -> None:
        self._by_fd[fd].pending.append((position, content))

    def truncated(self, fd: int, length: int) -> None:
        self._by_fd[fd].pending.append((length, None))

    def flushed(self, fd: int) -> None:
        node = self._by_fd[fd]
        for position, content in node.pending:
            node.apply(position, content)
        node.pending.clear()

    def flush_failed(self, fd: int) -> None:
        # The system has marked the pages clean: no later flush will write them.
        node = self._by_fd[fd]
        if self._chance is not None:
            node.apply_some(self._chance)
        node.pending.clear()

    def directory_flushed(self, path: Path) -> None:
        for known in [name for name in self._durable if name.parent == path]:
            del self._durable[known]
        self._durable |= {name: node for name, node in self._live.items() if name.parent == path}

    def renamed(self, source: Path, target: Path) -> None:
        self._live[target] = self._live.pop(source)

    def unlinked(self, path: Path) -> None:
        self._live.pop(path, None)
