"""Messages as JSON and back: what a recording says of a request or an answer.

A field with its default value is left out, so that a line shows what matters. UUIDs are text as `str` has it. Bytes are
hexadecimal digits, long runs of one byte shortened: `61*900000`. Records are bytes in a request, since a wrong batch
must arrive as wrong as it was sent; in an answer they are a list of batches, decoded as far as brokers may differ in
how they store them (compressed anew, cut off at a limit).
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from crc32c import crc32c

from fleuve.base.errors import FleuveError
from fleuve.records.batch import HEADER_SIZE_BYTES, MAGIC, read_header
from fleuve.records.record import payload_of
from fleuve.wire.apis import APIS
from fleuve.wire.message import Message

Json = Any
PAYLOAD_BYTES_MAX = 1 << 26
PRODUCER_ID = slice(43, 51)
CRC = slice(17, 21)
CRC_COVERS_FROM = 21

_KEYS = {api.name: api.key for api in APIS.values()}
_RUN = re.compile(rb"(.)\1{15,}", re.DOTALL)


@cache
def codec(api: str) -> Any:
    """Return the codec of an API, by its name."""
    return import_module(f"fleuve.wire.generated.{APIS[_KEYS[api]].module}")


def api_name(codec: Any) -> str:
    """Return the name of a codec's API."""
    return APIS[codec.KEY].name


def request_class(api: str) -> type[Message]:
    """Return the class of an API's requests."""
    found: type[Message] = getattr(codec(api), f"{api}Request")
    return found


# ------------------------------------------------------------ messages to JSON


def fields_of(message: Message) -> dict[str, Json]:
    """Return a message as JSON, without what has its default."""
    default = type(message)()
    fields = {}
    for name in message.__slots__:
        value = getattr(message, name)
        if name == "records":
            batches = batches_of(b"".join(value)) if isinstance(value, list) else value
            fields[name] = batches if batches is None or isinstance(batches, list) else bytes_text(bytes(batches))
        elif value != getattr(default, name):
            fields[name] = _plain(value)
    return fields


def _plain(value: Any) -> Json:
    match value:
        case Message():
            return fields_of(value)
        case list():
            return [_plain(element) for element in value]
        case UUID():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return bytes_text(bytes(value))
        case _:
            return value


def answer_fields(message: Message) -> dict[str, Json]:
    """Return an answer as JSON, its records decoded."""
    _decode_records(message)
    return fields_of(message)


def _decode_records(message: Message) -> None:
    for name in message.__slots__:
        value = getattr(message, name)
        if name == "records" and value is not None:
            message.records = [value]  # type: ignore[attr-defined]
        elif isinstance(value, list):
            for element in value:
                if isinstance(element, Message):
                    _decode_records(element)


def batches_of(records: bytes) -> list[Json]:
    """Return the batches in an answer; what is cut off at the end is the batch `{"cut": true}`."""
    batches: list[Json] = []
    at = 0
    while at < len(records):
        try:
            header = read_header(records, at)
            batch = records[at : at + header.size_bytes]
            payload = payload_of(batch, header, size_bytes_max=PAYLOAD_BYTES_MAX)
        except FleuveError:
            batches.append({"cut": True})
            break
        sound = crc32c(batch[CRC_COVERS_FROM:]) == int.from_bytes(batch[CRC])
        fields = header._asdict()
        del fields["size_bytes"]
        if header.producer_id == -1:
            del fields["producer_id"], fields["producer_epoch"], fields["base_sequence"]
        batches.append({**fields, "payload": bytes_text(bytes(payload)), **({} if sound else {"crc": "wrong"})})
        at += header.size_bytes
    return batches


# ------------------------------------------------------------ JSON to messages


def request_of(api: str, fields: dict[str, Json]) -> Message:
    """Return the request that a recording describes."""
    message = _built(request_class(api), fields)
    assert isinstance(message, Message)
    return message


def _built(kind: Any, value: Json) -> Any:
    if value is None:
        return None
    if get_origin(kind) in {Union, UnionType}:
        kinds = [option for option in get_args(kind) if option is not type(None)]
        return _built(bytes if bytes in kinds else kinds[0], value)
    if get_origin(kind) is list:
        return [_built(get_args(kind)[0], element) for element in value]
    if kind is UUID:
        return UUID(value)
    if kind is bytes:
        return bytes_of(value)
    if isinstance(kind, type) and issubclass(kind, Message):
        hints = _hints(kind)  # type: ignore[arg-type]
        return kind(**{name: _built(hints[name], field) for name, field in value.items()})
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind.__init__)  # type: ignore[misc]


# ------------------------------------------------------------ bytes


def bytes_text(raw: bytes) -> str:
    """Return bytes as text."""
    parts, at = [], 0
    for run in _RUN.finditer(raw):
        if run.start() > at:
            parts.append(raw[at : run.start()].hex())
        parts.append(f"{run[1].hex()}*{run.end() - run.start()}")
        at = run.end()
    if at < len(raw):
        parts.append(raw[at:].hex())
    return " ".join(parts)


def bytes_of(text: str) -> bytes:
    """Return the bytes that `bytes_text` wrote."""
    parts = []
    for part in text.split():
        digits, _, count = part.partition("*")
        parts.append(bytes.fromhex(digits) * int(count or 1))
    return b"".join(parts)


def has_producer(raw: bytes) -> bool:
    """Return whether this is a batch with a producer id."""
    return len(raw) >= HEADER_SIZE_BYTES and raw[16] == MAGIC and raw[PRODUCER_ID] != b"\xff" * 8


def producer_of(raw: bytes) -> int:
    """Return the producer id in a batch."""
    return int.from_bytes(raw[PRODUCER_ID], signed=True)


def has_right_crc(raw: bytes) -> bool:
    """Return whether the batch's checksum is right."""
    return crc32c(raw[CRC_COVERS_FROM:]) == int.from_bytes(raw[CRC])


def with_producer(raw: bytes, producer_id: int, *, right_crc: bool) -> bytes:
    """Return the batch with another producer id."""
    batch = bytearray(raw)
    batch[PRODUCER_ID] = producer_id.to_bytes(8, signed=True)
    if right_crc:
        batch[CRC] = crc32c(batch[CRC_COVERS_FROM:]).to_bytes(4)
    return bytes(batch)
