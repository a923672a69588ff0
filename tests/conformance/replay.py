"""Plays a recorded case against a broker, and compares what it answers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from conformance.comparison import Found, Mismatch, compare
from conformance.messages import answer_fields, bytes_of, codec, request_of
from conformance.recording import Event, Recorded
from conformance.rules import Symbols, sent_request
from conformance.scenario import UNTIL_PAUSE_S, answer_version
from conformance.wire import Address, Wire, split_answer
from fleuve.wire.apis import APIS
from fleuve.wire.errors import DecodeError

ANSWER_TIMEOUT_S = 15.0
SILENCE_S = 0.1
"""How long an answer is waited for that Kafka never gives: a broker that answers later passes, too."""
UNTIL_TRIES = 100
READS = frozenset({"Fetch", "ListOffsets"})

_pause = threading.Event()
_KEYS = {api.name: api.key for api in APIS.values()}
_END = "closed"
_NOTHING = "silent"
_UNREADABLE = "an answer that cannot be decoded"


@dataclass(slots=True)
class _Line:
    """A connection, and the requests on it that wait for answers."""

    wire: Wire
    sent: deque[tuple[Event, int]] = field(default_factory=deque)
    ended: bool = False


class _Over(Exception):
    """An answer did not come: what follows it cannot be compared."""


class Replay:
    """One case on one broker."""

    def __init__(
        self, address: Address, recorded: Recorded, *, before_reading: Callable[[], None] | None = None
    ) -> None:
        """`before_reading` is called before the first request that reads behind one that writes."""
        self._before_reading = before_reading
        self._wrote = False
        self._address = address
        self._recorded = recorded
        self._case = f"{recorded.topic}/{recorded.name}"
        self._symbols = Symbols(address)
        self._lines: dict[str, _Line] = {}
        self.mismatches: list[Mismatch] = []
        self.compared = 0
        """Answers."""

    def run(self) -> Replay:
        """Play all events; return self."""
        try:
            for event in self._recorded.events:
                try:
                    self._play(event)
                except KeyError as unseen:
                    # No answer so far has bound it: what follows cannot be asked.
                    self._mismatch(event, event, "", "the rest of the case", f"{unseen} was never answered")
                    return self
                except _Over:
                    return self
            self._expect_nothing_more()
        finally:
            for line in self._lines.values():
                line.wire.close()
        return self

    def _expect_nothing_more(self) -> None:
        last = self._recorded.events[-1]
        for name, line in self._lines.items():
            if not line.sent and not line.ended and not line.wire.is_silent():
                self._mismatch(last, last._replace(connection=name), "", "nothing more", "more")

    def _play(self, event: Event) -> None:
        if event.kind == "open":
            self._lines[event.connection] = _Line(Wire(self._address, event.content))
            return
        line = self._lines[event.connection]
        match event.kind:
            case ">" | "!" | "?":
                self._send(line, event)
            case ">>":
                line.wire.send_raw(bytes_of(event.content))
                line.sent.append((event, 0))
            case "<" | "closed":
                self._receive(line, event)
            case "silent":
                self._expect_silence(line, event)
            case "waits":
                if not line.wire.is_silent():
                    self._differs(line, event, "", "waits", "answered")
            case "close":
                line.ended = True
                line.wire.close()
            case _:
                raise AssertionError(f"{self._case}: {event}")

    def _send(self, line: _Line, event: Event) -> None:
        if event.api == "Produce":
            self._wrote = True
        elif event.api in READS and self._wrote and self._before_reading is not None:
            self._wrote = False
            self._before_reading()
        key = _KEYS.get(event.api)
        if isinstance(event.content, str):
            body = bytes_of(event.content)
        else:
            request = request_of(event.api, sent_request(event.content, self._symbols))
            body = codec(event.api).encode_request(request, event.version)
        correlation_id = line.wire.send(int(event.api) if key is None else key, event.version, body)
        if event.kind != "!":
            line.sent.append((event, correlation_id))

    def _receive(self, line: _Line, event: Event) -> None:
        try:
            frame = line.wire.receive(ANSWER_TIMEOUT_S)
        except TimeoutError:
            self._differs(line, event, "", event.content or _END, _NOTHING)
            raise _Over from None
        self.compared += 1
        line.ended = frame is None
        if event.kind == _END:
            if frame is not None:
                self._answers_instead(line, event, _END, frame)
            return
        if frame is None:
            self._differs(line, event, "", event.content, _END)
            return
        if isinstance(event.content, str):
            if frame != bytes_of(event.content):
                self._differs(line, event, "", event.content, frame.hex())
            line.sent.popleft()
            return
        asked = line.sent[0][0]
        found, tried = self._compared(line, event, asked, frame)
        for _ in range(UNTIL_TRIES if asked.kind == "?" else 0):
            if not found:
                break
            _pause.wait(UNTIL_PAUSE_S)
            self._send(line, asked)
            found, tried = self._compared(line, event, asked, line.wire.receive(ANSWER_TIMEOUT_S) or b"")
        self._symbols = tried
        for name, kafka, fleuve in found:
            self._mismatch(asked, event, name, kafka, fleuve)

    def _compared(self, line: _Line, event: Event, asked: Event, frame: bytes) -> tuple[list[Found], Symbols]:
        """Return what differs, and the symbols as they are when the answer was believed."""
        tried = self._symbols.copy()
        answer = self._answer(line, frame)
        if not isinstance(answer, dict):
            return [("", event.content, answer)], tried
        return compare(asked.api, event.content, answer, tried, self._recorded.prefix), tried

    def _expect_silence(self, line: _Line, event: Event) -> None:
        try:
            frame = line.wire.receive(SILENCE_S)
        except TimeoutError:
            return
        if frame is None:
            self._differs(line, event, "", _NOTHING, _END)
        else:
            self._answers_instead(line, event, _NOTHING, frame)

    def _answer(self, line: _Line, frame: bytes) -> Any:
        event, expected = line.sent.popleft()
        if event.api not in _KEYS:
            return frame.hex()
        api = codec(event.api)
        try:
            correlation_id, view, at = split_answer(frame, api.KEY, event.version)
            if correlation_id != expected:
                return f"the answer to request {correlation_id} of the connection, not to {expected}"
            return answer_fields(api.decode_response(view, at, answer_version(api, event.version)))
        except (DecodeError, ValueError):
            return _UNREADABLE

    def _answers_instead(self, line: _Line, event: Event, kafka: str, frame: bytes) -> None:
        asked = line.sent[0][0] if line.sent else event
        self._mismatch(asked, event, "", kafka, self._answer(line, frame) if line.sent else frame.hex())

    def _differs(self, line: _Line, event: Event, field_name: str, kafka: Any, fleuve: Any) -> None:
        self._mismatch(line.sent[0][0] if line.sent else event, event, field_name, kafka, fleuve)

    def _mismatch(self, asked: Event, event: Event, field_name: str, kafka: Any, fleuve: Any) -> None:
        found = Mismatch(self._case, event.line, asked.api, asked.version, field_name, kafka, fleuve, asked.content)
        self.mismatches.append(found)
