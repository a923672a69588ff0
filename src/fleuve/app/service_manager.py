"""Tells the service manager that started the process how it is: systemd's notification protocol (sd_notify)."""

from __future__ import annotations

import contextlib
import socket
import sys

READY = "READY=1"
STOPPING = "STOPPING=1"


def notify(address: str, state: str) -> None:
    """Send `state` to the socket that the manager named; nothing if it named none.

    What fails is nobody's business: the manager then goes by the time that it gives a start.
    """
    if not address or sys.platform == "win32":
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # A name of Linux that is no file.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        # A manager that does not read must not hold up the broker.
        manager.settimeout(0)
        manager.sendto(state.encode(), address)
