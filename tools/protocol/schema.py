"""The protocol's schema, as read from kio: one merged picture of all versions of a message.

kio has one dataclass per structure and version. Here a structure is one, and each field knows the versions that
have it, the versions in which it may be null, and its tag. What the fields are for is not read: only facts.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import re
import types
import typing
import uuid
from typing import Any

from kio.schema.index import schema_name_map

# kio type → (our type, whether kio took the suffix "Ms" off the schema's name).
KIO_TYPES = {
    "error_code": ("int16", False),
    "timedelta_i32": ("int32", True),
    "timedelta_i64": ("int64", True),
    "datetime_i64": ("int64", True),
}
NUMBERS = {
    "int8": "b",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "float64": "d",
}


@dataclasses.dataclass
class Field:
    """One field. `type` is a number's type, bool, string, bytes, records, uuid, struct or array."""

    name: str
    type: str
    element: str = ""
    """Type of an array's elements."""
    struct: str = ""
    """Name of the structure, if it is one or an array of them."""
    versions: set[int] = dataclasses.field(default_factory=set)
    nullable: set[int] = dataclasses.field(default_factory=set)
    tag: int | None = None
    default: object = None

    @property
    def is_tagged(self) -> bool:
        return self.tag is not None


@dataclasses.dataclass
class Struct:
    """A structure with the fields of all versions, in their order on the wire."""

    name: str
    fields: list[Field] = dataclasses.field(default_factory=list)
    used_by: str = ""
    """Where it stands, as `Parent.field`; empty for a message."""


@dataclasses.dataclass
class MessageSchema:
    """A request or a response of one API."""

    root: str
    versions: list[int]
    flexible: int
    structs: dict[str, Struct]
    """By name, innermost first, the message itself last."""


@dataclasses.dataclass
class Api:
    """One API: both messages."""

    module: str
    name: str
    key: int
    request: MessageSchema
    response: MessageSchema


def load(module: str) -> Api:
    """Read an API by kio's name for it, which is the name of our module as well."""
    versions = sorted(schema_name_map[module])
    request, key = _load_message(module, versions, "request")
    response, _ = _load_message(module, versions, "response")
    return Api(module, request.root.removesuffix("Request"), key, request, response)


def _load_message(module: str, versions: list[int], side: str) -> tuple[MessageSchema, int]:
    structs: dict[str, Struct] = {}
    flexible = versions[-1] + 1
    root: Any = None
    # Newest first: names and types of today win.
    for version in reversed(versions):
        kio_module = importlib.import_module(f"kio.schema.{module}.v{version}.{side}")
        for name, cls in _classes(kio_module):
            _merge(structs.setdefault(name, Struct(name)), cls, version)
            if cls.__type__.name != side:
                continue
            root = cls
            if cls.__flexible__:
                flexible = version
    ordered: dict[str, Struct] = {}
    _order(root.__name__, structs, ordered)
    return MessageSchema(root.__name__, versions, flexible, ordered), int(root.__api_key__)


def _classes(kio_module: types.ModuleType) -> list[tuple[str, Any]]:
    return [
        (name, cls)
        for name, cls in vars(kio_module).items()
        if dataclasses.is_dataclass(cls) and getattr(cls, "__module__", "") == kio_module.__name__
    ]


def _order(name: str, structs: dict[str, Struct], ordered: dict[str, Struct]) -> None:
    for field in structs[name].fields:
        if field.struct and field.struct not in ordered:
            structs[field.struct].used_by = f"{name}.{field.name}"
            _order(field.struct, structs, ordered)
    ordered[name] = structs[name]


def _merge(struct: Struct, cls: Any, version: int) -> None:
    hints = typing.get_type_hints(cls)
    known = {field.name: field for field in struct.fields}
    after = -1
    for kio_field in dataclasses.fields(cls):
        field, nullable = _field(kio_field, hints[kio_field.name])
        if field.name in known:
            old = known[field.name]
            same = (old.type, old.element, old.struct, old.tag) == (
                field.type,
                field.element,
                field.struct,
                field.tag,
            )
            if not same:
                raise ValueError(f"{struct.name}.{field.name} changes at version {version}: {old} {field}")
            field = old
        else:
            # A field that only old versions have stands behind the one it follows there.
            struct.fields.insert(after + 1, field)
        after = struct.fields.index(field)
        field.versions.add(version)
        if nullable:
            field.nullable.add(version)


def _field(kio_field: dataclasses.Field[object], hint: Any) -> tuple[Field, bool]:
    kio_type = kio_field.metadata.get("kafka_type")
    type_, is_ms = KIO_TYPES.get(str(kio_type), (kio_type, False))
    nullable = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(hint) if part is not type(None)]
        nullable = len(inner) < len(typing.get_args(hint))
        (hint,) = inner
    name = kio_field.name + ("_ms" if is_ms else "")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"strange field name {name}")
    field = Field(name, str(type_), tag=kio_field.metadata.get("tag"))
    if typing.get_origin(hint) is tuple:
        element = typing.get_args(hint)[0]
        field.type = "array"
        if hasattr(element, "__dataclass_fields__"):
            field.element = "struct"
            field.struct = element.__name__
        else:
            field.element = str(type_)
    elif hasattr(hint, "__dataclass_fields__"):
        field.type = "struct"
        field.struct = hint.__name__
    if field.type == "uuid" or kio_type == "datetime_i64":
        nullable = False  # kio's None is the null UUID, or timestamp -1: both have a value on the wire.
    field.default = _default(kio_field, field, str(kio_type), nullable)
    return field, nullable


def _default(kio_field: dataclasses.Field[object], field: Field, kio_type: str, nullable: bool) -> object:
    value = kio_field.default
    if field.type in ("array", "struct"):
        return None
    if value is dataclasses.MISSING or (value is None and not nullable):
        if field.type == "records":
            return None
        if kio_type == "datetime_i64" and value is None:
            return -1
        return {"string": "", "bytes": b"", "uuid": uuid.UUID(int=0), "bool": False, "float64": 0.0}.get(field.type, 0)
    if isinstance(value, datetime.timedelta):
        return int(value / datetime.timedelta(milliseconds=1))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes):
        return bytes(value)
    raise ValueError(f"default of {field.name}: {value!r}")
