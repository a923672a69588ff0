"""What goes together, what is trending, and what to recommend. Pure: clicks in, offers out.

Everything counts less as time passes: half after a half-life of event time. So what is old fades, and no window jumps.

Two things are learnt from a click. How often the item is looked at: in the last hours (`slow`) and in the last minutes
(`fast`); what is looked at faster than before is trending. And which items it was looked at together with, in one
visit. A visitor is offered what goes with the last items of the visit, and where that is not enough, what is popular.

Whether that helps is measured all the time: the next item of a visitor either is among the three on offer or not; and
among the three most popular ones, which anybody could have offered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from examples.recommendations.events import Click

FAST_MS = 15 * 60_000
SLOW_MS = 3 * 3_600_000
VISIT_GAP_MS = 30 * 60_000
ON_OFFER = 3
_PATH = 5
_COMPANIONS_MAX = 12
_LATEST = 20
_WEIGHTS = {"view": 1.0, "cart": 2.0, "buy": 4.0}
# So many clicks in less than 2.5 s each: nobody looks at pages so fast.
_ROBOT_CLICKS = 12
_ROBOT_MS = 2_500


@dataclass(slots=True)
class Fading:
    """A sum that halves with each half-life."""

    value: float
    at: int

    def now(self, at: int, half_life_ms: int) -> float:
        """Return what is left at a time."""
        return self.value * float(0.5 ** (max(0, at - self.at) / half_life_ms))

    def add(self, weight: float, at: int, half_life_ms: int) -> None:
        """Add to what is left."""
        self.value = round(self.now(at, half_life_ms) + weight, 6)
        self.at = max(self.at, at)


@dataclass(slots=True)
class Visit:
    """Where a visitor is: the last items, what is on offer, and how fast it goes."""

    began: int
    at: int
    clicks: int = 0
    robot: bool = False
    path: list[str] = field(default_factory=list)
    offer: list[str] = field(default_factory=list)


class Recommender:
    """What one partition's visitors teach."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        """Begin, or go on with what `state` returned."""
        state = state or {}
        self.now: int = state.get("now", 0)
        self.fast = {item: Fading(*each) for item, each in state.get("fast", {}).items()}
        self.slow = {item: Fading(*each) for item, each in state.get("slow", {}).items()}
        self.together = {
            item: {other: Fading(*each) for other, each in others.items()}
            for item, others in state.get("together", {}).items()
        }
        # By the time of the last click, the oldest first.
        self._visits = {user: Visit(*each) for user, each in state.get("visits", {}).items()}
        self.latest: list[dict[str, Any]] = list(state.get("latest", []))
        self.score: dict[str, int] = dict(state.get("score", {"asked": 0, "hits": 0, "popular": 0, "robots": 0}))

    def state(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "now": self.now,
            "fast": {item: [each.value, each.at] for item, each in self.fast.items()},
            "slow": {item: [each.value, each.at] for item, each in self.slow.items()},
            "together": {
                item: {other: [each.value, each.at] for other, each in others.items()}
                for item, others in self.together.items()
            },
            "visits": {
                user: [each.began, each.at, each.clicks, each.robot, each.path, each.offer]
                for user, each in self._visits.items()
            },
            "latest": self.latest,
            "score": self.score,
        }

    def apply(self, click: Click) -> list[tuple[str, dict[str, Any]]]:
        """Learn from a click; return a new offer for this visitor, if it changes."""
        self.now = max(self.now, click.at)
        visit = self._visit(click)
        if visit.robot:
            return []
        if click.item not in visit.path:
            self._compare(visit, click.item)
        self._learn(visit, click)
        visit.path = [*(item for item in visit.path if item != click.item), click.item][-_PATH:]
        offer = self.offer(visit.path)
        if offer == visit.offer:
            return []
        visit.offer = offer
        result = {"user": click.user, "at": click.at, "after": click.item, "recommended": offer}
        self.latest = [result, *self.latest[: _LATEST - 1]]
        return [(click.user, result)]

    def _visit(self, click: Click) -> Visit:
        while self._visits and (oldest := next(iter(self._visits.items())))[1].at < self.now - VISIT_GAP_MS:
            del self._visits[oldest[0]]
        visit = self._visits.pop(click.user, None) or Visit(click.at, click.at)
        self._visits[click.user] = visit
        visit.at, visit.clicks = max(visit.at, click.at), visit.clicks + 1
        fast = visit.clicks >= _ROBOT_CLICKS and visit.at - visit.began < visit.clicks * _ROBOT_MS
        if fast and not visit.robot:
            visit.robot, visit.offer = True, []
            self.score["robots"] += 1
        return visit

    def _compare(self, visit: Visit, item: str) -> None:
        if visit.offer:
            self.score["asked"] += 1
            self.score["hits"] += item in visit.offer
            self.score["popular"] += item in self.popular(visit.path)[:ON_OFFER]

    def _learn(self, visit: Visit, click: Click) -> None:
        weight = _WEIGHTS[click.kind]
        self.fast.setdefault(click.item, Fading(0, click.at)).add(weight, click.at, FAST_MS)
        self.slow.setdefault(click.item, Fading(0, click.at)).add(weight, click.at, SLOW_MS)
        for other in visit.path:
            if other != click.item:
                self._pair(click.item, other, weight)
                self._pair(other, click.item, weight)

    def _pair(self, item: str, other: str, weight: float) -> None:
        others = self.together.setdefault(item, {})
        others.setdefault(other, Fading(0, self.now)).add(weight, self.now, SLOW_MS)
        if len(others) > _COMPANIONS_MAX:
            del others[min(others, key=lambda each: (others[each].now(self.now, SLOW_MS), each))]

    def popular(self, without: list[str]) -> list[str]:
        """Return items, the most looked at first."""
        items = [item for item in self.slow if item not in without]
        return sorted(items, key=lambda item: (-self.slow[item].now(self.now, SLOW_MS), item))

    def offer(self, path: list[str]) -> list[str]:
        """Return what to recommend after a path, the best first."""
        scores: dict[str, float] = {}
        for steps_back, item in enumerate(reversed(path)):
            for other, together in self.together.get(item, {}).items():
                if other not in path:
                    often = sqrt(self._often(item) * self._often(other))
                    closeness = together.now(self.now, SLOW_MS) / (often + 5)  # 5: a single visit proves little.
                    scores[other] = scores.get(other, 0) + closeness * 0.6**steps_back
        best = sorted(scores, key=lambda item: (-scores[item], item))[:ON_OFFER]
        if len(best) < ON_OFFER:
            best += self.popular([*path, *best])[: ON_OFFER - len(best)]
        return best

    def _often(self, item: str) -> float:
        return self.slow[item].now(self.now, SLOW_MS) if item in self.slow else 0.0
