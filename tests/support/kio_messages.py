"""Messages of kio, the codec's oracle: strategies for them, their bytes, and the same messages in our classes."""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import io
import types
import typing
import uuid
from functools import cache
from typing import Any

from hypothesis import strategies as st
from kio.schema.errors import ErrorCode
from kio.schema.index import schema_name_map
from kio.serial import entity_reader, entity_writer
from kio.static.primitive import i64

from fleuve.wire.message import ZERO_UUID

MS = datetime.timedelta(milliseconds=1)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _ints(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


def _ms(strategy: st.SearchStrategy[int]) -> st.SearchStrategy[datetime.timedelta]:
    return strategy.map(lambda value: datetime.timedelta(milliseconds=value))


_TEXT = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(["topic-a", "x" * 126, "ü" * 100])
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int8": _ints(8),
    "int16": _ints(16),
    "uint16": st.integers(0, 0xFFFF),
    "int32": _ints(32),
    "int64": _ints(64).map(i64),
    "float64": st.floats(allow_nan=False),
    "string": _TEXT,
    "bytes": st.binary(max_size=4) | st.just(b"y" * 200),
    "records": st.binary(max_size=4) | st.just(b"z" * 700),
    "uuid": st.sampled_from([None, uuid.UUID(int=1), uuid.UUID(int=1 << 127)]),
    "error_code": st.sampled_from(sorted(ErrorCode)),
    "timedelta_i32": _ms(_ints(32)),
    "timedelta_i64": _ms(st.integers(-(10**12), 10**12)),
    "datetime_i64": st.none() | st.integers(0, 4 * 10**12).map(lambda value: EPOCH + value * MS),
}


def kio_class(module: str, version: int, side: str) -> Any:
    """Return kio's class of a message in one version."""
    path = f"kio.schema.{module}.v{version}.{side}"
    kio_module = importlib.import_module(path)
    found: list[Any] = [cls for cls in vars(kio_module).values() if getattr(cls, "__module__", "") == path]
    (message,) = (cls for cls in found if cls.__type__.name == side)
    return message


def kio_versions(module: str) -> list[int]:
    """Return the versions that kio has of an API."""
    return sorted(schema_name_map[module])


@cache
def kio_messages(cls: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for instances of one of kio's classes."""
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{field.name: _field(field, hints[field.name]) for field in dataclasses.fields(cls)})


def _field(field: dataclasses.Field[Any], hint: Any) -> st.SearchStrategy[Any]:
    nullable = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(hint) if part is not type(None)]
        nullable = len(inner) < len(typing.get_args(hint))
        (hint,) = inner
    kind = str(field.metadata.get("kafka_type"))
    is_array = typing.get_origin(hint) is tuple
    if is_array:
        hint = typing.get_args(hint)[0]
    strategy = kio_messages(hint) if hasattr(hint, "__dataclass_fields__") else _VALUES[kind]
    if is_array:
        strategy = st.lists(strategy, max_size=2).map(tuple)
    if nullable and (is_array or kind not in ("uuid", "datetime_i64")):
        strategy = st.none() | strategy
    if "tag" in field.metadata and field.default is not dataclasses.MISSING:
        strategy = st.just(field.default) | strategy
    return strategy


def kio_bytes(instance: Any) -> bytes:
    """Return a message as kio writes it."""
    buffer = io.BytesIO()
    entity_writer(type(instance))(buffer, instance)
    return buffer.getvalue()


def kio_parsed(cls: type, raw: bytes) -> Any:
    """Return a message as kio reads it. kio aborts the process on hostile bytes: only for what we wrote."""
    return entity_reader(cls)(raw, 0)[0]


def converted(instance: Any, module: types.ModuleType) -> Any:
    """Return one of kio's messages as one of ours."""
    values = {}
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        kind = str(field.metadata.get("kafka_type"))
        name = field.name + ("_ms" if kind.startswith(("timedelta", "datetime")) else "")
        if dataclasses.is_dataclass(value) and "tag" in field.metadata and value == field.default:
            value = None
        values[name] = _value(value, kind, module)
    return getattr(module, type(instance).__name__)(**values)


def _value(value: Any, kind: str, module: types.ModuleType) -> Any:
    if isinstance(value, tuple):
        return [_value(item, kind, module) for item in value]
    if dataclasses.is_dataclass(value):
        return converted(value, module)
    if value is None and kind == "uuid":
        return ZERO_UUID
    if value is None and kind == "datetime_i64":
        return -1
    if isinstance(value, datetime.timedelta):
        return value // MS
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // MS
    if isinstance(value, ErrorCode):
        return int(value)
    return value
