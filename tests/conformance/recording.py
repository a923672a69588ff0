"""The text of a recording: one file for each file of cases, one event a line.

    # name_of_the_case: what it is about
    a open "client-id"              a connection is opened
    a > Fetch 12 {…}                a request is sent: API, version, fields
    a < {…}                         the next answer on the connection
    a ! Produce 9 {…}               a request that gets no answer: the next answer must be another one's
    a ? Metadata 12 {…}             a request that is sent again until the answer is the one that follows
    a >> "…"                        bytes sent as they are
    a > 999 0 "…"                   a body sent as it is, here for an unknown API
    a < "…"                         an answer that is compared as bytes
    a closed                        the broker closes the connection instead of an answer
    a silent                        the broker never answers, and keeps the connection
    a waits                         no answer is there yet
    a close                         the connection is closed

`~.` is the beginning of the case's own names (`Recorded.prefix`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Json = Any

RECORDINGS = Path(__file__).parent / "recordings"


class Event(NamedTuple):
    """One line."""

    connection: str
    kind: str
    api: str = ""
    """An API's name, or the number of an unknown one."""
    version: int = -1
    content: Json = None
    line: int = 0

    def __str__(self) -> str:
        text = f"{self.connection} {self.kind}"
        if self.api:
            text += f" {self.api} {self.version}"
        if self.kind in {"open", ">", ">>", "!", "?", "<"}:
            text += " " + json.dumps(self.content, separators=(",", ":"))
        return text


@dataclass(slots=True)
class Recorded:
    """One case as Apache Kafka answered it."""

    topic: str
    """The file of cases it is in."""
    name: str
    about: str
    events: list[Event] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """What the names begin with of everything that the case makes."""
        return f"{self.topic}-{self.name}".replace("_", "-")

    def __str__(self) -> str:
        events = "\n".join(map(str, self.events)).replace(f"{self.prefix}.", "~.")
        return f"# {self.name}: {self.about}\n{events}\n"


def text_of(cases: list[Recorded]) -> str:
    """Return a recording's text."""
    return "\n".join(map(str, cases))


def read(path: Path) -> list[Recorded]:
    """Return the cases of a recording."""
    cases: list[Recorded] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("# "):
            name, _, about = line[2:].partition(": ")
            cases.append(Recorded(path.stem, name, about))
        elif line:
            cases[-1].events.append(_parsed(line.replace("~.", f"{cases[-1].prefix}."), number))
    return cases


def _parsed(line: str, number: int) -> Event:
    connection, kind, *rest = line.split(" ", 2)
    if kind in {">", "!", "?"}:
        api, version, content = rest[0].split(" ", 2)
        return Event(connection, kind, api, int(version), json.loads(content), number)
    return Event(connection, kind, content=json.loads(rest[0]) if rest else None, line=number)
