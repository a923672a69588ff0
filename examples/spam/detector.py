"""Who is a spammer, and why; and how much of each kind there is. Pure: interactions in, verdicts and counts out.

Each rule looks at one partition's members; all of what a member does, and all that others report about the member, is
in one partition. What a rule sees is not forgotten for an hour. One rule makes a suspect, two make a spammer.

Interactions are counted for each minute of event time, kind by kind; when a minute is over, its counts are a result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from examples.spam.events import KINDS, Interaction

MINUTE_MS = 60_000
WINDOW_MS = 10 * MINUTE_MS
FORGET_MS = 60 * MINUTE_MS
# The rules, and from how much on each speaks.
RATE_PER_MINUTE = 20
SAME_TEXT = 6
MEMBERS_WITH_LINK = 3
FOLLOWS_OF_A_NEW_MEMBER = 12
NEW_MS = 60 * MINUTE_MS
REPORTERS = 3
SPAM_RULES = 2
RULES = ("rate", "same text", "link campaign", "mass follows", "fast start", "reported")
LINK = "‹link›"
_RECENT_MAX = 200
_TEXTS_MAX = 500
_LATEST = 30


def fingerprint(text: str) -> str:
    """Return what stays of a text whose numbers and links change."""
    return re.sub(r"\d+", "#", re.sub(r"https?://\S+", LINK, text)).lower().strip()


@dataclass(slots=True)
class Member:
    """What is known of a member."""

    seen: int = 0
    joined: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    recent: list[Sequence[Any]] = field(default_factory=list)  # When, kind, fingerprint; the last WINDOW_MS.
    reporters: dict[str, int] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)  # Which rule spoke, and when last.
    verdict: str = ""


class Detector:
    """What one partition's interactions tell."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        """Begin, or go on with what `state` returned."""
        state = state or {}
        self.now: int = state.get("now", 0)
        # By when they were last seen, the longest ago first; so are the texts.
        self._members = {name: Member(*each) for name, each in state.get("members", {}).items()}
        self._links: dict[str, dict[str, int]] = state.get("links", {})
        self.minute: int = state.get("minute", 0)
        self._counting: dict[str, list[int]] = state.get("counting", {})
        # For the screen: [all, by spammers] for each kind, verdicts, and how right they were.
        self.last_minute: dict[str, list[int]] = state.get("last_minute", {})
        self.totals: dict[str, list[int]] = state.get("totals", {kind: [0, 0] for kind in KINDS})
        self.latest: list[dict[str, Any]] = state.get("latest", [])
        self.score: dict[str, int] = state.get("score", {"bots": 0, "found": 0, "wrong": 0})

    def state(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "now": self.now,
            "members": {
                name: [each.seen, each.joined, each.counts, each.recent, each.reporters, each.rules, each.verdict]
                for name, each in self._members.items()
            },
            "links": self._links,
            "minute": self.minute,
            "counting": self._counting,
            "last_minute": self.last_minute,
            "totals": self.totals,
            "latest": self.latest,
            "score": self.score,
        }

    def apply(self, event: Interaction) -> list[tuple[str, dict[str, Any]]]:
        """Look at an interaction; return the counts of the minutes that are over, and a verdict if it changed."""
        self.now = max(self.now, event.at)
        results = self._count_minute()
        self._forget()
        member = self._seen(event)
        self._note(event, member)
        results += self._judge(event, member)
        for counts in (self._counting, self.totals):
            count = counts.setdefault(event.kind, [0, 0])
            count[0] += 1
            count[1] += member.verdict == "spam"
        return results

    def _count_minute(self) -> list[tuple[str, dict[str, Any]]]:
        minute = self.now // MINUTE_MS * MINUTE_MS
        if minute == self.minute:
            return []
        start, self.minute = self.minute, minute
        if not self._counting:
            return []
        self.last_minute, self._counting = self._counting, {}
        counts = {kind: {"all": each[0], "spam": each[1]} for kind, each in sorted(self.last_minute.items())}
        result = {"type": "counts", "window_start": start, "window_end": start + MINUTE_MS, "counts": counts}
        return [("counts", result)]

    def _forget(self) -> None:
        while self._members and (oldest := next(iter(self._members.items())))[1].seen < self.now - FORGET_MS:
            del self._members[oldest[0]]

    def _seen(self, event: Interaction) -> Member:
        known = self._members.pop(event.member, None)
        if known is None and event.label == "bot":
            self.score["bots"] += 1
        member = known or Member()
        self._members[event.member] = member  # At the end: this one was seen last.
        member.seen = self.now
        member.recent = [each for each in member.recent if each[0] > self.now - WINDOW_MS]
        return member

    def _note(self, event: Interaction, member: Member) -> None:
        member.counts[event.kind] = member.counts.get(event.kind, 0) + 1
        text = fingerprint(event.text) if event.kind == "message" else ""
        match event.kind:
            case "join":
                member.joined = event.at
            case "report":
                member.reporters[event.by] = event.at
            case _:
                member.recent = [*member.recent, (event.at, event.kind, text)][-_RECENT_MAX:]
        if LINK in text:
            writers = self._links.pop(text, {})
            writers[event.member] = event.at
            self._links[text] = {name: at for name, at in writers.items() if at > self.now - WINDOW_MS}
            if len(self._links) > _TEXTS_MAX:
                del self._links[next(iter(self._links))]

    def _judge(self, event: Interaction, member: Member) -> list[tuple[str, dict[str, Any]]]:
        for rule in self._broken(member):
            member.rules[rule] = self.now
        verdict = "spam" if len(member.rules) >= SPAM_RULES else "suspect" if member.rules else ""
        if verdict == member.verdict:
            return []
        member.verdict = verdict
        if verdict == "spam":
            self.score["found" if event.label == "bot" else "wrong"] += 1
        result = {
            "type": "verdict",
            "member": event.member,
            "at": self.now,
            "verdict": verdict,
            "rules": [rule for rule in RULES if rule in member.rules],
            "counts": dict(member.counts),
        }
        self.latest = [result, *(each for each in self.latest if each["member"] != event.member)][:_LATEST]
        return [(event.member, result)]

    def _broken(self, member: Member) -> list[str]:
        new = member.joined is not None and member.joined > self.now - NEW_MS
        lately = sum(at > self.now - MINUTE_MS for at, _, _ in member.recent)
        texts = [text for _, _, text in member.recent if text]
        last = texts[-1] if texts else ""
        follows = sum(kind == "follow" for _, kind, _ in member.recent)
        broken = {
            "rate": lately >= RATE_PER_MINUTE,
            "same text": texts.count(last) >= SAME_TEXT,
            "link campaign": len(self._links.get(last, ())) >= MEMBERS_WITH_LINK,
            "mass follows": new and follows >= FOLLOWS_OF_A_NEW_MEMBER,
            "fast start": new and lately >= RATE_PER_MINUTE // 2,
            "reported": sum(at > self.now - FORGET_MS for at in member.reporters.values()) >= REPORTERS,
        }
        return [rule for rule, holds in broken.items() if holds]
