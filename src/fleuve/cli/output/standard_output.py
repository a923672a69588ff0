"""Standard output, for data: what cannot be written, as on a disk that is full, is an error of one line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from fleuve.base.errors import FleuveError, Verdict


class OutputFailed(FleuveError, verdict=Verdict.REJECT):
    """Standard output takes no more, though somebody would read it."""


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Say what a write inside the block meets as OutputFailed; a reader that has gone stays a BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(
            f"standard output: cannot be written ({error.strerror}); make room, or send it to another place"
        ) from None


def write(text: str) -> None:
    """Write text to standard output. Raises OutputFailed."""
    with writing():
        sys.stdout.write(text)


def flush() -> None:
    """Hand over what was written. Raises OutputFailed."""
    with writing():
        sys.stdout.flush()
