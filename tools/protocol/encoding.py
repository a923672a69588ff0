"""Writing encoders: they collect buffers, and join them once."""

from __future__ import annotations

import uuid

from protocol.classes import snake
from protocol.code import Body, Module
from protocol.layout import condition, suffix
from protocol.schema import NUMBERS, Field, MessageSchema, Struct


class Encoder:
    """Writes one encoder for `versions`, which are all flexible or all not, and agree on their tagged fields.

    Writing is deferred: `_pieces` holds fixed-size values (struct code, expression) and expressions for whole
    buffers (code ""), and `_flush` merges neighbours of the first kind into one `pack`.
    """

    def __init__(
        self,
        schema: MessageSchema,
        versions: list[int],
        module: Module,
        side: str,
        *,
        scattered: bool = False,
    ) -> None:
        self._schema = schema
        self._versions = versions
        self._module = module
        self._side = side
        self._scattered = scattered
        self._flexible = versions[0] >= schema.flexible
        self._body = Body()
        self._pieces: list[tuple[str, str]] = []
        self._functions: list[str] = []

    def write(self, name: str, *, takes_version: bool) -> list[str]:
        """Return the lines of the function, and of those that it calls for its tagged fields."""
        module = self._module
        body = self._body
        buffer = module.use("fleuve.wire.message", "Buffer")
        returned = "bytes"
        body.add(f"parts: list[{buffer}] = []")
        if self._scattered:
            returned = f"list[{buffer}]"
            body.add(f"out: list[{buffer}] = []")
        start = len(body.lines)
        self._struct("message", self._schema.root)
        if self._scattered:
            self._flush()
            with body.block("if parts:"):
                body.add('out.append(b"".join(parts))')
            body.add("return out")
        elif len(body.lines) == start:
            # Nothing of varying length came before: no list is needed.
            pieces = self._merged()
            body.lines.clear()
            if len(pieces) == 1:
                body.add(f"return {pieces[0]}")
            else:
                body.add(f'return b"".join(({", ".join(pieces)}))')
        else:
            self._flush()
            body.add('return b"".join(parts)')
        version = ""
        if takes_version:
            used = any("version" in line.replace("_version", "") for line in body.lines)
            version = ", version: int" if used else ", _version: int"
        argument = "message" if any("message." in line for line in body.lines) else "_message"
        header = f"def {name}({argument}: {self._schema.root}{version}) -> {returned}:"
        return [*self._functions, header, *body.lines, ""]

    # Structures and fields

    def _struct(self, source: str, name: str) -> None:
        struct = self._schema.structs[name]
        for field in struct.fields:
            when = condition(field, self._versions)
            if when is None or field.is_tagged:
                continue
            if when == "":
                self._field(field, f"{source}.{field.name}")
                continue
            self._flush()
            with self._body.block(f"if {when}:"):
                self._field(field, f"{source}.{field.name}")
                self._flush()
        if self._flexible:
            self._tags(source, struct)

    def _tags(self, source: str, struct: Struct) -> None:
        tagged = [field for field in struct.fields if field.is_tagged and condition(field, self._versions) == ""]
        if not tagged:
            self._pieces.append(("x", ""))
            return
        absent = " and ".join(_is_default(field, f"{source}.{field.name}") for field in tagged)
        function = f"_{self._side}_{snake(struct.name)}_tags_{suffix(self._versions)}"
        self._pieces.append(("", f'(b"\\x00" if {absent} else {function}({source}))'))
        self._functions += self._tag_function(function, struct, tagged)

    def _tag_function(self, function: str, struct: Struct, tagged: list[Field]) -> list[str]:
        """Return a function that writes the tagged fields of `struct` that don't have their defaults."""
        outer_body, outer_pieces, outer_scattered = self._body, self._pieces, self._scattered
        self._body, self._pieces, self._scattered = Body(), [], False
        body = self._body
        local = body.name(snake(struct.name))
        body.add("fields: list[tuple[int, bytes]] = []")
        buffer = self._module.use("fleuve.wire.message", "Buffer")
        for field in sorted(tagged, key=lambda field: field.tag or 0):
            place = f"{local}.{field.name}"
            test = f"if {_is_set(field, place)}:"
            if field.type == "struct":
                test = f"if {place} is not None and {place} != {field.struct}():"
            with body.block(test):
                start = len(body.lines)
                self._field(field, place)
                if len(body.lines) == start:
                    pieces = self._merged()
                    value = pieces[0] if len(pieces) == 1 else f'b"".join(({", ".join(pieces)}))'
                else:
                    body.lines.insert(start, "    " * body.depth + f"parts: list[{buffer}] = []")
                    self._flush()
                    value = 'b"".join(parts)'
                body.add(f"fields.append(({field.tag}, {value}))")
        body.add(f"return {self._module.primitive('tag_section')}(fields)")
        lines = [f"def {function}({local}: {struct.name}) -> bytes:"]
        annotated = any("parts: list" in line for line in body.lines)
        if annotated:
            seen = False
            for index, line in enumerate(body.lines):
                if "parts: list" in line:
                    if seen:
                        body.lines[index] = line.split("parts:")[0] + "parts = []"
                    seen = True
        lines += [*body.lines, "", ""]
        self._body, self._pieces, self._scattered = outer_body, outer_pieces, outer_scattered
        return lines

    def _field(self, field: Field, place: str) -> None:
        nullable = bool(field.nullable & set(self._versions))
        if field.type == "array":
            self._array(field, place, nullable)
        elif field.type == "struct":
            self._nested(field, place, nullable)
        elif field.type == "records":
            self._records(place, nullable)
        else:
            if field.nullable and not nullable:
                place += ' or ""' if field.type == "string" else ' or b""'
            self._value(field.type, place, nullable)

    def _nested(self, field: Field, place: str, nullable: bool) -> None:
        if not nullable or field.is_tagged:
            local = self._body.name(snake(field.struct))
            self._body.add(f"{local} = {place}")
            self._struct(local, field.struct)
            return
        local = self._body.name(snake(field.struct))
        self._flush()
        self._body.add(f"{local} = {place}")
        with self._body.block(f"if {local} is None:"):
            self._body.add('parts.append(b"\\xff")')
        with self._body.block("else:"):
            self._pieces.append(("b", "1"))
            self._struct(local, field.struct)
            self._flush()

    def _value(self, kind: str, place: str, nullable: bool) -> None:
        if kind in NUMBERS:
            self._pieces.append((NUMBERS[kind], place))
        elif kind == "bool":
            self._pieces.append(("?", place))
        elif kind == "uuid":
            self._pieces.append(("16s", f"{place}.bytes"))
        else:
            function = {
                ("string", False): "string",
                ("string", True): "nullable_string",
                ("bytes", False): "sized_bytes",
                ("bytes", True): "nullable_sized_bytes",
            }[kind, nullable]
            if self._flexible:
                function = "compact_" + function.replace("sized_", "")
            self._pieces.append(("", f"{self._module.primitive(function)}({place})"))

    def _records(self, place: str, nullable: bool) -> None:
        body = self._body
        local = body.name("records")
        self._flush()
        body.add(f"{local} = {place}")
        null = 'b"\\x00"' if self._flexible else self._module.primitive("NULL_BYTES")
        size = f"{self._module.primitive('records_size')}({local})" if self._scattered else f"len({local})"
        with body.block(f"if {local} is None:"):
            body.add(f"parts.append({null})" if nullable else 'raise ValueError("records are null")')
        with body.block("else:"):
            if self._flexible:
                body.add(f"parts.append({self._module.primitive('uvarint')}({size} + 1))")
            else:
                body.add(f"parts.append({self._module.writer(['i'])}({size}))")
            if self._scattered:
                body.add(f"{self._module.primitive('put_records')}(out, parts, {local})")
            else:
                body.add(f"parts.append({local})")

    # Arrays

    def _array(self, field: Field, place: str, nullable: bool) -> None:
        body = self._body
        if field.nullable and not nullable:
            place += " or []"
        if field.element in NUMBERS and not nullable:
            self._numbers(field, place)
            return
        items = body.name(field.name)
        if nullable:
            self._flush()
        body.add(f"{items} = {place}")
        if not nullable:
            self._elements(field, items)
            return
        with body.block(f"if {items} is None:"):
            null = 'b"\\x00"' if self._flexible else self._module.primitive("NULL_BYTES")
            body.add(f"parts.append({null})")
        with body.block("else:"):
            if field.element in NUMBERS:
                self._numbers(field, items)
            else:
                self._elements(field, items)
            self._flush()

    def _numbers(self, field: Field, place: str) -> None:
        prefix = "compact_" if self._flexible else ""
        if field.element == "int32":
            call = f"{self._module.primitive(prefix + 'int32s')}({place})"
        else:
            call = f'{self._module.primitive(prefix + "numbers")}("{NUMBERS[field.element]}", {place})'
        self._pieces.append(("", call))

    def _elements(self, field: Field, items: str) -> None:
        body = self._body
        if self._flexible:
            size = body.name(f"{items}_size")
            body.add(f"{size} = len({items}) + 1")
            table, function = self._module.primitive("UVARINT"), self._module.primitive("uvarint")
            self._pieces.append(("", f"({table}[{size}] if {size} < 128 else {function}({size}))"))
        else:
            self._pieces.append(("i", f"len({items})"))
        self._flush()
        local = body.name(snake(field.struct) if field.element == "struct" else field.name.removesuffix("s") + "_item")
        with body.block(f"for {local} in {items}:"):
            if field.element == "struct":
                self._struct(local, field.struct)
            else:
                self._value(field.element, local, False)
            self._flush()

    # Pieces

    def _merged(self) -> list[str]:
        out: list[str] = []
        run: list[tuple[str, str]] = []
        for code, expression in [*self._pieces, ("", "")]:
            if code:
                run.append((code, expression))
                continue
            if run:
                out.append(self._packed(run))
                run = []
            if expression:
                out.append(expression)
        self._pieces = []
        return out

    def _packed(self, run: list[tuple[str, str]]) -> str:
        codes = [code for code, _ in run]
        if set(codes) == {"x"}:
            return 'b"' + "\\x00" * len(codes) + '"'
        if codes == ["16s"]:
            return run[0][1]
        values = ", ".join(expression for code, expression in run if code != "x")
        return f"{self._module.writer(codes)}({values})"

    def _flush(self) -> None:
        pieces = self._merged()
        if len(pieces) == 1:
            self._body.add(f"parts.append({pieces[0]})")
        elif pieces:
            self._body.add(f"parts += ({', '.join(pieces)})")


def _is_default(field: Field, place: str) -> str:
    if field.type == "array":
        return f"{place} is None" if field.nullable else f"not {place}"
    if field.type == "struct" or field.default is None:
        return f"{place} is None"
    if isinstance(field.default, bool):
        return place if field.default else f"not {place}"
    if isinstance(field.default, uuid.UUID):
        return f"not {place}.int"
    value = repr(field.default).replace("'", '"')
    return f"{place} == {value}"


def _is_set(field: Field, place: str) -> str:
    """Return the negation of `_is_default`."""
    absent = _is_default(field, place)
    if absent.startswith("not "):
        return absent.removeprefix("not ")
    if absent == place:
        return f"not {place}"
    return absent.replace(" is None", " is not None").replace(" == ", " != ")
