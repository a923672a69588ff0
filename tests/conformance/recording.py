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

`~.` is the beginning of the case's own names (`Recorded.prefix`); `=7` stands for what was seven lines before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Json = Any

REPEATED_CHARACTERS_MIN = 60
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

    @property
    def head(self) -> str:
        """What stands before the content."""
        return f"{self.connection} {self.kind}" + (f" {self.api} {self.version}" if self.api else "")

    @property
    def text(self) -> str | None:
        """The content as it is written; None where there is none."""
        has_content = self.kind in {"open", ">", ">>", "!", "?", "<"}
        return json.dumps(self.content, separators=(",", ":")) if has_content else None


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
        lines = [f"# {self.name}: {self.about}"]
        written: dict[str, int] = {}
        for number, event in enumerate(self.events, 1):
            text = event.text
            if text is None:
                lines.append(event.head)
                continue
            before = written.get(text)
            written[text] = number
            repeated = before is not None and len(text) >= REPEATED_CHARACTERS_MIN
            lines.append(f"{event.head} {f'={number - before}' if repeated and before else text}")
        return "\n".join(lines).replace(f"{self.prefix}.", "~.") + "\n"


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
            case = cases[-1]
            case.events.append(_parsed(line.replace("~.", f"{case.prefix}."), number, case.events))
    return cases


def _parsed(line: str, number: int, before: list[Event]) -> Event:
    connection, kind, *rest = line.split(" ", 2)
    if kind in {">", "!", "?"}:
        api, version, text = rest[0].split(" ", 2)
        return Event(connection, kind, api, int(version), _content(text, before), number)
    return Event(connection, kind, content=_content(rest[0], before) if rest else None, line=number)


def _content(text: str, before: list[Event]) -> Json:
    return before[-int(text[1:])].content if text.startswith("=") else json.loads(text)
