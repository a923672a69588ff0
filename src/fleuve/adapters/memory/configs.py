"""Config overrides in memory: for tests, and for a broker that keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping

from fleuve.ports.configs import NO_CONFIGS, ConfigResource, StoredConfigs
from fleuve.ports.errors import VersionConflict


class MemoryConfigStore:
    """A ConfigStore whose content goes with it.

    `insert` and `remove` are for the memory topic store, which writes a topic and its overrides together.
    """

    def __init__(self) -> None:
        self._stored: dict[ConfigResource, StoredConfigs] = {}

    async def load_all(self) -> dict[ConfigResource, StoredConfigs]:
        """Return all overrides."""
        return dict(self._stored)

    async def load(self, resource: ConfigResource) -> StoredConfigs:
        """Return the overrides of one resource."""
        return self._stored.get(resource, NO_CONFIGS)

    async def save(self, resource: ConfigResource, overrides: Mapping[str, str], *, expected_version: int) -> int:
        """Replace the overrides of `resource`; raises VersionConflict if it stands at another version."""
        stored = self._stored.get(resource, NO_CONFIGS)
        if stored.version != expected_version:
            raise VersionConflict(f"configs of {resource}: at version {stored.version}, not {expected_version}")
        self._stored[resource] = StoredConfigs(dict(overrides), expected_version + 1)
        return expected_version + 1

    def insert(self, resource: ConfigResource, overrides: Mapping[str, str]) -> None:
        """Give a new resource its first overrides; none leave no row."""
        if overrides:
            self._stored[resource] = StoredConfigs(dict(overrides), 1)

    def remove(self, resource: ConfigResource) -> None:
        """Forget the overrides of a resource that is gone."""
        self._stored.pop(resource, None)
