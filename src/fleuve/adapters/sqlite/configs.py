"""Config overrides in the SQLite catalog."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.queries import load
from fleuve.ports.configs import NO_CONFIGS, ConfigResource, ResourceType, StoredConfigs
from fleuve.ports.errors import CorruptState, VersionConflict


class SqliteConfigStore:
    """A ConfigStore over a catalog file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = load("configs")

    async def load_all(self) -> dict[ConfigResource, StoredConfigs]:
        """Return all overrides."""
        sql = self._queries["load_all"]
        rows = await self._database.read(lambda connection: connection.execute(sql).fetchall())
        stored = {}
        for kind, key, overrides, version in rows:
            resource = ConfigResource(ResourceType(kind), key)
            stored[resource] = StoredConfigs(_decode(overrides, resource), version)
        return stored

    async def load(self, resource: ConfigResource) -> StoredConfigs:
        """Return the overrides of one resource."""
        sql = self._queries["load"]
        row = await self._database.read(lambda connection: connection.execute(sql, _key(resource)).fetchone())
        return NO_CONFIGS if row is None else StoredConfigs(_decode(row[0], resource), row[1])

    async def save(self, resource: ConfigResource, overrides: Mapping[str, str], *, expected_version: int) -> int:
        """Replace the overrides of `resource`; raises VersionConflict if it stands at another version."""
        sql = self._queries["save"]
        values = _key(resource) | {"overrides": _encode(overrides), "expected_version": expected_version}

        def save(connection: sqlite3.Connection) -> int:
            return connection.execute(sql, values).rowcount

        if await self._database.write(save) == 0:
            raise VersionConflict(f"configs of {resource}: not at version {expected_version} any more")
        return expected_version + 1


def insert_overrides(connection: sqlite3.Connection, resource: ConfigResource, overrides: Mapping[str, str]) -> None:
    """Give a new resource its first overrides, in the caller's transaction; none leave no row."""
    if overrides:
        connection.execute(load("configs")["insert"], _key(resource) | {"overrides": _encode(overrides)})


def remove_overrides(connection: sqlite3.Connection, resource: ConfigResource) -> None:
    """Forget the overrides of a resource that is gone, in the caller's transaction."""
    connection.execute(load("configs")["remove"], _key(resource))


def _key(resource: ConfigResource) -> dict[str, str | int]:
    return {"resource_type": int(resource.type), "resource_key": resource.key}


def _encode(overrides: Mapping[str, str]) -> str:
    return json.dumps(dict(overrides), ensure_ascii=False, sort_keys=True)


def _decode(text: str, resource: ConfigResource) -> dict[str, str]:
    try:
        overrides = json.loads(text)
    except ValueError:
        overrides = None
    if not isinstance(overrides, dict) or not all(isinstance(value, str) for value in overrides.values()):
        raise CorruptState(f"the catalog's configs of {resource} cannot be read: {text[:100]!r}")
    return overrides
