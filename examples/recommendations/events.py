"""A made-up day in the shop: clicks in the order in which they happen.

Visitors have tastes, which stay; they look from one thing to what goes with it. Each hour something is in the news and
everybody looks at it. A few visitors are robots that read the whole catalogue, one page a second.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from examples.recommendations.shop import ITEMS, SHELVES, companions
from examples.shared.chance import bump, poisson
from examples.shared.world import DAY_MS, first_number, hour_of, start_of

KINDS = ("view", "cart", "buy")
_USERS = 3000
_MINUTE_MS = 60_000
_ROBOT_SHARE = 0.004


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """Somebody looks at something, puts it into the cart, or buys it."""

    number: int
    at: int
    user: str
    kind: str
    item: str

    @property
    def key(self) -> str:
        """A visitor's clicks are in one partition, in their order: they are a path."""
        return self.user

    def encode(self) -> bytes:
        """Return the record's value."""
        return json.dumps(
            {"number": self.number, "at": self.at, "user": self.user, "kind": self.kind, "item": self.item}
        ).encode()


def read(value: bytes) -> Click:
    """Read a record's value; raise ValueError, KeyError or TypeError for what is no click."""
    click = Click(**json.loads(value))
    if click.kind not in KINDS or not isinstance(click.at, int):
        raise ValueError(f"no click: {value!r}")
    return click


def sessions_per_minute(hour: float) -> float:
    """Return how many people come: some at lunch, most in the evening."""
    return 3 + 14 * bump(hour, 12.5, 2.5) + 24 * bump(hour, 20.3, 2.5)


def in_the_news(seed: int, at_ms: int) -> str:
    """Return what everybody looks at in this hour."""
    return Random(f"news {seed} {at_ms // 3_600_000}").choice(ITEMS)


def day_of_clicks(seed: int, day: int) -> Iterator[Click]:
    """Return a day's clicks in their order."""
    chance = Random(f"shop {seed} {day}")
    begin, number = start_of(day), first_number(day)
    # What will be clicked: when, the visit's number, and what.
    due: list[tuple[int, int, str, str, str]] = []
    visits = 0
    for minute in range(begin, begin + DAY_MS, _MINUTE_MS):
        for _ in range(poisson(chance, sessions_per_minute(hour_of(minute)))):
            visits += 1
            visit = _robot if chance.random() < _ROBOT_SHARE else _visit
            for at, user, kind, item in visit(chance, seed, minute + chance.randrange(_MINUTE_MS)):
                heapq.heappush(due, (at, visits, user, kind, item))
        while due and due[0][0] < minute + _MINUTE_MS:
            at, _, user, kind, item = heapq.heappop(due)
            yield Click(number=number, at=at, user=user, kind=kind, item=item)
            number += 1


def _visit(chance: Random, seed: int, at: int) -> Iterator[tuple[int, str, str, str]]:
    # Few come often, many come once.
    which = 1 + int(_USERS * chance.random() ** 2)
    user = f"user-{which:04}"
    taste = Random(f"taste {seed} {which}").sample(list(SHELVES), 2)
    item = _something(chance, seed, at, taste)
    while chance.random() < 0.88:
        yield at, user, "view", item
        if chance.random() < 0.12:
            at += int(chance.expovariate(1 / 8_000))
            yield at, user, "cart", item
            if chance.random() < 0.4:
                at += int(chance.expovariate(1 / 20_000))
                yield at, user, "buy", item
        at += 2_000 + int(chance.expovariate(1 / 25_000))
        if chance.random() < 0.7:
            near = companions(item)
            [item] = chance.choices(near, [4, 2, 1, 1][: len(near)])
        else:
            item = _something(chance, seed, at, taste)


def _something(chance: Random, seed: int, at: int, taste: list[str]) -> str:
    if chance.random() < 0.25:
        return in_the_news(seed, at)
    shelf = SHELVES[chance.choice(taste)]
    return shelf[min(len(shelf) - 1, int(chance.expovariate(0.6)))]


def _robot(chance: Random, _seed: int, at: int) -> Iterator[tuple[int, str, str, str]]:
    user = f"robot-{chance.randrange(1_000_000):06}"
    for item in chance.sample(ITEMS, len(ITEMS)):
        yield at, user, "view", item
        at += chance.randrange(500, 1_500)
