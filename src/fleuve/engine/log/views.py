"""The partitions that this broker has in mind, each loaded from the catalog when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fleuve.base.ids import PartitionId
from fleuve.engine.log.partition import PartitionView
from fleuve.ports.log import LogCatalog, LogState


class PartitionViews:
    """Views by partition id. A view may be ahead of the catalog's answer that is under way, never behind an ack."""

    def __init__(self, catalog: LogCatalog) -> None:
        self._catalog = catalog
        self._views: dict[PartitionId, PartitionView] = {}
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._views)

    def get(self, partition_id: PartitionId) -> PartitionView | None:
        """Return the view, if the partition is in mind."""
        return self._views.get(partition_id)

    def at(self, partition_id: PartitionId, state: LogState) -> PartitionView:
        """Return the view; one that stands at `state` if the partition was not in mind."""
        view = self._views.get(partition_id)
        if view is None:
            view = self._views[partition_id] = PartitionView(partition_id, state)
        return view

    async def load(self, partition_ids: Iterable[PartitionId]) -> None:
        """Bring partitions to mind that are not; those that do not exist stay out. Raises CatalogUnavailable."""
        missing = [partition_id for partition_id in partition_ids if partition_id not in self._views]
        if not missing:
            return
        for partition_id, state in (await self._states(missing)).items():
            # An append may have been quicker: then its view knows more.
            self.at(partition_id, state)

    async def refresh(self, partition_id: PartitionId) -> None:
        """Ask the catalog where the partition stands, and believe it. Raises CatalogUnavailable."""
        view = self._views.get(partition_id)
        seen = view.high_watermark if view is not None else None
        state = (await self._states([partition_id])).get(partition_id)
        view = self._views.get(partition_id)
        if state is None:
            self.drop(partition_id)
        elif view is None:
            self.at(partition_id, state)
        elif view.high_watermark == seen or state.next_offset > view.high_watermark:
            # Otherwise an append was settled since the question was asked: the answer is older than the view.
            view.refresh(state)

    async def _states(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, LogState]:
        """Ask the catalog; again if something went out of mind meanwhile, since the answer may be older than that."""
        while True:
            dropped = self._dropped
            states = await self._catalog.states(partition_ids)
            if self._dropped == dropped:
                return states

    def drop(self, partition_id: PartitionId) -> None:
        """Put a partition out of mind; who waits for it looks again, and finds that it is gone."""
        self._dropped += 1
        if (view := self._views.pop(partition_id, None)) is not None:
            view.wake()
