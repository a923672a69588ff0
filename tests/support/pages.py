"""The blocks of code on a page of the documentation, as a reader sees them: a program, and what it prints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BOOTSTRAP = "localhost:9092"
"""The broker's address on every page."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code, and the heading that it stands under."""

    language: str
    text: str
    heading: str

    def at(self, bootstrap: str) -> str:
        """Return the text with a broker's real address."""
        return self.text.replace(BOOTSTRAP, bootstrap)


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page below `docs/`, in order."""
    text = (DOCS / page).read_text()
    # What looks like a heading inside a block is the block's own.
    prose = _BLOCK.sub(lambda match: " " * len(match[0]), text)
    headings = [(match.start(), match[1]) for match in _HEADING.finditer(prose)]
    found = []
    for match in _BLOCK.finditer(text):
        above = [title for position, title in headings if position < match.start()]
        found.append(Block(match[1], match[2], above[-1] if above else ""))
    return found


def program(page: str, language: str, heading: str) -> tuple[Block, str]:
    """Return the one program of a language below a heading, and what the page says that it prints ("text" blocks)."""
    there = [block for block in blocks(page) if block.heading == heading]
    (found,) = [block for block in there if block.language == language]
    return found, "".join(block.text for block in there if block.language == "text")
