"""A model of a disk: what it holds, what of that is on the device, and what a power cut may leave.

Everything that changes a directory tree is told to a `Disk` in one global order, whoever does it: the local store
through `disk_files.py`, SQLite through `disk_sqlite.py`. A flush of a file brings its bytes to the device, a flush of
a directory the names in it; nothing else has to. What is between is decided by a `Loss` when the power is cut: dropped,
kept, torn between two sectors, kept here and dropped there, lengths and names undone.

A `Device` is the state after some of the changes. A disk that remembers has all of them, so that the power can be cut
at each, long after; one that does not remembers only what is not on the device yet.
"""

from __future__ import annotations

import itertools
import random
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTORS = (512, 4096)
DIRECTORY = -1
"""What a name stands for, instead of a file's number."""
ROOT = Path()
"""The watched directory itself, which is there."""


class Write(NamedTuple):
    """Bytes were written into a file."""

    file: int
    position: int
    content: bytes


class Resize(NamedTuple):
    """A file got another length."""

    file: int
    length: int


class Flush(NamedTuple):
    """A file was flushed. A datasync need not bring a shorter length to the device."""

    file: int
    everything: bool


class FlushFailed(NamedTuple):
    """A flush failed: the system takes for clean what it has not written, and never will."""

    file: int
    survivors: tuple[Write | Resize, ...]
    """What it has written all the same."""


class Names(NamedTuple):
    """Names in one directory came, went, or stand for something else; all of it or nothing."""

    names: tuple[tuple[Path, int | None], ...]


class FlushDirectory(NamedTuple):
    """The names in a directory were flushed."""

    path: Path


Change = Write | Resize | Flush | FlushFailed | Names | FlushDirectory
Tree = dict[Path, bytes | None]
"""What is in a directory: files with their bytes, directories with None."""


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    shown: bytearray = field(default_factory=bytearray)
    """As the system shows it to whoever reads."""
    pending: list[tuple[int, Write | Resize]] = field(default_factory=list)
    """What no flush has covered, with its place among all changes."""


class Device:
    """The state of a disk after some changes."""

    def __init__(self, tree: Tree) -> None:
        self.files: dict[int, _File] = {}
        self.durable: dict[Path, int] = {}
        """Names that are on the device."""
        self.names: dict[Path, int] = {}
        """Names as the system shows them."""
        self.pending: list[tuple[int, Names]] = []
        self.count = 0
        """Changes so far."""
        self._numbers = itertools.count(1)
        for path, content in sorted(tree.items()):
            file = DIRECTORY if content is None else self.new_file(bytearray(content or b""))
            self.names[path] = self.durable[path] = file

    def copy(self) -> Device:
        """Return another device in the same state."""
        made = Device({})
        made.files = {
            number: _File(file.durable[:], file.shown[:], list(file.pending)) for number, file in self.files.items()
        }
        made.durable, made.names, made.pending = dict(self.durable), dict(self.names), list(self.pending)
        made.count = self.count
        made._numbers = itertools.count(max(self.files, default=0) + 1)
        return made

    def new_file(self, content: bytearray | None = None) -> int:
        """Make a file without a name; return its number."""
        number = next(self._numbers)
        content = bytearray() if content is None else content
        self.files[number] = _File(content, content[:])
        return number

    def apply(self, change: Change) -> None:
        """Let something happen."""
        self.count += 1
        match change:
            case Write() | Resize():
                # A file whose making another device saw has no bytes here yet.
                file = self.files.setdefault(change.file, _File())
                file.pending.append((self.count, change))
                _change(file.shown, change)
            case Flush(number, everything):
                self._flush(self.files.setdefault(number, _File()), everything=everything)
            case FlushFailed(number, survivors):
                file = self.files.setdefault(number, _File())
                for survivor in survivors:
                    _change(file.durable, survivor)
                file.pending.clear()
            case Names(names):
                self.pending.append((self.count, change))
                _rename(self.names, names)
            case FlushDirectory(path):
                flushed = [(place, one) for place, one in self.pending if one.names[0][0].parent == path]
                for place, one in flushed:
                    _rename(self.durable, one.names)
                    self.pending.remove((place, one))
                self._forget_nameless()

    @staticmethod
    def _flush(file: _File, *, everything: bool) -> None:
        kept, length = 0, len(file.durable)
        for index, (_, change) in enumerate(file.pending):
            end = change.length if isinstance(change, Resize) else max(length, change.position + len(change.content))
            if everything or end >= length:
                kept = index + 1
            length = end
        for _, change in file.pending[:kept]:
            _change(file.durable, change)
        del file.pending[:kept]

    def _forget_nameless(self) -> None:
        """Let go of files that no power cut can bring back."""
        named = {*self.names.values(), *self.durable.values()}
        named |= {number for _, change in self.pending for _, number in change.names if number is not None}
        for number in self.files.keys() - named:
            del self.files[number]

    def unflushed(self) -> list[tuple[int, Path | int]]:
        """Return what is not on the device, in order: the place of each change, and the path of its file."""
        paths = {file: path for path, file in {**self.durable, **self.names}.items()}
        found: list[tuple[int, Path | int]] = [(place, change.names[0][0]) for place, change in self.pending]
        for number, file in self.files.items():
            found += [(place, paths.get(number, number)) for place, _ in file.pending]
        return sorted(found, key=lambda one: one[0])

    def writes(self) -> list[tuple[int, int]]:
        """Return the place and the size of each write that is not on the device."""
        return [
            (place, len(change.content))
            for file in self.files.values()
            for place, change in file.pending
            if isinstance(change, Write)
        ]

    def shown(self) -> Tree:
        """Return what the system shows: what is there when a process is killed and the machine goes on."""
        return {
            path: None if number == DIRECTORY else bytes((self.files.get(number) or _File()).shown)
            for path, number in self.names.items()
        }

    def cut(self, loss: Loss) -> Tree:
        """Return what is there after a power cut."""
        names = dict(self.durable)
        for place, change in self.pending:
            if loss.keeps_names(place, change):
                _rename(names, change.names)
        tree: Tree = {}
        for path, number in sorted(names.items()):
            if path.parent != ROOT and tree.get(path.parent, b"") is not None:
                continue  # What it lies in is not there.
            tree[path] = None if number == DIRECTORY else self._content(number, path, loss)
        return tree

    def _content(self, number: int, path: Path, loss: Loss) -> bytes:
        file = self.files.get(number) or _File()
        if not file.pending:
            return bytes(file.durable)
        content = bytearray(file.durable)
        for change in loss.survivors(path, file.pending):
            _change(content, change)
        return bytes(content)


