"""When storage does not give what a reader asked for: what the client is told, and what the operator is told.

A client gets a retriable error. The operator gets a line, not one for each request: a disk that fails, or a catalog
that is damaged while the broker runs, fails every fetch.
"""

from __future__ import annotations

import asyncio
from typing import Final

from fleuve.base.log import Logger
from fleuve.engine.log.errors import StorageFailed
from fleuve.ports.errors import CatalogUnavailable, CorruptState, ObjectMissing, StoreUnavailable
from fleuve.records.errors import CorruptStoredBatch

STORAGE_ERRORS: Final = (CatalogUnavailable, StoreUnavailable, CorruptState)
"""What the ports raise when they cannot answer."""

LINE_INTERVAL_S: Final = 10.0

StorageError = CatalogUnavailable | StoreUnavailable | CorruptState | ObjectMissing | CorruptStoredBatch


class ReadFailures:
    """Makes the client's error, and logs the reason now and then."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._quiet_until = 0.0
        self._unsaid = 0

    def failed(self, what: str, error: StorageError) -> StorageFailed:
        """Return the error for a client that asked for `what`."""
        now = asyncio.get_running_loop().time()
        if now < self._quiet_until:
            self._unsaid += 1
        else:
            self._logger.error("stored data cannot be read", what=what, error=str(error), more_since=self._unsaid)
            self._quiet_until, self._unsaid = now + LINE_INTERVAL_S, 0
        failed = StorageFailed(f"{what} cannot be read: {error}")
        failed.__cause__ = error
        return failed
