"""The root of Fleuve's errors and the verdict each one carries.

A new class exists only where a caller handles it differently; everything else goes into the message: what was
asked, what was found, which limit, what to do. What is not a `FleuveError` is a bug.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Verdict(StrEnum):
    """What the caller should do about an error."""

    RETRY = "retry"
    """Transient: the same request may succeed later."""
    REFRESH = "refresh"
    """The caller's view is stale: look again, then retry."""
    REJECT = "reject"
    """The request can never succeed as written."""
    FATAL = "fatal"
    """Stored state is wrong: stop, a person must look."""


class FleuveError(Exception):
    """Root of all errors that Fleuve raises on purpose."""

    verdict: ClassVar[Verdict]

    def __init_subclass__(cls, *, verdict: Verdict | None = None, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if verdict is not None:
            cls.verdict = verdict