def _change(content: bytearray, change: Write | Resize) -> None:
    if isinstance(change, Resize):
        del content[change.length :]
        content.extend(bytes(change.length - len(content)))
    else:
        content.extend(bytes(max(0, change.position - len(content))))
        content[change.position : change.position + len(change.content)] = change.content


def _rename(names: dict[Path, int], changes: Iterable[tuple[Path, int | None]]) -> None:
    for path, number in changes:
        if number is None:
            names.pop(path, None)
        else:
            names[path] = number


# ---------------------------------------------------------------- what a cut leaves of the unflushed


class Loss:
    """Decides what of the unflushed survives: nothing."""

    def keeps_names(self, place: int, change: Names) -> bool:
        """Say whether a change of names survives."""
        return False

    def survivors(self, path: Path, pending: list[tuple[int, Write | Resize]]) -> Iterator[Write | Resize]:
        """Yield what of a file's changes survives, in order."""
        yield from ()


class KeepsUpTo(Loss):
    """The device wrote everything in order, and got so far; of the next write, the first sectors."""

    def __init__(self, place: int, *, torn_sectors: int = 0, sector: int = SECTORS[0]) -> None:
        self.place = place
        self._torn_sectors = torn_sectors
        self._sector = sector

    def keeps_names(self, place: int, change: Names) -> bool:
        return place <= self.place

    def survivors(self, path: Path, pending: list[tuple[int, Write | Resize]]) -> Iterator[Write | Resize]:
        for place, change in pending:
            if place <= self.place:
                yield change
            elif place == self.place + 1 and isinstance(change, Write):
                yield from list(_sectors(change, self._sector))[: self._torn_sectors]


class KeepsOnly(Loss):
    """The device wrote the files that `chosen` says, in order up to `place`, and nothing else."""

    def __init__(self, chosen: Callable[[Path], bool], *, place: int, names: bool) -> None:
        self._chosen = chosen
        self._place = place
        self._names = names

    def keeps_names(self, place: int, change: Names) -> bool:
        return self._names

    def survivors(self, path: Path, pending: list[tuple[int, Write | Resize]]) -> Iterator[Write | Resize]:
        if self._chosen(path):
            yield from (change for place, change in pending if place <= self._place)


