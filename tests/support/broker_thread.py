"""A whole broker in a thread of this process, on a free port: as `fleuve serve` builds it, without the process.

It starts in a tenth of the time of a process, and what it logs can be looked at. What needs signals, kills or a data
directory that outlives it takes `BrokerProcess`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

from fleuve.app.broker import Broker
from fleuve.app.options import parse_listener
from fleuve.app.registry import registry
from fleuve.app.sources import read
from fleuve.app.surroundings import this_machine
from support.edge import RecordingLogger
from support.wire_client import Address

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0


class BrokerThread:
    """A context manager: entering starts the broker, leaving stops it, and fails if it has logged an error."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._assignments = list((settings or {}).items())
        self._ready: Future[Address] = Future()
        self._stopping: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self.logger = RecordingLogger()
        self.address: Address

    def __enter__(self) -> Self:
        self._thread.start()
        self.address = self._ready.result(START_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set_result(None)
        self._thread.join(STOP_TIMEOUT_S)
        assert not self._thread.is_alive(), "the broker does not stop"
        if kind is None:
            assert self.logger.of("error") == []

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve())
        except BaseException as error:
            # Before it is ready, whoever waits for it gets the reason.
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        table = registry()
        settings = read(table, assignments=self._assignments, environment={})
        broker = Broker(
            table,
            settings,
            around=this_machine(self._directory, settings, self.logger),
            listeners=(parse_listener("127.0.0.1:0"),),
            http=None,
            logger=self.logger,
        )
        await broker.start()
        self._ready.set_result((broker.addresses[0].host, broker.addresses[0].port))
        await asyncio.wrap_future(self._stopping)
        await broker.stop()
