"""Waiting for what a broker needs a moment for: Apache Kafka answers before its own metadata has caught up."""

from __future__ import annotations

import time
from collections.abc import Callable

from clients.driver import TIMEOUT_S

_LOOK_AGAIN_S = 0.02


def wait_until(condition: Callable[[], bool], what: str = "the condition holds") -> None:
    """Return when `condition` holds; fail the test if that takes too long."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {TIMEOUT_S} s until {what}"
        time.sleep(_LOOK_AGAIN_S)
