"""The one table from Fleuve's errors to Kafka's error codes.

Each room has its rows in `codes_<room>.py` (`CODES`); here they are joined. An error is looked up by its class, then
by its base classes.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.wire.errors import ErrorCode

CODES: dict[type[FleuveError], ErrorCode] = {}
"""Every error that may reach a client, and its code. A room adds a line `**codes_<room>.CODES`."""


def code_of(error: FleuveError) -> ErrorCode:
    """Return the code that tells a client of `error`; UNKNOWN_SERVER_ERROR if no row names it."""
    for kind in type(error).__mro__:
        code = CODES.get(kind)
        if code is not None:
            return code
    return ErrorCode.UNKNOWN_SERVER_ERROR
