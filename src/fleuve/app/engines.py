"""The engines: pairs of a catalog and a store, opened together and closed together.

Above this file nobody knows which pair a broker runs on.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fleuve.adapters.journal.directory import DataDirectory
from fleuve.adapters.journal.files import Files, UnflushedFiles
from fleuve.adapters.journal.stats import JournalStats
from fleuve.adapters.journal.store import JournalStore
from fleuve.adapters.sqlite.brokers import SqliteBrokerStore
from fleuve.adapters.sqlite.configs import SqliteConfigStore
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.groups import SqliteGroupStore
from fleuve.adapters.sqlite.log import SqliteLogCatalog
from fleuve.adapters.sqlite.maintenance import SqliteMaintenanceCatalog
from fleuve.adapters.sqlite.producers import SqliteProducerStore
from fleuve.adapters.sqlite.topics import SqliteTopicStore
from fleuve.base.clock import Clock
from fleuve.base.log import Logger
from fleuve.ports.brokers import BrokerStore
from fleuve.ports.configs import ConfigStore
from fleuve.ports.groups import GroupStore
from fleuve.ports.log import LogCatalog
from fleuve.ports.maintenance import MaintenanceCatalog
from fleuve.ports.producers import ProducerStore
from fleuve.ports.recovery import RecoveryCatalog
from fleuve.ports.store import ExtentStore, ObjectStore
from fleuve.ports.topics import TopicStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The ports of a broker, each with an adapter behind it."""

    extents: ExtentStore
    objects: ObjectStore
    log: LogCatalog
    recovery: RecoveryCatalog
    maintenance: MaintenanceCatalog
    topics: TopicStore
    configs: ConfigStore
    groups: GroupStore
    producers: ProducerStore
    brokers: BrokerStore
    journal_stats: JournalStats
    directory: str
    """Where its data is, as clients are told."""
    volume_size: Callable[[], tuple[int, int]]
    """The total and the usable bytes of the volume that the data is on."""


class EngineOpener(Protocol):
    """An engine that can be opened, once."""

    def open(self, loop: asyncio.AbstractEventLoop) -> Engine:
        """Open it; blocks briefly. Raises FleuveError with one line that says what to do."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


class EmbeddedEngine:
    """SQLite and a local journal in one data directory, which this process holds while it is open.

    `files` are the system calls that the directory and the journal use. Data that nobody keeps is not flushed to the
    device: neither the journal nor the catalog.
    """

    def __init__(
        self,
        path: Path,
        *,
        journal_file_bytes: int,
        clock: Clock,
        logger: Logger,
        files: Files | None = None,
        keeps_data: bool = True,
    ) -> None:
        self._path = path
        self._journal_file_bytes = journal_file_bytes
        self._clock = clock
        self._logger = logger
        self._files = files or (Files() if keeps_data else UnflushedFiles())
        self._keeps_data = keeps_data
        self._directory: DataDirectory | None = None
        self._store: JournalStore | None = None
        self._database: Database | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> Engine:
        """Lock the directory and open both; blocks briefly.

        Raises StoreUnavailable, CatalogUnavailable and CorruptState, each with one line that says what to do.
        """
        directory = self._directory = DataDirectory.open(self._path, files=self._files)
        store = JournalStore(
            directory.path, journal_file_bytes=self._journal_file_bytes, files=self._files, logger=self._logger
        )
        store.open(loop)
        self._store = store
        # What a durable commit refers to may lie in the journal unflushed: it goes first.
        database = Database(directory.catalog_path, before_durable=store.sync_now, flushes=self._keeps_data)
        database.open(loop)
        self._database = database
        log = SqliteLogCatalog(database, self._clock)
        return Engine(
            extents=store,
            objects=store,
            log=log,
            recovery=log,
            maintenance=SqliteMaintenanceCatalog(database, self._clock),
            topics=SqliteTopicStore(database),
            configs=SqliteConfigStore(database),
            groups=SqliteGroupStore(database),
            producers=SqliteProducerStore(database, self._clock),
            brokers=SqliteBrokerStore(database, self._clock),
            journal_stats=store.stats,
            directory=str(directory.path),
            volume_size=lambda: _volume_size(directory.path),
        )

    async def close(self) -> None:
        """Close what is open: the catalog first, since its last commits refer to the journal."""
        try:
            if self._database is not None:
                await self._database.close()
        finally:
            try:
                if self._store is not None:
                    await self._store.close()
            finally:
                if self._directory is not None:
                    self._directory.close()


def _volume_size(directory: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(directory)
    return usage.total, usage.free
