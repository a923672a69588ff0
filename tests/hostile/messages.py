"""Writes requests as their schema has them, and lies in some places if it is told to.

The schema is kio's: a class for each structure and version. Where a value stands is known, so a request can be sound
up to one length, one count, one number. What a name or an id has to be for the broker to look further, `World` knows.
"""

from __future__ import annotations

import dataclasses
import importlib
import struct
import types
import typing
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from fleuve.kafka.api import Api
from fleuve.wire.apis import APIS
from fleuve.wire.primitives import uvarint
from hostile.damage import damaged_batch
from hostile.strangers import LAST_ID
from hostile.world import World
from support.batches import batch
from support.kio_messages import kio_class

NUMBERS = {
    "int8": "b",
    "int16": "h",
    "uint16": "H",
    "error_code": "h",
    "int32": "i",
    "timedelta_i32": "i",
    "int64": "q",
    "timedelta_i64": "q",
    "datetime_i64": "q",
}
SERVED: dict[str, Api] = {
    module: importlib.import_module(f"fleuve.kafka.handlers.{module}").API
    for module in (api.module for api in APIS.values())
}
"""Every API that is served, by the name of its modules."""


def versions(module: str) -> range:
    """Return the versions of an API that are served."""
    api = SERVED[module]
    return range(api.version_min if api.served_min is None else api.served_min, api.version_max + 1)


CASES = [(module, version) for module in SERVED for version in versions(module)]

