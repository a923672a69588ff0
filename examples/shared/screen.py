"""The terminal: a picture that is drawn again and again, or one line each second where there is no terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

_PICTURE_SECONDS = 0.25
_LINE_SECONDS = 1.0
# A terminal that knows these shows what is between them at once; the others leave them out.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"


class _Output(Console):
    """A console whose end is told, where the reader of a pipe has gone."""

    closed: Callable[[], None]

    def on_broken_pipe(self) -> None:
        """Write nothing more."""
        self.quiet = True
        # What is buffered must not be written at the end of the program either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        self.closed()


class Screen:
    """A context manager; inside, `refresh` draws when it is time, and `say` prints above the picture.

    `draw` gets the width and height that there is; `line` returns the same as one line. `closed` is called when nobody
    reads any more.
    """

    def __init__(
        self,
        draw: Callable[[int, int], RenderableType],
        line: Callable[[], str],
        *,
        plain: bool,
        closed: Callable[[], None],
        console: Console | None = None,
    ) -> None:
        output = _Output(highlight=False, soft_wrap=plain)
        output.closed = closed
        self._console = console or output
        self._draw, self._line = draw, line
        self._live = None if plain else Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._next = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.refresh(at_once=True)
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(text, style="" if self._live is None else "cyan"))

    def refresh(self, *, at_once: bool = False) -> None:
        """Draw, if it is time."""
        now = time.monotonic()
        if now < self._next and not at_once:
            return
        if self._live is None:
            if line := self._line():
                self._next = now + _LINE_SECONDS
                self._console.print(Text(line))
        else:
            self._next = now + _PICTURE_SECONDS
            # One line less than there is: the cursor stands below the picture.
            picture = self._draw(self._console.width, self._console.height - 1)
            self._console.file.write(_BEGIN)
            self._live.update(picture, refresh=True)
            self._console.file.write(_END)
            self._console.file.flush()
