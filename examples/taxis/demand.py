"""Demand in windows of five minutes, and the price that it makes. Pure: events in, results out.

Windows are of event time, the `at` in the event. A window is open until an event says that it is GRACE_MS later than
the window's end: that long it waits for late events. Then it is closed, its results are final, and what still comes
for it is counted as late and left out.

`zones` has what is shown: each zone's last result, and the prices of the last windows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from examples.taxis.events import TaxiEvent

WINDOW_MS = 300_000
GRACE_MS = 120_000
PRICE_MAX = 3.5
HISTORY = 12


@dataclass(slots=True)
class Count:
    """What happened in one zone in one window."""

    requests: int = 0
    pickups: int = 0
    waited_s: int = 0
    taxis: set[str] = field(default_factory=set)

    def add(self, event: TaxiEvent) -> None:
        """Count an event."""
        match event.kind:
            case "request":
                self.requests += 1
            case "pickup":
                self.pickups += 1
                self.waited_s += event.waited_s
                self.taxis.add(event.taxi)
            case _:
                if event.free:
                    self.taxis.add(event.taxi)


def price(before: float, requests: int, taxis: int) -> float:
    """Return the next price: it follows requests for each taxi, in steps that people can bear."""
    wanted = min(PRICE_MAX, max(1.0, 1 + 0.9 * (requests / max(1, taxis) - 0.7)))
    step = min(0.5, max(-0.3, wanted - before))
    return round(max(1.0, before + step) * 20) / 20


class Demand:
    """What one partition's events tell about its zones."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        """Begin, or go on with what `state` returned."""
        state = state or {"latest": 0, "closed": 0, "late": {}, "open": [], "zones": {}}
        self.latest: int = state["latest"]
        self.closed: int = state["closed"]  # Windows that end at or before this are final.
        self.late: dict[str, int] = dict(state["late"])  # Since the zone's last result.
        self.zones: dict[str, dict[str, Any]] = dict(state["zones"])
        self._open: dict[tuple[int, str], Count] = {
            (start, zone): Count(requests, pickups, waited_s, set(taxis))
            for start, zone, requests, pickups, waited_s, taxis in state["open"]
        }

    def state(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "latest": self.latest,
            "closed": self.closed,
            "late": self.late,
            "zones": self.zones,
            "open": [
                [start, zone, count.requests, count.pickups, count.waited_s, sorted(count.taxis)]
                for (start, zone), count in sorted(self._open.items())
            ],
        }

    def apply(self, event: TaxiEvent) -> list[tuple[str, dict[str, Any]]]:
        """Count an event; return the results of the windows that it closes."""
        start = event.at // WINDOW_MS * WINDOW_MS
        self.zones.setdefault(event.zone, {"surge": 1.0, "history": []})
        if start < self.closed:
            self.late[event.zone] = self.late.get(event.zone, 0) + 1
        else:
            self._open.setdefault((start, event.zone), Count()).add(event)
        self.latest = max(self.latest, event.at)
        return self._close((self.latest - GRACE_MS) // WINDOW_MS * WINDOW_MS)

    def _close(self, until: int) -> list[tuple[str, dict[str, Any]]]:
        if until <= self.closed:
            return []
        self.closed = until
        starts = sorted({start for start, _ in self._open if start < until})
        # A zone in which nothing happened has a result, too: its price goes down.
        return [(zone, self._result(start, zone)) for start in starts for zone in sorted(self.zones)]

    def _result(self, start: int, zone: str) -> dict[str, Any]:
        count = self._open.pop((start, zone), Count())
        board = self.zones[zone]
        surge = price(board["surge"], count.requests, len(count.taxis))
        result = {
            "zone": zone,
            "window_start": start,
            "window_end": start + WINDOW_MS,
            "requests": count.requests,
            "pickups": count.pickups,
            "taxis": len(count.taxis),
            "wait_s": round(count.waited_s / count.pickups) if count.pickups else None,
            "late": self.late.pop(zone, 0),
            "surge": surge,
        }
        self.zones[zone] = {**result, "history": [*board["history"], surge][-HISTORY:]}
        return result
