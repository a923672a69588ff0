"""Many connections, one for each input: what does the broker do to it? It answers or closes, and must do either."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import islice

from support.wire_client import Address

AT_ONCE = 100
TIMEOUT_S = 30.0
LAST_ID = 7
"""Correlation id of the last request of each input: its answer is waited for."""
_LAST_ID = struct.pack(">i", LAST_ID)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Outcome(Enum):
    """What became of an input."""

    ANSWERED = "answered"
    CLOSED = "closed"
    NEITHER = "neither answered nor closed"


class Stranger:
    """One connection, and the input that it sends."""

    def __init__(self, address: Address, data: bytes) -> None:
        self.socket = socket.create_connection(address, timeout=TIMEOUT_S)
        # A closed connection shall not keep its port for a minute: there are tens of thousands.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.socket.setblocking(False)
        self._unsent = memoryview(data)
        self._received = bytearray()
        self.answers: list[bytes] = []
        self.outcome: Outcome | None = None

    @property
    def events(self) -> int:
        """What it waits for."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)

    def go_on(self) -> None:
        """Send and receive what can be."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = memoryview(b"")
        try:
            while chunk := self.socket.recv(1 << 16):
                self._received += chunk
                self._take()
                if self.outcome is not None:
                    return
            self.outcome = Outcome.CLOSED
        except BlockingIOError:
            return
        except OSError:
            self.outcome = Outcome.CLOSED

    def _take(self) -> None:
        while len(self._received) >= 4:
            stop = 4 + int.from_bytes(self._received[:4], "big")
            if len(self._received) < stop:
                return
            self.answers.append(bytes(self._received[4:stop]))
            del self._received[:stop]
            if self.answers[-1][:4] == _LAST_ID:
                self.outcome = Outcome.ANSWERED


def send_each(address: Address, inputs: Iterable[bytes], *, timeout_s: float = TIMEOUT_S) -> list[Stranger]:
    """Send each input over a connection of its own; return them in order, when each was answered or closed."""
    strangers: list[Stranger] = []
    waiting = iter(inputs)
    while group := [Stranger(address, data) for data in islice(waiting, AT_ONCE)]:
        _serve(group, timeout_s)
        strangers += group
    return strangers


def _serve(group: Sequence[Stranger], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        for stranger in group:
            selector.register(stranger.socket, stranger.events, stranger)
        while selector.get_map() and (left_s := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                stranger = key.data
                stranger.go_on()
                if stranger.outcome is not None:
                    selector.unregister(stranger.socket)
                    stranger.socket.close()
                elif key.events != stranger.events:
                    selector.modify(stranger.socket, stranger.events, stranger)
        for stranger in group:
            if stranger.outcome is None:
                stranger.outcome = Outcome.NEITHER
                stranger.socket.close()
