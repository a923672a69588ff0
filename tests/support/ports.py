"""Ports for those who must name one before it is taken.

The system's own free ports (port 0) are the better choice. One that was asked for and given back may be some
connection's a moment later: a suite beside this one opens thousands. These here are below the range of connections.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST_USUALLY = 32_768
SPAN = 12_000


def quiet_port() -> int:
    """Return a port that nobody has, on no interface, and that no connection is given."""
    lowest = int(RANGE.read_text().split()[0]) if RANGE.exists() else LOWEST_USUALLY
    while True:
        port = random.SystemRandom().randrange(max(1024, lowest - SPAN), lowest)
        try:
            with socket.create_server(("", port)):
                return port
        except OSError:
            continue
