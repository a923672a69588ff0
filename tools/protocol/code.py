"""Writing Python: indented lines, names that are not taken, and the precompiled structs a module uses."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager


class Module:
    """What the functions of one generated module share: imports and precompiled structs."""

    def __init__(self) -> None:
        self.imports: set[tuple[str, str]] = set()
        self._structs: dict[str, str] = {}
        self.lines: list[str] = []

    def use(self, module: str, name: str) -> str:
        """Import `name` and return it."""
        self.imports.add((module, name))
        return name

    def primitive(self, name: str) -> str:
        """Import a function from `wire.primitives`."""
        return self.use("fleuve.wire.primitives", name)

    def reader(self, codes: list[str]) -> str:
        """Return the name of `unpack_from` for these codes."""
        return self._struct("read", codes, "unpack_from")

    def writer(self, codes: list[str]) -> str:
        """Return the name of `pack` for these codes."""
        return self._struct("write", codes, "pack")

    def _struct(self, verb: str, codes: list[str], method: str) -> str:
        self.use("struct", "Struct")
        words = {"B": "n", "x": "x", "?": "f", "16s": "u", "b": "b", "H": "w", "I": "l", "d": "d"}
        name = f"_{verb}_" + "".join(words.get(code, code) for code in codes)
        self._structs[name] = f'{name} = Struct(">{"".join(codes)}").{method}'
        return name

    def constants(self) -> list[str]:
        """Return the definitions of the structs."""
        return [self._structs[name] for name in sorted(self._structs)]


class Body:
    """The body of a function being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 1
        self._taken: set[str] = {
            "data", "at", "end", "size", "count", "budget", "version", "view", "message", "parts", "out", "new",
            "tags", "type", "id", "filter", "input", "range", "len", "list", "bytes", "str", "uuid_of",
        }  # fmt: skip

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def name(self, wish: str) -> str:
        """Return a local name that nothing else in this function has."""
        name = wish
        number = 2
        while name in self._taken:
            name = f"{wish}_{number}"
            number += 1
        self._taken.add(name)
        return name

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Write an indented block; one that stays empty vanishes."""
        self.add(header)
        before = len(self.lines)
        self.depth += 1
        yield
        self.depth -= 1
        if len(self.lines) == before:
            self.lines.pop()


def width(codes: list[str]) -> int:
    """Return the size in bytes of these struct codes."""
    return struct.calcsize(">" + "".join(codes))
