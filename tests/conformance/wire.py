"""A connection that says exactly what happened to it: an answer, its end, or nothing."""

from __future__ import annotations

import select
import socket

from fleuve.wire.header import RequestHeader, decode_response_header, encode_request_header, response_is_flexible

Address = tuple[str, int]


class Wire:
    """One connection to a broker; correlation ids count from 1."""

    def __init__(self, address: Address, client_id: str | None) -> None:
        self._socket = socket.create_connection(address, timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client_id = client_id
        self._correlation_id = 0
        self._received = bytearray()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def send(self, api_key: int, version: int, body: bytes) -> int:
        """Send a request; return its correlation id."""
        self._correlation_id += 1
        header = RequestHeader(
            api_key=api_key, api_version=version, correlation_id=self._correlation_id, client_id=self._client_id
        )
        frame = encode_request_header(header) + body
        self.send_raw(len(frame).to_bytes(4) + frame)
        return self._correlation_id

    def send_raw(self, raw: bytes) -> None:
        """Send bytes as they are."""
        try:
            self._socket.sendall(raw)
        except OSError:
            # The broker may have had enough before it had everything: the answer will say so.
            return

    def receive(self, timeout_s: float) -> bytes | None:
        """Return the next frame, or None if the connection has ended. Raises TimeoutError."""
        self._socket.settimeout(timeout_s)
        try:
            size = self._exactly(4)
            return size and self._exactly(int.from_bytes(size))
        except ConnectionError:
            return None

    def _exactly(self, size: int) -> bytes | None:
        while len(self._received) < size:
            chunk = self._socket.recv(1 << 18)
            if not chunk:
                return None
            self._received += chunk
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def is_silent(self) -> bool:
        """Return whether nothing has come."""
        return not self._received and not select.select([self._socket], [], [], 0)[0]


def split_answer(frame: bytes, api_key: int, version: int) -> tuple[int, memoryview, int]:
    """Return an answer's correlation id, its bytes, and where in them the body begins."""
    view = memoryview(frame)
    correlation_id, at = decode_response_header(view, response_is_flexible(api_key, version))
    return correlation_id, view, at
