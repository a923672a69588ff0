"""What the clients write and read back: records of every shape, and one form for what any client delivers."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable
from random import Random
from typing import NamedTuple

from clients.shortcomings import EMPTY_RECORDS, NULL_HEADER_VALUES

LARGE_SIZE_BYTES = 900_000
# Young enough to survive retention, and an hour is more than the records of any test take up.
TIMESTAMP_FIRST_MS = int(time.time() * 1000) - 3_600_000

Headers = tuple[tuple[str, bytes | None], ...]


class Written(NamedTuple):
    """A record as a producer hands it to its client."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


class Delivered(NamedTuple):
    """A record as a consumer got it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    @property
    def written(self) -> Written:
        """The record without its place."""
        return Written(self.partition, self.key, self.value, self.headers, self.timestamp_ms)


def of_every_shape(partition_count: int, lacks: Container[str] = ()) -> list[Written]:
    """Return records with and without keys, values and headers, small and large, in every partition.

    A client that lacks a shape is spared it.
    """
    random = Random(43)
    headers: Headers = (("trace", b"\x00\xff"), ("trace", b"again"), ("größe", b""))
    if NULL_HEADER_VALUES not in lacks:
        headers += (("null", None),)
    shapes: list[tuple[bytes | None, bytes | None, Headers]] = [
        (b"key", b"value", ()),
        (None, b"no key", ()),
        (b"no value", None, ()),
        (b"empty value", b"", headers),
        (b"headers", b"value", headers),
        (None, random.randbytes(LARGE_SIZE_BYTES), ()),
        (b"compressible", b"fleuve " * (LARGE_SIZE_BYTES // 7), headers),
        (random.randbytes(1_000), random.randbytes(10_000), ()),
    ]
    if EMPTY_RECORDS not in lacks:
        shapes.append((None, None, ()))
    shapes += [(b"k%d" % index, b"v%d" % index, ()) for index in range(100)]
    return [
        Written(partition, key, value, headers, TIMESTAMP_FIRST_MS + index * 1_000 + partition)
        for index, (key, value, headers) in enumerate(shapes)
        for partition in range(partition_count)
    ]


def without_empty_values(record: Written) -> Written:
    """Return the record as a client delivers it that tells no empty value from null."""
    headers = tuple((name, value or None) for name, value in record.headers)
    return record._replace(key=record.key or None, value=record.value or None, headers=headers)


def numbered(count: int, partition_count: int, *, start: int = 0) -> list[Written]:
    """Return small records, spread over the partitions, their number as the value, a second apart."""
    return [
        Written(number % partition_count, None, b"%d" % number, (), TIMESTAMP_FIRST_MS + number * 1_000)
        for number in range(start, start + count)
    ]


def by_partition(records: Iterable[Written]) -> dict[int, list[Written]]:
    """Return the records of each partition, in order."""
    result: dict[int, list[Written]] = {}
    for record in records:
        result.setdefault(record.partition, []).append(record)
    return result
