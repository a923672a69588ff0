"""What a client did wrong, said in one line and not too often.

A broken client tries again and again; the log must survive it. In each window of time a few lines pass, the others
are counted, and the next line that passes tells how many were left out.
"""

from __future__ import annotations

from fleuve.base.log import Logger

WINDOW_S = 10.0
LINES_MAX = 10
"""Lines in one window."""


class Complaints:
    """Rate-limited warnings about clients."""

    __slots__ = ("_left_out", "_lines", "_logger", "_window_end")

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._window_end = float("-inf")
        self._lines = 0
        self._left_out = 0

    def complain(self, event: str, *, now: float, address: str, client_id: str | None, reason: str) -> None:
        """Write one line, or count it if there were too many lately. `now` is the event loop's time."""
        if now >= self._window_end:
            self._window_end = now + WINDOW_S
            self._lines = 0
        if self._lines >= LINES_MAX:
            self._left_out += 1
            return
        self._lines += 1
        fields: dict[str, object] = {"address": address, "client_id": client_id, "reason": reason}
        if self._left_out:
            fields["left_out"] = self._left_out
            self._left_out = 0
        self._logger.warning(event, **fields)
