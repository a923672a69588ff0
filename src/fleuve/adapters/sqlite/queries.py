"""Loads named SQL from `queries/<aggregate>.sql`: blocks that begin with `-- name: x`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)


@cache
def load(aggregate: str) -> dict[str, str]:
    """Return the queries of `aggregate` by name.

    Raises ValueError where a name is given twice.
    """
    text = (files(__package__) / "queries" / f"{aggregate}.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) != len(names):
        raise ValueError(f"queries/{aggregate}.sql: a name is given twice")
    return {name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)}
