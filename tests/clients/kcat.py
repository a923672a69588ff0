"""Debian's kcat: an old librdkafka (2.0.2) behind a command line."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from clients.driver import TIMEOUT_S
from clients.records import Delivered, Headers
from clients.shortcomings import COMMITTING, CREATING_TOPICS, TIMESTAMPS

# One line of facts, then the bytes of key and value as they are.
_FORMAT = r"%p %o %T %K %S %h\n%k%s\n"
_ASSIGNED = re.compile(r"% Group .* rebalanced \(memberid [^)]*\): (assigned|revoked): (.*)")


def path() -> str:
    """Return where kcat is; without it, skip the test, or fail it in CI."""
    found = shutil.which("kcat")
    if found is None:
        message = "kcat is not installed (`make install-test` does it)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


_VERSIONS = re.compile(r"Version ([0-9.]+) .*librdkafka ([0-9.]+)")


class Kcat:
    """kcat with its defaults, against one broker."""

    name = "kcat"
    lacks = {
        CREATING_TOPICS: "it brings topics into being by sending, with the broker's number of partitions",
        TIMESTAMPS: "it sends the current time",
        COMMITTING: "it commits by itself alone",
    }

    def __init__(self, bootstrap: str) -> None:
        self._command = (path(), "-b", bootstrap)
        told = _VERSIONS.search(self.run("-V").decode())
        assert told is not None
        self.version = told[1]
        self.runtime = f"librdkafka {told[2]}"

    def run(self, *arguments: str | Path, stdin: bytes = b"") -> bytes:
        """Run kcat, and return what it wrote to standard output; fail the test if it failed."""
        done = self.attempt(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def attempt(self, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run kcat, and return how it ended."""
        command = [*self._command, *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT_S, check=False)

    def produce(self, topic: str, *arguments: str | Path, stdin: bytes = b"") -> None:
        """Produce to partition 0 what stands in standard input or in the files that the arguments name."""
        self.run("-P", "-t", topic, "-p", "0", *arguments, stdin=stdin)

    def read_all(self, topic: str, *arguments: str) -> list[Delivered]:
        """Return the records of partition 0, from the start unless the arguments say otherwise."""
        where = () if "-o" in arguments else ("-o", "beginning")
        return parsed(self.run("-C", "-t", topic, "-p", "0", "-e", "-f", _FORMAT, *where, *arguments))

    def read_in_group(self, topic: str, group: str, count: int) -> list[Delivered]:
        """Return the next `count` records of a group's only member, and commit them."""
        arguments = ("-X", "auto.offset.reset=earliest", "-c", str(count), "-f", _FORMAT)
        return parsed(self.run("-G", group, *arguments, topic))

    def feed(self, topic: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a kcat that produces to partition 0 each line of its standard input, however often the broker goes."""
        command = [*self._command, "-P", "-E", "-t", topic, "-p", "0", *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)

    def member(self, directory: Path, name: str, topic: str, group: str, *more: str) -> KcatMember:
        """Return a member of a group, not started yet, that writes to files in `directory`."""
        arguments = ("-G", group, "-u", "-X", "auto.offset.reset=earliest", *more, "-f", r"%p %o %s\n", topic)
        return KcatMember([*self._command, *arguments], directory / f"{name}.out", directory / f"{name}.err")


def parsed(output: bytes) -> list[Delivered]:
    """Return the records in what kcat wrote in `_FORMAT`."""
    records = []
    position = 0
    while position < len(output):
        line_end = output.index(b"\n", position)
        partition, offset, timestamp_ms, key_size, value_size, *rest = output[position:line_end].split(b" ", 5)
        position = line_end + 1
        key, position = _taken(output, position, int(key_size))
        value, position = _taken(output, position, int(value_size))
        position += 1
        records.append(Delivered(int(partition), int(offset), key, value, _headers(rest), int(timestamp_ms)))
    return records


def _taken(output: bytes, position: int, size: int) -> tuple[bytes | None, int]:
    if size < 0:
        return None, position
    return output[position : position + size], position + size


def _headers(rest: Sequence[bytes]) -> Headers:
    if not rest or not rest[0]:
        return ()
    pairs = (pair.partition(b"=") for pair in rest[0].split(b","))
    # So it writes one that is null.
    return tuple((name.decode(), None if value == b"NULL" else value) for name, _, value in pairs)


class KcatMember:
    """A kcat that consumes in a group until it is told to leave. A context manager."""

    def __init__(self, command: Sequence[str], stdout: Path, stderr: Path) -> None:
        self._command = command
        self._stdout = stdout
        self._stderr = stderr
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Stop it as Ctrl-C does, so that it commits and leaves the group, and wait for it."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(TIMEOUT_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def held(self) -> frozenset[int]:
        """The partitions that it holds, as it says itself."""
        told = _ASSIGNED.findall(self._stderr.read_text()) if self._stderr.exists() else []
        if not told or told[-1][0] == "revoked":
            return frozenset()
        return frozenset(int(number) for number in re.findall(r"\[(\d+)\]", told[-1][1]))

    @property
    def assignments(self) -> int:
        """How often it was assigned partitions."""
        told = _ASSIGNED.findall(self._stderr.read_text()) if self._stderr.exists() else []
        return len(told)

    @property
    def delivered(self) -> list[tuple[int, int, bytes]]:
        """Partition, offset and value of each record it got."""
        if not self._stdout.exists():
            return []
        lines = self._stdout.read_bytes().split(b"\n")[:-1]
        return [
            (int(partition), int(offset), value) for partition, offset, value in (line.split(b" ") for line in lines)
        ]