_LONG = 40_000
"""More than a string may have."""
_ODD_TEXTS = (b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\0b", b"\xc0\xaf", b"../..", b"*", b" ")
_OVERLONG_VARINTS = (
    b"\x80\x80\x80\x80\x80\x01",
    b"\xff\xff\xff\xff\xff\xff\x7f",
    b"\x80\x80\x00",
    b"\xff\xff\xff\xff\x0f",
)


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a structure, as far as its bytes go."""

    owner: str
    """The structure that has it."""
    name: str
    kind: str
    """Kafka's type; empty for a structure."""
    fields: tuple[Field, ...]
    """Those of the structure."""
    is_array: bool
    nullable: bool
    tag: int | None


@cache
def fields_of(module: str, version: int) -> tuple[Field, ...]:
    """Return the fields of a request."""
    return _fields(kio_class(module, version, "request"))


@cache
def _fields(cls: Any) -> tuple[Field, ...]:
    hints: dict[str, Any] = typing.get_type_hints(cls)
    return tuple(_field(cls.__name__, field, hints[field.name]) for field in dataclasses.fields(cls))


def _field(owner: str, field: dataclasses.Field[Any], hint: Any) -> Field:
    nullable = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
        nullable = True
    is_array = typing.get_origin(hint) is tuple
    if is_array:
        hint = typing.get_args(hint)[0]
    inner: tuple[Field, ...] = _fields(hint) if hasattr(hint, "__dataclass_fields__") else ()
    kind = "" if inner else str(field.metadata["kafka_type"])
    return Field(owner, field.name, kind, inner, is_array, nullable, field.metadata.get("tag"))


def flexible(module: str, version: int) -> bool:
    """Return whether the request has compact lengths and tagged fields."""
    return bool(kio_class(module, version, "request").__flexible__)


class Writer:
    """Writes one request. `lies` is the chance of a lie at each place where there can be one."""

    def __init__(self, chance: Random, world: World, *, compact: bool, lies: float = 0.0) -> None:
        self._chance = chance
        self._world = world
        self._compact = compact
        self._lies = lies
        self._is_large = False

    def message(self, fields: tuple[Field, ...]) -> bytes:
        """Return a structure."""
        parts = [self._value(field) for field in fields if field.tag is None]
        if self._compact:
            parts.append(self._tags([field for field in fields if field.tag is not None]))
        return b"".join(parts)

    def _lie(self) -> bool:
        return self._lies > 0 and self._chance.random() < self._lies

    def _value(self, field: Field) -> bytes:
        if field.is_array:
            return self._array(field)
        return self._single(field)

    def _single(self, field: Field) -> bytes:
        chance = self._chance
        if field.fields:
            if not field.nullable:
                return self.message(field.fields)
            return b"\xff" if chance.random() < 0.5 else b"\x01" + self.message(field.fields)
        match field.kind:
            case "bool":
                return bytes((chance.randrange(256) if self._lie() else chance.randrange(2),))
            case "float64":
                return struct.pack(">d", chance.choice((0.0, -1.0, 1e308, float("nan"), float("inf"))))
            case "uuid":
                return self._world.topic_id(field.owner, chance, odd=self._lie()).bytes
            case "string":
                return self._string(field)
            case "bytes" | "records":
                return self._bytes(field)
        return self._number(field)

    def _number(self, field: Field) -> bytes:
        code = NUMBERS[field.kind]
        size = struct.calcsize(code)
        if self._lie():
            bits = self._chance.choice((0, 1, 0x7F, 0x80, 0xFF, 1 << size * 8 - 1, (1 << size * 8 - 1) - 1, -1, -2))
            return (bits & (1 << size * 8) - 1).to_bytes(size, "big")
        return struct.pack(">" + code, self._world.number(field.name, field.kind, self._chance))

    def _string(self, field: Field) -> bytes:
        chance = self._chance
        if field.nullable and chance.random() < 0.3:
            return self._length(None, "h")
        text = self._world.text(field.owner, field.name, chance).encode()
        if self._lie():
            text = chance.choice((*_ODD_TEXTS, b"", b"x" * 300, "ü".encode() * 16_000, b"y" * _LONG))
        return self._length(len(text), "h") + text

    def _bytes(self, field: Field) -> bytes:
        chance = self._chance
        if field.nullable and chance.random() < 0.1:
            return self._length(None, "i")
        if field.kind == "records":
            content = bytes(batch(b"sound") if not self._lie() else damaged_batch(chance))
        else:
            content = chance.choice((b"", b"abc", bytes(1000)))
        return self._length(len(content), "i") + content

    def _array(self, field: Field) -> bytes:
        chance = self._chance
        if field.nullable and chance.random() < 0.2:
            return self._length(None, "i")
        count, element = chance.choice((0, 1, 1, 1, 2, 3)), dataclasses.replace(field, is_array=False, nullable=False)
        if not self._is_large and self._lie():
            # Very many of one and the same, once.
            self._is_large = True
            count = chance.choice((0, 10, 100)) if field.fields else chance.choice((1000, 5000))
            return self._length(count, "i") + self._single(element) * count
        return self._length(count, "i") + b"".join(self._single(element) for _ in range(count))

    def _length(self, length: int | None, code: str) -> bytes:
        if self._lie():
            return self._wrong_length(length or 0, code)
        if self._compact:
            return b"\0" if length is None else uvarint(length + 1)
        if code == "h" and length is not None and length > 0x7FFF:
            length = 0x7FFF
        return struct.pack(">" + code, -1 if length is None else length)

    def _wrong_length(self, length: int, code: str) -> bytes:
        chance = self._chance
        if self._compact and chance.random() < 0.3:
            return chance.choice(_OVERLONG_VARINTS)
        wrong = chance.choice(
            (-2, -1, 0, length + 1, length - 1, length * 2, 0x7FFF, 1 << 20, (1 << 31) - 1, -(1 << 31))
        )
        if self._compact:
            return uvarint(min(wrong + 1, (1 << 31) - 1)) if wrong >= -1 else b"\0"
        bits = 8 * struct.calcsize(code)
        return (wrong & (1 << bits) - 1).to_bytes(bits // 8, "big")

    def _tags(self, fields: list[Field]) -> bytes:
        chance = self._chance
        chosen = [field for field in fields if chance.random() < 0.5]
        sections = [(field.tag or 0, self._value(field)) for field in sorted(chosen, key=lambda field: field.tag or 0)]
        count = len(sections)
        if self._lie():
            odd: list[Callable[[], None]] = [
                lambda: sections.append((chance.randrange(1 << 31), bytes(chance.randrange(300)))),
                lambda: sections.extend(list(sections)),
                lambda: sections.extend((tag, b"") for tag in range(200)),
                lambda: sections.append((0, b"\x01\x00\x00" * 50)),
            ]
            chance.choice(odd)()
            count = len(sections)
        parts = [uvarint(count)]
        if self._lie():
            parts = [chance.choice((*_OVERLONG_VARINTS, uvarint(count + 1), uvarint((1 << 31) - 1)))]
        for tag, value in sections:
            size = uvarint(len(value))
            if self._lie():
                size = chance.choice((*_OVERLONG_VARINTS, uvarint(len(value) + 1), uvarint(max(0, len(value) - 1))))
            parts += (uvarint(tag), size, value)
        return b"".join(parts)


def request(
    module: str, version: int, chance: Random, world: World, *, lies: float = 0.0, correlation_id: int = LAST_ID
) -> bytes:
    """Return a request with its header, without the size in front."""
    compact = flexible(module, version)
    head = struct.pack(">hhih", SERVED[module].key, version, correlation_id, 6) + b"fuzzer"
    if compact:
        head += b"\0"
    return head + Writer(chance, world, compact=compact, lies=lies).message(fields_of(module, version))


def framed(content: bytes) -> bytes:
    """Return a frame of these bytes."""
    return struct.pack(">i", len(content)) + content
