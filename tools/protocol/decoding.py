"""Writing decoders: straight-line code in which neighbouring fixed-size fields are read at once."""

from __future__ import annotations

from protocol.classes import default_value, element_type, snake
from protocol.code import Body, Module, width
from protocol.layout import condition
from protocol.schema import NUMBERS, Field, MessageSchema


class Decoder:
    """Writes the body of one decoder for `versions`, which are all flexible or all not.

    Reading is deferred: `_fixed` collects what has a fixed size, including the length in front of what has not,
    and `_flush` reads it all with one call.
    """

    def __init__(self, schema: MessageSchema, versions: list[int], module: Module) -> None:
        self._schema = schema
        self._versions = versions
        self._module = module
        self._flexible = versions[0] >= schema.flexible
        self._body = Body()
        self._run: list[tuple[str, str]] = []
        self._then: list[str] = []
        # Records stay views of the caller's buffer; without them, bytes are faster to pick apart.
        self._views = any(field.type == "records" for struct in schema.structs.values() for field in struct.fields)

    def write(self, name: str, *, takes_version: bool) -> list[str]:
        """Return the lines of the function."""
        body = self._body
        module = self._module
        if self._views:
            body.add("data = view")
        else:
            body.add("data = bytes(view)")
        budget_line = len(body.lines)
        body.add(f"message = {module.use('fleuve.wire.message', 'new')}({self._schema.root})")
        self._struct("message", self._schema.root)
        self._flush()
        with body.block("if at > len(data):"):
            body.add(f"raise {module.primitive('overrun')}(at, len(data))")
        body.add("return message")
        if any("budget" in line for line in body.lines):
            limit = module.primitive("ELEMENTS_MAX")
            body.lines.insert(budget_line, f"    budget = min(len(data) - at, {limit})")
        version = ""
        if takes_version:
            used = any("version" in line.replace("_version", "") for line in body.lines)
            version = ", version: int" if used else ", _version: int"
        header = f"def {name}(view: memoryview, at: int{version}) -> {self._schema.root}:"
        return [header, *body.lines, ""]

    # Structures and fields

    def _struct(self, target: str, name: str) -> None:
        struct = self._schema.structs[name]
        tagged = [field for field in struct.fields if field.is_tagged and condition(field, self._versions) == ""]
        for field in struct.fields:
            place = f"{target}.{field.name}"
            when = condition(field, self._versions)
            if when is None or field.is_tagged:
                self._body.add(f"{place} = {default_value(field, self._module)}")
            elif when == "":
                self._field(field, place)
            else:
                self._flush()
                self._body.add(f"{place} = {default_value(field, self._module)}")
                with self._body.block(f"if {when}:"):
                    self._field(field, place)
                    self._flush()
        if self._flexible:
            self._tags(target, tagged)

    def _tags(self, target: str, tagged: list[Field]) -> None:
        body = self._body
        self._fixed("B", "tags")
        self._flush()
        with body.block("if tags:"):
            if not tagged:
                body.add(f"at = {self._module.primitive('skip_tags')}(data, at, tags)")
                return
            starts = body.name("starts")
            after = body.name("after")
            body.add(f"{starts}, {after} = {self._module.primitive('read_tags')}(data, at, tags)")
            for field in tagged:
                with body.block(f"if {field.tag} in {starts}:"):
                    body.add(f"at = {starts}[{field.tag}]")
                    self._field(field, f"{target}.{field.name}")
                    self._flush()
            body.add(f"at = {after}")

    def _field(self, field: Field, place: str) -> None:
        nullable = bool(field.nullable & set(self._versions))
        if field.type == "array":
            self._array(field, place, nullable)
        elif field.type == "struct":
            self._nested(field, place, nullable)
        else:
            self._value(field.type, place, nullable)

    def _nested(self, field: Field, place: str, nullable: bool) -> None:
        new = self._module.use("fleuve.wire.message", "new")
        local = self._body.name(snake(field.struct))
        if not nullable or field.is_tagged:
            self._flush()
            self._body.add(f"{place} = {local} = {new}({field.struct})")
            self._struct(local, field.struct)
            return
        self._fixed("b", "present")
        self._flush()
        with self._body.block("if present < 0:"):
            self._body.add(f"{place} = None")
        with self._body.block("else:"):
            self._body.add(f"{place} = {local} = {new}({field.struct})")
            self._struct(local, field.struct)
            self._flush()

    def _value(self, kind: str, place: str, nullable: bool) -> None:
        if kind in NUMBERS:
            self._fixed(NUMBERS[kind], place)
        elif kind == "bool":
            self._fixed("?", place)
        elif kind == "uuid":
            raw = self._body.name("raw")
            self._fixed("16s", raw)
            self._then.append(f"{place} = {self._module.use('fleuve.wire.message', 'uuid_of')}({raw})")
        else:
            self._sized(kind, place, nullable)

    def _sized(self, kind: str, place: str, nullable: bool) -> None:
        body = self._body
        value = "data[at:end]"
        if kind == "string":
            # As Kafka: what is not UTF-8 is replaced; the name that comes of it is judged as any other.
            text = "str(data[at:end], {})" if self._views else "data[at:end].decode({})"
            value = text.format('"utf-8", "replace"')
        elif kind == "bytes" and self._views:
            value = "bytes(data[at:end])"
        elif kind == "records":
            value = "view[at:end]"
        if self._flexible:
            self._fixed("B", "size")
            self._flush()
            longer = self._module.primitive("string_size" if kind == "string" else "compact_size")
            stop = "at + size - 1"
            if nullable:
                null, rest = "size == 0", [("size > 127", f"size, at = {longer}(data, at, size)")]
            else:
                null, rest = "", [("not 0 < size < 128", f"size, at = {longer}(data, at, size)")]
        else:
            self._fixed("h" if kind == "string" else "i", "size")
            self._flush()
            stop = "at + size"
            null, rest = (
                ("size < 0", [])
                if nullable
                else (
                    "",
                    [("size < 0", f"raise {self._module.primitive('null_refused')}()")],
                )
            )
        lines = []
        for header, line in rest:
            lines += [f"if {header}:", f"    {line}"]
        lines += [f"end = {stop}", f"{place} = {value}", "at = end"]
        if not null:
            for line in lines:
                body.add(line)
            return
        with body.block(f"if {null}:"):
            body.add(f"{place} = None")
        with body.block("else:"):
            for line in lines:
                body.add(line)

    # Arrays

    def _array(self, field: Field, place: str, nullable: bool) -> None:
        body = self._body
        if self._flexible:
            self._fixed("B", "count")
            self._flush()
            longer = f"count, at = {self._module.primitive('compact_size')}(data, at, count)"
            if not nullable:
                with body.block("if not 0 < count < 128:"):
                    body.add(longer)
                self._elements(field, place, "count - 1")
                return
            with body.block("if count == 0:"):
                body.add(f"{place} = None")
            with body.block("else:"):
                with body.block("if count > 127:"):
                    body.add(longer)
                self._elements(field, place, "count - 1")
            return
        self._fixed("i", "count")
        self._flush()
        with body.block("if count < 0:"):
            if nullable:
                body.add(f"{place} = None")
            else:
                body.add(f"raise {self._module.primitive('null_refused')}()")
        if not nullable:
            self._elements(field, place, "count")
            return
        with body.block("else:"):
            self._elements(field, place, "count")

    def _elements(self, field: Field, place: str, count: str) -> None:
        body = self._body
        # Every element, and every compact length, takes at least a byte: so all lengths together can be no more.
        body.add("budget -= count")
        with body.block("if budget < 0:"):
            body.add(f"raise {self._module.primitive('too_many')}()")
        if field.element in NUMBERS:
            code = NUMBERS[field.element]
            unpack = self._module.use("struct", "unpack_from")
            body.add(f'{place} = list({unpack}(f">{{{count}}}{code}", data, at))')
            size = width([code])
            total = count if " " not in count else f"({count})"
            body.add(f"at += {count}" if size == 1 else f"at += {size} * {total}")
            return
        items = body.name(field.name)
        annotation = f"list[{element_type(field, self._module)}]"
        body.add(f"{items}: {annotation} = []")
        body.add(f"{place} = {items}")
        with body.block(f"for _ in range({count}):"):
            if field.element == "struct":
                local = body.name(snake(field.struct))
                body.add(f"{local} = {self._module.use('fleuve.wire.message', 'new')}({field.struct})")
                body.add(f"{items}.append({local})")
                self._struct(local, field.struct)
                self._flush()
            else:
                local = body.name(field.name.removesuffix("s") + "_item")
                self._value(field.element, local, False)
                self._flush()
                body.add(f"{items}.append({local})")

    # Fixed-size runs

    def _fixed(self, code: str, target: str) -> None:
        self._run.append((code, target))

    def _flush(self) -> None:
        if not self._run:
            return
        body = self._body
        codes = [code for code, _ in self._run]
        targets = ", ".join(target for _, target in self._run)
        if codes == ["B"]:
            body.add(f"{targets} = data[at]")
        elif codes == ["?"]:
            body.add(f"{targets} = data[at] != 0")
        else:
            comma = "," if len(codes) == 1 else ""
            body.add(f"{targets}{comma} = {self._module.reader(codes)}(data, at)")
        body.add(f"at += {width(codes)}")
        for line in self._then:
            body.add(line)
        self._run = []
        self._then = []
