"""Where records come from: files and standard input, cut at a delimiter, in bounded memory.

Bytes are never decoded. While nothing arrives, whoever reads is asked to look after other things (`idle`): a
producer has delivery reports to serve, and Ctrl-C to heed.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from typing import BinaryIO

from fleuve.app.options import UsageError
from fleuve.cli.client.errors import CommandFailed
from fleuve.cli.interruption import WAITS_FOR_INPUT

_READ_BYTES_MAX = 256 * 1024
_PATIENCE_S = 0.1
STDIN = "-"

Readable = BinaryIO | FileIO

Idle = Callable[[], bool]
"""Looks after other things; returns whether to go on reading."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file by its path, or standard input."""

    path: str
    size_bytes: int | None
    """None where it has no size of its own, such as a pipe."""

    def place(self, number: int | None) -> str:
        """Return where a record stands, for people: `line 3`, `orders.txt:3`; without a number, the whole source."""
        if self.path == STDIN:
            return "standard input" if number is None else f"line {number:,}"
        return self.path if number is None else f"{self.path}:{number}"


def sources(paths: Sequence[str]) -> list[Source]:
    """Return the sources that are named, standard input if none is. Raises UsageError for what cannot be read."""
    return [_source(path) for path in paths or (STDIN,)]


def _source(path: str) -> Source:
    if path == STDIN:
        return Source(STDIN, None)
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            found = os.fstat(file.fileno())
    except IsADirectoryError:
        raise UsageError(f"{path}: is a directory; name the files in it, as in {path.rstrip('/')}/*") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    return Source(path, found.st_size if stat.S_ISREG(found.st_mode) else None)


class Reading:
    """Reads one source. `bytes_read` counts as it goes on."""

    def __init__(self, source: Source, *, size_bytes_max: int, idle: Idle) -> None:
        self._source = source
        self._size_bytes_max = size_bytes_max
        self._idle = idle
        self.bytes_read = 0
        self.complete = False
        """Whether the source was read to its end: what stands behind the last delimiter is a record then."""

    def pieces(self, delimiter: bytes) -> Iterator[list[bytes]]:
        """Yield the records as they arrive, many at a time. A delimiter at the end of the source ends its last record.

        Raises CommandFailed at a record that is larger than `size_bytes_max`.
        """
        rest, number = b"", 1
        for data in self._chunks():
            whole = (rest + data).split(delimiter)
            rest = whole.pop()
            if whole:
                yield whole
                number += len(whole)
            if len(rest) > self._size_bytes_max:
                raise self._too_large(number)
        if rest and self.complete:
            yield [rest]

    def whole(self) -> bytes:
        """Return all of it, as one record, or a part if it is not `complete`.

        Raises CommandFailed if it is larger than `size_bytes_max`.
        """
        read: list[bytes] = []
        for data in self._chunks():
            read.append(data)
            if self.bytes_read > self._size_bytes_max:
                raise self._too_large(None)
        return b"".join(read)

    def _too_large(self, number: int | None) -> CommandFailed:
        return CommandFailed(
            f"{self._source.place(number)}: larger than {self._size_bytes_max:,} bytes, which the topic takes;"
            " raise that with `fleuve topic alter TOPIC --config max.message.bytes=BYTES`"
        )

    def _chunks(self) -> Iterator[bytes]:
        with _opened(self._source) as file:
            number = _number(file)
            while self._idle():
                if number is None:
                    data = file.read(_READ_BYTES_MAX)
                elif _ready(number):
                    data = self._read(number)
                else:
                    continue
                if not data:
                    self.complete = True
                    return
                self.bytes_read += len(data)
                yield data

    def _read(self, number: int) -> bytes:
        try:
            return os.read(number, _READ_BYTES_MAX)
        except OSError as error:
            raise CommandFailed(f"{self._source.place(None)}: cannot be read ({error.strerror})") from None


@contextmanager
def _opened(source: Source) -> Iterator[Readable]:
    if source.path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = open(source.path, "rb", buffering=0)  # noqa: PTH123, SIM115
    except OSError as error:
        raise CommandFailed(f"{source.path}: cannot be read ({error.strerror})") from None
    with file:
        yield file


def _number(file: Readable) -> int | None:
    """Return the number to read from without a buffer in between; None if the system knows no such file."""
    try:
        return file.fileno()
    except (OSError, ValueError):
        return None


def _ready(number: int) -> bool:
    """Return whether a read would return at once, after a short wait."""
    if not WAITS_FOR_INPUT:
        return True
    return bool(select.select([number], [], [], _PATIENCE_S)[0])
