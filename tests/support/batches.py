"""Batches for tests: made with the code under test's own builder, which has its own tests against other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleuve.records.record import Record, build_batch

NOW_MS = 1_700_000_000_000


def records(*values: bytes | None, key: bytes | None = None) -> list[Record]:
    """Return one record for each value, numbered from 0, all at the base timestamp."""
    return [Record(index, 0, key, value) for index, value in enumerate(values)]


def batch(*values: bytes | None, key: bytes | None = None, **options: Any) -> bytearray:
    """Return a batch with one record for each value; options are `build_batch`'s."""
    return built(records(*values, key=key), **options)


def built(contents: Sequence[Record], **options: Any) -> bytearray:
    """Return a batch of these records, in a buffer that can be patched."""
    options.setdefault("base_timestamp", NOW_MS)
    return bytearray(build_batch(contents, **options))
