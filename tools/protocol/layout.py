"""Which versions of a message look alike on the wire, so that they can share one function."""

from __future__ import annotations

from itertools import groupby

from protocol.schema import Field, MessageSchema


def same_layout(schema: MessageSchema) -> list[list[int]]:
    """Return runs of versions that are byte for byte alike."""
    return _runs(schema, lambda version: _signature(schema, schema.root, version, tags_only=False))


def same_tags(schema: MessageSchema) -> list[list[int]]:
    """Return runs of versions that are all flexible or all not, and agree on tagged and on nullable fields."""
    return _runs(schema, lambda version: _signature(schema, schema.root, version, tags_only=True))


def _runs(schema: MessageSchema, signature: object) -> list[list[int]]:
    assert callable(signature)
    return [list(versions) for _, versions in groupby(schema.versions, lambda v: (v >= schema.flexible, signature(v)))]


def _signature(schema: MessageSchema, name: str, version: int, *, tags_only: bool) -> tuple[object, ...]:
    out: list[object] = []
    for field in schema.structs[name].fields:
        if version not in field.versions:
            continue
        inner = _signature(schema, field.struct, version, tags_only=tags_only) if field.struct else ()
        varies = bool(field.nullable) and field.nullable != field.versions
        if field.is_tagged or inner or varies or not tags_only:
            out.append((field.name, varies and version in field.nullable, inner))
    return tuple(out)


def condition(field: Field, versions: list[int]) -> str | None:
    """Return the Python condition on `version` under which the field exists; "" if always, None if never."""
    present = sorted(field.versions & set(versions))
    if not present:
        return None
    if present == versions:
        return ""
    if present != list(range(present[0], present[-1] + 1)):
        raise ValueError(f"{field.name} has holes in its versions")
    if present[-1] == versions[-1]:
        return f"version >= {present[0]}"
    if present[0] == versions[0]:
        return f"version <= {present[-1]}"
    return f"{present[0]} <= version <= {present[-1]}"


def label(versions: list[int]) -> str:
    """Return the versions as people write them: `v3`, `v3-8`."""
    return f"v{versions[0]}" if len(versions) == 1 else f"v{versions[0]}-{versions[-1]}"


def suffix(versions: list[int]) -> str:
    """Return the versions as part of a function's name: `v3`, `v3_to_v8`."""
    return f"v{versions[0]}" if len(versions) == 1 else f"v{versions[0]}_to_v{versions[-1]}"