class Shuffled(Loss):
    """The device wrote what it liked, in the order that it liked; each file has its own fate."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._sector = chance.choice(SECTORS)
        self._names = chance.choice([0.0, 0.5, 1.0])

    def keeps_names(self, place: int, change: Names) -> bool:
        return self._chance.random() < self._names

    def survivors(self, path: Path, pending: list[tuple[int, Write | Resize]]) -> Iterator[Write | Resize]:
        chance = self._chance
        match chance.choice(["nothing", "everything", "first", "sectors", "sectors", "lengths"]):
            case "everything":
                yield from (change for _, change in pending)
            case "first":
                count = chance.randrange(len(pending))
                yield from (change for _, change in pending[:count])
                torn = pending[count][1]
                if isinstance(torn, Write):
                    sectors = list(_sectors(torn, self._sector))
                    yield from sectors[: chance.randrange(len(sectors) + 1)]
            case "sectors":
                share = chance.choice([0.1, 0.5, 0.9])
                for _, change in pending:
                    pieces = [change] if isinstance(change, Resize) else _sectors(change, self._sector)
                    yield from (piece for piece in pieces if chance.random() < share)
            case "lengths":
                # The length of a write is on the device, its bytes are not.
                yield from (
                    Write(change.file, change.position + len(change.content), b"")
                    if isinstance(change, Write)
                    else change
                    for _, change in pending
                )
            case _:
                pass


def _sectors(write: Write, size: int) -> Iterator[Write]:
    start, end = write.position, write.position + len(write.content)
    while start < end:
        stop = min(end, start - start % size + size)
        yield Write(write.file, start, write.content[start - write.position : stop - write.position])
        start = stop


# ---------------------------------------------------------------- a directory that is watched


class Dead(OSError):
    """The power is gone: nothing has any effect any more."""


class Disk:
    """Watches a directory of the real file system; whoever changes something in it tells it, under its lock."""

    def __init__(
        self, root: Path, *, device: Device | None = None, remembers: bool = False, unread: Path | None = None
    ) -> None:
        """Watch `root`. Below `unread` there are files that nobody changes once they are there: they may be large."""
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self._real_root = root.resolve()
        self.lock = threading.RLock()
        self.dead = False
        self.before: Callable[[str], None] | None = None
        """Called before SQLite writes ("write") or flushes ("flush") a file; raises OSError to let that fail."""
        # What is there already is on the device, if nobody knows better.
        self.device = Device(tree_in(root, unread)) if device is None else device
        self._unread = {
            number
            for path, number in self.device.durable.items()
            if unread is not None and path.is_relative_to(unread) and number != DIRECTORY
        }
        self.history: list[Change] | None = [] if remembers else None

    def name(self, path: Path) -> Path:
        """Return a path as the model has it."""
        return path.relative_to(self.root if path.is_relative_to(self.root) else self._real_root)

    def has(self, path: Path) -> bool:
        """Say whether a path lies in the directory, by whatever way it is named."""
        return path.is_relative_to(self.root) or path.is_relative_to(self._real_root)

    def do(self, change: Change) -> None:
        """Take note of a change. Whoever made it holds the lock, and has asked `raise_if_dead`."""
        if self.history is not None:
            self.history.append(change)
        self.device.apply(change)

    def raise_if_dead(self) -> None:
        """Raise Dead if the power is gone."""
        if self.dead:
            raise Dead("the power is gone")

    def opened(self, path: Path) -> int:
        """Return the number of a file that is being opened; take note of it if it is new."""
        name = self.name(path)
        number = self.device.names.get(name)
        if number is None:
            number = self.device.new_file()
            self.do(Names(((name, number),)))
        return number

    def rename(self, source: Path, target: Path) -> None:
        """Take note of a file's new name."""
        number = self.device.names[self.name(source)]
        self.do(Names(((self.name(source), None), (self.name(target), number))))

    def fail_flush(self, number: int, loss: Loss) -> None:
        """Take note of a flush that failed."""
        file = self.device.files[number]
        survivors = loss.survivors(ROOT, file.pending) if file.pending else ()
        self.do(FlushFailed(number, tuple(survivors)))

    def cut(self, loss: Loss) -> None:
        """Cut the power: leave in the real directory what the device has."""
        with self.lock:
            self.dead = True
            write_tree(self.root, self.device.cut(loss))

    def cut_for_good(self, loss: Loss) -> None:
        """Cut the power of this process, which ends before anybody writes again: what has not changed is left alone.

        Whoever calls holds the lock.
        """
        device = self.device
        tree = device.cut(loss)
        for path in sorted(self.root.rglob("*"), reverse=True):
            name = path.relative_to(self.root)
            if name not in tree or (tree[name] is not None and not self._is_as_shown(name)):
                path.rmdir() if path.is_dir() else path.unlink()
        for name, content in sorted(tree.items()):
            path = self.root / name
            if content is None:
                path.mkdir(exist_ok=True)
            elif not path.exists() and device.durable.get(name) not in self._unread:
                # One that was not read and is deleted stays so: there is nothing left of it.
                path.write_bytes(content)

    def _is_as_shown(self, name: Path) -> bool:
        """Say whether the device has a file as the system shows it, so that a cut changes nothing about it."""
        device = self.device
        if any(name == path for _, change in device.pending for path, _ in change.names):
            return False
        file = device.files.get(device.names.get(name, 0))
        return file is not None and not file.pending and file.durable == file.shown


def tree_in(root: Path, unread: Path | None = None) -> Tree:
    """Return what is in a directory, except what no file system would keep; files below `unread` as if empty."""
    tree: Tree = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_dir():
            tree[name] = None
        elif name.name != "lock" and not name.name.endswith("-shm"):
            tree[name] = b"" if unread is not None and name.is_relative_to(unread) else path.read_bytes()
    return tree


def write_tree(root: Path, tree: Tree) -> None:
    """Make a directory hold exactly that. Its files are new ones: descriptors that are open do not reach them."""
    root.mkdir(parents=True, exist_ok=True)
    for path in root.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path, content in sorted(tree.items()):
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)
