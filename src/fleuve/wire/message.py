"""What every generated message class is made of, and the types of their fields.

The classes are plain classes with `__slots__`: creating 250 dataclasses would cost the broker's start a fifth of
a second. They are mutable and compare by value. Conventions that hold for all of them:

* A field that a version lacks is ignored when that version is written, and has its default when it was read.
* Error codes are ints, times and durations are ints in milliseconds, the null UUID is `ZERO_UUID`.
* A nullable array defaults to None (null), any other array to an empty list. None is written as empty in versions
  that have no null.
* An optional (tagged) structure is None unless it was sent; a default one is not written.
* `bytes` fields of a decoded message are copies; `records` are slices of the buffer that was given, so they
  live as long as it does and change when it does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

Buffer = bytes | bytearray | memoryview
"""Anything that `b"".join` takes."""

ScatteredRecords = bytes | bytearray | memoryview | list[bytes | bytearray | memoryview]
"""Record batches in one buffer, or in several that follow each other."""

ZERO_UUID = UUID(int=0)

_Class = TypeVar("_Class")

if TYPE_CHECKING:

    def new(cls: type[_Class], /) -> _Class:
        """Return an instance without running `__init__`; the caller sets every field."""
        ...
else:
    new = object.__new__


@lru_cache(maxsize=4096)
def uuid_of(raw: bytes) -> UUID:
    """Return the UUID with these 16 bytes. Topic ids recur in every request, and making a UUID takes a microsecond."""
    return UUID(bytes=raw)


class Message:
    """Base of messages and of the structures in them."""

    __slots__: tuple[str, ...] = ()
    __hash__ = None  # type: ignore[assignment]  # mutable

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"
