"""A made-up day of a community: who joins, writes, likes, follows and reports, in the order in which it happens.

Bots come in campaigns, some every hour: `link` bots write the same text with another link to everybody, `follow` bots
join and follow one after the other, `like` bots like what they see. Some members are only talkative: they greet all
their friends in the same words, and nobody should be sorry for it.

`label` says who is a bot. It is there to measure the detector, which never looks at it.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from examples.shared.chance import bump, poisson
from examples.shared.world import DAY_MS, first_number, hour_of, start_of

KINDS = ("message", "like", "follow", "report", "join")
_MINUTE_MS = 60_000
_MEMBERS = 3000
_NAMES = ("ada", "ben", "carla", "dario", "eva", "finn", "greta", "hugo", "ines", "jon", "kira", "lars", "mila", "noah")
_GREETINGS = ("Happy birthday!", "Good morning!", "Welcome back :)", "See you tonight!", "Well done, all of you!")
_OPENINGS = ("I think", "Somebody knows if", "Yesterday", "Look,", "Honestly,", "My sister says", "No idea why", "So")
_SUBJECTS = ("the new trail", "this recipe", "the old bridge", "our garden", "that film", "the late train", "my bike")
_ENDINGS = ("is great", "was closed again", "needs some repair", "looks different now", "made my day", "takes an hour")
_PITCHES = (
    "You won! Claim your prize {}: http://prize{}.example/x",
    "Work from home, {} a week!!! http://jobs{}.example",
    "Cheap watches, only today {} http://deal{}.example/sale",
    "Hi dear, code {}, see my photos http://pics{}.example",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """What a member did; or, for a report, what `by` says of the member.

    `message` and `like` have `to`, `follow` too; `message` has `text`; `report` has `by`.
    """

    number: int
    at: int
    kind: str
    member: str
    to: str = ""
    text: str = ""
    by: str = ""
    label: str = "human"

    @property
    def key(self) -> str:
        """The member whom it is about: what speaks for or against somebody is in one partition, in order."""
        return self.member

    def encode(self) -> bytes:
        """Return the record's value."""
        document = {"number": self.number, "at": self.at, "kind": self.kind, "member": self.member}
        more = {"to": self.to, "text": self.text, "by": self.by, "label": self.label}
        return json.dumps(document | {name: value for name, value in more.items() if value}).encode()


def read(value: bytes) -> Interaction:
    """Read a record's value; raise ValueError, KeyError or TypeError for what is no interaction."""
    interaction = Interaction(**json.loads(value))
    if interaction.kind not in KINDS or not isinstance(interaction.at, int):
        raise ValueError(f"no interaction: {value!r}")
    return interaction


_Planned = tuple[int, int, dict[str, Any]]


class _Plan:
    """What will happen, by its time."""

    def __init__(self) -> None:
        self._heap: list[_Planned] = []
        self._count = 0

    def add(self, at: int, **what: Any) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, what))

    def until(self, end: int) -> Iterator[tuple[int, dict[str, Any]]]:
        while self._heap and self._heap[0][0] < end:
            at, _, what = heapq.heappop(self._heap)
            yield at, what


def day_of_interactions(seed: int, day: int) -> Iterator[Interaction]:
    """Return a day's interactions in their order."""
    chance = Random(f"members {seed} {day}")
    plan, number = _Plan(), first_number(day)
    for minute in range(start_of(day), start_of(day) + DAY_MS, _MINUTE_MS):
        busy = 0.15 + bump(hour_of(minute), 12.5, 2.5) + 1.5 * bump(hour_of(minute), 20.5, 3)
        for _ in range(poisson(chance, 16 * busy)):
            _human(chance, plan, minute + chance.randrange(_MINUTE_MS))
        if chance.random() < 1 / 25:
            _campaign(chance, plan, minute)
        for at, what in plan.until(minute + _MINUTE_MS):
            yield Interaction(number=number, at=at, **what)
            number += 1


def _member(chance: Random) -> str:
    # Few do much, many do little.
    which = int(_MEMBERS * chance.random() ** 2)
    return f"{_NAMES[which % len(_NAMES)]}-{which:04}"


def _sentence(chance: Random) -> str:
    return f"{chance.choice(_OPENINGS)} {chance.choice(_SUBJECTS)} {chance.choice(_ENDINGS)}"


def _human(chance: Random, plan: _Plan, at: int) -> None:
    """Be there for some minutes."""
    if chance.random() < 0.02:
        member = f"{chance.choice(_NAMES)}-new-{chance.randrange(10_000):04}"
        plan.add(at, kind="join", member=member)
        at += chance.randrange(20_000, 90_000)
    else:
        member = _member(chance)
    if chance.random() < 0.007:
        text = chance.choice(_GREETINGS)
        for _ in range(chance.randrange(4, 9)):
            plan.add(at, kind="message", member=member, to=_member(chance), text=text)
            at += chance.randrange(8_000, 30_000)
        return
    while chance.random() < 0.85:
        [kind] = chance.choices(KINDS[:4], [35, 50, 14, 0.4])
        if kind == "report":
            # People quarrel, too.
            plan.add(at, kind="report", member=_member(chance), by=member)
        elif kind == "message":
            plan.add(at, kind="message", member=member, to=_member(chance), text=_sentence(chance))
        else:
            plan.add(at, kind=kind, member=member, to=_member(chance))
        at += 3_000 + int(chance.expovariate(1 / 20_000))


def _campaign(chance: Random, plan: _Plan, at: int) -> None:
    kind = chance.choice(("link", "follow", "like"))
    pitch = chance.choice(_PITCHES)
    for _ in range(chance.randrange(3, 10)):
        bot = f"{chance.choice(_NAMES)}{chance.randrange(100_000):05}"
        start = at + chance.randrange(5 * _MINUTE_MS)
        plan.add(start, kind="join", member=bot, label="bot")
        _bot(chance, plan, bot, kind, pitch, start + chance.randrange(5_000, 60_000))


def _bot(chance: Random, plan: _Plan, bot: str, kind: str, pitch: str, at: int) -> None:
    for _ in range(chance.randrange(15, 60)):
        to = _member(chance)
        if kind == "link":
            text = pitch.format(chance.randrange(100, 999), chance.randrange(10_000))
            plan.add(at, kind="message", member=bot, to=to, text=text, label="bot")
            if chance.random() < 0.12:
                plan.add(at + chance.randrange(10_000, 200_000), kind="report", member=bot, by=to, label="bot")
            at += chance.randrange(1_000, 12_000)
        elif kind == "follow":
            plan.add(at, kind="follow", member=bot, to=to, label="bot")
            at += chance.randrange(1_500, 15_000)
        else:
            plan.add(at, kind="like", member=bot, to=to, label="bot")
            at += chance.randrange(300, 3_000)
