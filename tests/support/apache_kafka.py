"""Apache Kafka for tests: `tools/apache_kafka.py` as a context manager."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Self

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "apache_kafka.py"
PORTS = range(20_000, 30_000, 2)
MISSING = 3
"""The tool's exit status where Java or Maven is not there."""


class MissingError(Exception):
    """Java or Maven is not there; the message says which."""


class ApacheKafka:
    """Entering starts a node on a free port, leaving stops it."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = [f"{name}={value}" for name, value in (settings or {}).items()]
        self.address = ("127.0.0.1", _free_port())

    @property
    def bootstrap(self) -> str:
        """Host and port as clients want them."""
        return f"{self.address[0]}:{self.address[1]}"

    def __enter__(self) -> Self:
        _run("start", str(self.address[1]), *self._settings)
        return self

    def __exit__(self, *_: object) -> None:
        _run("stop", str(self.address[1]))


def started(settings: Mapping[str, str] | None = None) -> ApacheKafka:
    """Return a node to be entered; skip the test where Java or Maven is missing, and fail there in CI."""
    try:
        _run("fetch")
    except MissingError as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    return ApacheKafka(settings)


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True, check=False)
    if done.returncode == MISSING:
        raise MissingError(done.stderr.strip())
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    """Return a port that is free, as is the next one, which is the controller's.

    It is none of those that the system gives to clients, who would take it before Kafka does.
    """
    for port in Random().sample(PORTS, len(PORTS)):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
