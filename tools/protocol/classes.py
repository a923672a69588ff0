"""Writing the classes of messages and structures."""

from __future__ import annotations

import re
import uuid

from protocol.code import Module
from protocol.layout import label
from protocol.schema import NUMBERS, Field, MessageSchema, Struct


def snake(name: str) -> str:
    """Return a class's name as a variable's."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def element_type(field: Field, module: Module) -> str:
    """Return the Python type of an array's elements, or of a field that is no array."""
    kind = field.element if field.type == "array" else field.type
    if kind == "struct":
        return field.struct
    if kind in NUMBERS:
        return "float" if kind == "float64" else "int"
    if kind == "uuid":
        return module.use("uuid", "UUID")
    if kind == "records":
        return module.use("fleuve.wire.message", "Buffer")
    return {"string": "str"}.get(kind, kind)


def python_type(field: Field, module: Module, *, scattered: bool = False) -> str:
    """Return the annotation of a field."""
    if field.type == "records" and scattered:
        name = module.use("fleuve.wire.message", "ScatteredRecords")
    else:
        name = element_type(field, module)
    if field.type == "array":
        name = f"list[{name}]"
    if field.nullable or (field.type == "struct" and field.is_tagged):
        name += " | None"
    return name


def default_value(field: Field, module: Module) -> str:
    """Return the expression for a field's default in a message of a version that lacks it."""
    if field.type == "array":
        return "None" if field.nullable else "[]"
    if field.type == "struct":
        return "None" if field.nullable or field.is_tagged else f"{field.struct}()"
    if isinstance(field.default, uuid.UUID):
        return module.use("fleuve.wire.message", "ZERO_UUID")
    return repr(field.default).replace("'", '"')


def write_class(
    struct: Struct, schema: MessageSchema, side: str, api: str, module: Module, *, scattered: bool
) -> list[str]:
    """Return the lines of one class."""
    module.use("fleuve.wire.message", "Message")
    if struct.name == schema.root:
        what = f"{api} {side}, {label(schema.versions)}."
    else:
        what = f"`{struct.used_by}`."
    lines = [f"class {struct.name}(Message):", f'    """{what}"""', ""]
    names = ", ".join(f'"{field.name}"' for field in struct.fields)
    lines.append(f"    __slots__ = ({names}{',' if len(struct.fields) == 1 else ''})")
    if not struct.fields:
        return [*lines, ""]
    lines += ["", "    def __init__(", "        self,", "        *,"]
    body: list[str] = []
    for field in struct.fields:
        type_ = python_type(field, module, scattered=scattered)
        default = default_value(field, module)
        if default.endswith(("[]", "()")):
            body.append(f"        self.{field.name} = {default} if {field.name} is None else {field.name}")
            if not type_.endswith("| None"):
                type_ += " | None"
            default = "None"
        else:
            body.append(f"        self.{field.name} = {field.name}")
        note = ""
        if field.versions != set(schema.versions):
            versions = sorted(field.versions)
            note = f"v{versions[0]}+" if versions[-1] == schema.versions[-1] else label(versions)
        if field.is_tagged:
            note = f"{note}, tag {field.tag}".lstrip(", ")
        lines.append(f"        {field.name}: {type_} = {default}," + (f"  # {note}" if note else ""))
    lines += ["    ) -> None:", *body, ""]
    return lines
