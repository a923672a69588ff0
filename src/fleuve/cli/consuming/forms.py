"""How records are printed: as text, as a hex dump for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Message

from fleuve.cli.client.moments import shown_moment
from fleuve.cli.consuming.headers import headers_of
from fleuve.cli.output.json_lines import encoded, line
from fleuve.cli.output.terminal import harmless, harmless_text, painted

Form = Callable[[Iterable[Message]], bytes]
"""Returns what is to be written for some records."""

_TIMESTAMP_TYPES = {TIMESTAMP_CREATE_TIME: "CreateTime", TIMESTAMP_LOG_APPEND_TIME: "LogAppendTime"}
_STYLES = {"key": "36", "headers": "33", "timestamp": "32", "topic": "35", "partition": "34", "offset": "34"}
_NULL_STYLE = "2"
_HEX_WIDTH = 16


def json_form(messages: Iterable[Message]) -> bytes:
    """Return one JSON object a line, which `fleuve produce --input json` takes back."""
    return "".join(f"{_json(message)}\n" for message in messages).encode()


def _json(message: Message) -> str:
    kind, timestamp_ms = message.timestamp()
    return line(
        {
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": timestamp_ms if kind in _TIMESTAMP_TYPES else None,
            "timestamp_type": _TIMESTAMP_TYPES.get(kind),
            "key": encoded(message.key()),
            "value": encoded(message.value()),
            "headers": [{"name": name, "value": encoded(value)} for name, value in headers_of(message)],
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextForm:
    """Fields of a record with separators between them: bytes as they are, or harmless ones for a terminal."""

    fields: Sequence[str]
    separator: bytes
    delimiter: bytes
    null_marker: bytes
    for_terminal: bool
    coloured: bool

    def __call__(self, messages: Iterable[Message]) -> bytes:
        """Return the text of some records."""
        if tuple(self.fields) == ("value",) and not self.for_terminal:
            null, end = self.null_marker, self.delimiter
            return b"".join([(null if (value := message.value()) is None else value) + end for message in messages])
        return b"".join(self._record(message) for message in messages)

    def _record(self, message: Message) -> bytes:
        return self.separator.join(self._field(name, message) for name in self.fields) + self.delimiter

    def _field(self, name: str, message: Message) -> bytes:
        data = self._data(name, message)
        shown = self.null_marker if data is None else data
        if not self.for_terminal:
            return shown
        text = harmless(shown)
        style = _NULL_STYLE if data is None else _STYLES.get(name)
        return (painted(text, style) if style and self.coloured else text).encode()

    def _data(self, name: str, message: Message) -> bytes | None:
        match name:
            case "value":
                return message.value()
            case "key":
                return message.key()
            case "headers":
                return b",".join(
                    name.encode() + b"=" + (self.null_marker if value is None else value)
                    for name, value in headers_of(message)
                )
            case "timestamp":
                kind, timestamp_ms = message.timestamp()
                return shown_moment(timestamp_ms).encode() if kind in _TIMESTAMP_TYPES else None
            case _:
                return str(getattr(message, name)()).encode()


TEXT_FIELDS = ("topic", "partition", "offset", "timestamp", "key", "headers", "value")


@dataclass(frozen=True, slots=True)
class HexForm:
    """For each record a line that says where it is, and dumps of key, headers and value: offset, bytes, ASCII."""

    coloured: bool

    def __call__(self, messages: Iterable[Message]) -> bytes:
        """Return the dumps of some records."""
        return "".join(f"{text}\n" for message in messages for text in self._lines(message)).encode()

    def _lines(self, message: Message) -> Iterable[str]:
        kind, timestamp_ms = message.timestamp()
        when = shown_moment(timestamp_ms) if kind in _TIMESTAMP_TYPES else "no timestamp"
        topic = harmless_text(str(message.topic()))
        yield self._painted(f"{topic} [{message.partition()}] offset {message.offset()}  {when}", "1")
        yield from self._part("key", message.key())
        for name, value in headers_of(message):
            yield from self._part(f"header {harmless(name.encode())}", value)
        yield from self._part("value", message.value())
        yield ""

    def _part(self, name: str, data: bytes | None) -> Iterable[str]:
        if data is None:
            yield f"{self._painted(name, '36')}  {self._painted('null', _NULL_STYLE)}"
            return
        yield f"{self._painted(name, '36')}  {len(data):,} byte{'' if len(data) == 1 else 's'}"
        for at in range(0, len(data), _HEX_WIDTH):
            row = data[at : at + _HEX_WIDTH]
            digits = f"{row[:8].hex(' '):23}  {row[8:].hex(' '):23}"
            ascii_ = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
            yield f"  {self._painted(f'{at:08x}', _NULL_STYLE)}  {digits}  |{ascii_}|"

    def _painted(self, text: str, style: str) -> str:
        return painted(text, style) if self.coloured else text
