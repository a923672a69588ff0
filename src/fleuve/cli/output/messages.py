"""What commands say beside their data, on standard error: what was done, and what failed while the rest went on."""

from __future__ import annotations

import contextlib
import sys

from fleuve.base.errors import FleuveError
from fleuve.cli.output.standard_output import OutputFailed, flush
from fleuve.cli.output.terminal import harmless_text


def tell(text: str) -> None:
    """Say what was done, on standard error: standard output is for data."""
    flush()
    print(harmless_text(text), file=sys.stderr)


def complain(error: FleuveError) -> None:
    """Say on one line of standard error what failed."""
    # It may have failed because standard output takes no more, or because nobody reads it.
    with contextlib.suppress(OutputFailed, BrokenPipeError):
        flush()
    print("fleuve:", harmless_text(" ".join(str(error).split())), file=sys.stderr)


class Failures:
    """What failed of several things that a command does one by one; each is said when it is added."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, error: FleuveError) -> None:
        """Say what failed, and count it."""
        self.count += 1
        complain(error)

    @property
    def exit_code(self) -> int:
        """0 if nothing failed, else 1."""
        return 1 if self.count else 0
