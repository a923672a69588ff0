"""A whole broker in a thread of this process, on a free port: as `fleuve serve` builds it, without the process.

It starts in a tenth of the time of a process, and what it logs can be looked at. Unlike `fleuve.testing`, whose
defaults are for speed, it has those of `fleuve serve`. What needs signals, kills or a data directory that outlives it
takes `BrokerProcess`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from fleuve.app import in_thread
from fleuve.app.broker import Broker
from fleuve.app.options import parse_listener
from fleuve.app.registry import registry
from fleuve.app.sources import read
from fleuve.app.surroundings import this_machine
from support.edge import RecordingLogger
from support.wire_client import Address


class BrokerThread:
    """A context manager: entering starts the broker, leaving stops it, and fails if it has logged an error."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._assignments = list((settings or {}).items())
        self._thread = in_thread.BrokerThread(self._make)
        self.logger = RecordingLogger()
        self.address: Address

    def __enter__(self) -> Self:
        broker = self._thread.start()
        self.address = (broker.addresses[0].host, broker.addresses[0].port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.stop()
        if kind is None:
            assert self.logger.of("error") == []

    def _make(self) -> Broker:
        table = registry()
        settings = read(table, assignments=self._assignments, environment={})
        return Broker(
            table,
            settings,
            around=this_machine(self._directory, settings, self.logger),
            listeners=(parse_listener("127.0.0.1:0"),),
            http=None,
            logger=self.logger,
        )
