"""A made-up day of taxis: positions, requests and pick-ups, in the order in which they arrive.

Cars report where they are each minute. Three in a hundred reports come late, most by a minute or two, some by ten:
the car was in a tunnel. So `at`, when it happened, is not in order; `number`, when it was sent, is.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from examples.shared.chance import poisson
from examples.shared.world import DAY_MS, first_number, hour_of, start_of
from examples.taxis.city import PLACES, ZONES, attraction, minutes_between, requests_per_minute

TAXIS = 240
_TICK_MS = 20_000
_REPORT_MS = 60_000
_PATIENCE_MS = 12 * 60_000
_LATE_SHARE = 0.03
_LATE_MEAN_MS = 90_000
_LATE_MS_MAX = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxiEvent:
    """`position`: taxi, free; `request`: ride, to; `pickup`: ride, taxi, waited_s."""

    number: int
    at: int
    kind: str
    zone: str
    taxi: str = ""
    free: bool = False
    ride: str = ""
    to: str = ""
    waited_s: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def key(self) -> str:
        """A zone's events are in one partition: they are counted together."""
        return self.zone

    def encode(self) -> bytes:
        """Return the record's value."""
        document: dict[str, object] = {"number": self.number, "at": self.at, "kind": self.kind, "zone": self.zone}
        match self.kind:
            case "position":
                document |= {"taxi": self.taxi, "free": self.free, "x": self.x, "y": self.y}
            case "request":
                document |= {"ride": self.ride, "to": self.to}
            case _:
                document |= {"ride": self.ride, "taxi": self.taxi, "waited_s": self.waited_s}
        return json.dumps(document).encode()


def read(value: bytes) -> TaxiEvent:
    """Read a record's value; raise ValueError, KeyError or TypeError for what is no event."""
    document = json.loads(value)
    if document["kind"] not in {"position", "request", "pickup"} or document["zone"] not in PLACES:
        raise ValueError(f"no event of this city: {value!r}")
    return TaxiEvent(**document)


@dataclass(slots=True)
class _Taxi:
    name: str
    zone: str
    reports_at: int
    busy_until: int = 0
    to: str = ""


@dataclass(slots=True)
class _Day:
    chance: Random
    taxis: list[_Taxi]
    waiting: dict[str, deque[tuple[int, str]]] = field(default_factory=lambda: {zone: deque() for zone in ZONES})
    # What is on its way to the broker: when it arrives, a tie-breaker, and what it says.
    sent: list[tuple[int, int, dict[str, object]]] = field(default_factory=list)
    count: int = 0

    def send(self, at: int, late_share: float, **what: object) -> None:
        delay = 0
        if self.chance.random() < late_share:
            delay = int(min(_LATE_MS_MAX, 15_000 + self.chance.expovariate(1 / _LATE_MEAN_MS)))
        self.count += 1
        heapq.heappush(self.sent, (at + delay, self.count, {"at": at, **what}))


def day_of_taxis(seed: int, day: int) -> Iterator[TaxiEvent]:
    """Return a day's events in the order of their arrival. Each day, the shift begins anew."""
    chance = Random(f"taxis {seed} {day}")
    begin = start_of(day)
    taxis = [
        _Taxi(f"T{each:03}", chance.choice(ZONES), begin + chance.randrange(_REPORT_MS)) for each in range(1, TAXIS + 1)
    ]
    state = _Day(chance, taxis)
    number = first_number(day)
    for now in range(begin, begin + DAY_MS, _TICK_MS):
        _people_ask(state, now)
        for taxi in taxis:
            _drive(state, taxi, now)
        while state.sent and state.sent[0][0] < now + _TICK_MS:
            yield TaxiEvent(number=number, **heapq.heappop(state.sent)[2])  # type: ignore[arg-type]
            number += 1


def _people_ask(day: _Day, now: int) -> None:
    hour = hour_of(now)
    goals = [attraction(zone, hour) for zone in ZONES]
    for zone in ZONES:
        for _ in range(poisson(day.chance, requests_per_minute(zone, hour) * _TICK_MS / 60_000)):
            at = now + day.chance.randrange(_TICK_MS)
            ride = f"R{at // 1000 % 1_000_000:06}-{day.count:06}"
            [to] = day.chance.choices(ZONES, goals)
            day.waiting[zone].append((at, ride))
            day.send(at, 0.0, kind="request", zone=zone, ride=ride, to=to)
        queue = day.waiting[zone]
        while queue and queue[0][0] < now - _PATIENCE_MS:
            queue.popleft()  # They walk.


def _drive(day: _Day, taxi: _Taxi, now: int) -> None:
    if taxi.to and now >= taxi.busy_until:
        taxi.zone, taxi.to = taxi.to, ""
    queue = day.waiting[taxi.zone]
    if not taxi.to and queue and queue[0][0] <= now:
        asked_at, ride = queue.popleft()
        day.send(
            now,
            _LATE_SHARE,
            kind="pickup",
            zone=taxi.zone,
            ride=ride,
            taxi=taxi.name,
            waited_s=(now - asked_at) // 1000,
        )
        [taxi.to] = day.chance.choices(ZONES, [attraction(zone, hour_of(now)) for zone in ZONES])
        taxi.busy_until = now + int(minutes_between(taxi.zone, taxi.to) * day.chance.uniform(50_000, 90_000))
    elif not taxi.to and day.chance.random() < 0.03:
        _look_around(day, taxi)
    if now >= taxi.reports_at:
        taxi.reports_at += _REPORT_MS
        column, row = PLACES[taxi.zone]
        day.send(
            now,
            _LATE_SHARE,
            kind="position",
            zone=taxi.zone,
            taxi=taxi.name,
            free=not taxi.to,
            x=round(column + day.chance.random(), 3),
            y=round(row + day.chance.random(), 3),
        )


def _look_around(day: _Day, taxi: _Taxi) -> None:
    """Go to the neighbouring zone where most people wait."""
    x, y = PLACES[taxi.zone]
    near = [zone for zone, (column, row) in PLACES.items() if abs(column - x) + abs(row - y) <= 2]
    best = max(near, key=lambda zone: (len(day.waiting[zone]), day.chance.random()))
    taxi.zone = best
