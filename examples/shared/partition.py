"""One partition's model and its place in the log: what makes a processor go on where it was.

The guarantee, and what it stands on:

1. A model is a pure function of the events before: it asks no clock and no chance. So the state after offset n, and
   every result up to there, is the same whoever computes it, and whenever.
2. A snapshot has state, next offset and number of results in ONE record: they cannot disagree, whatever is killed.
3. A snapshot is written after the results before it were acknowledged. So no result is lost; after a crash the events
   behind the last snapshot are worked on again and their results are written again, with the same numbers.
4. Results are numbered 1, 2, 3 … in each partition, without gaps. A reader that drops what is not greater than the
   last number it took has each result exactly once (`Repeats`).

A processor that was replaced and does not know it yet does no harm: what it writes is what its successor writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from examples.shared.options import Refused

E_contra = TypeVar("E_contra", contravariant=True)
E = TypeVar("E")
FORMAT = 1


class Model(Protocol[E_contra]):
    """What is known after a partition's events so far."""

    def apply(self, event: E_contra) -> list[tuple[str, dict[str, Any]]]:
        """Take the next event; return the results that it leads to: keys and values."""
        ...

    def state(self) -> dict[str, Any]:
        """Return all there is to know, for JSON; the model made of it goes on as this one would."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A record of the state topic."""

    model: str
    partition: int
    next_offset: int
    results: int
    unreadable: int
    state: dict[str, Any]

    def encode(self) -> bytes:
        """Return the record's value."""
        document = {
            "format": FORMAT,
            "model": self.model,
            "partition": self.partition,
            "next_offset": self.next_offset,
            "results": self.results,
            "unreadable": self.unreadable,
            "state": self.state,
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, value: bytes, model: str) -> Snapshot:
        """Read a record's value; raise Refused if it is none, or of another model or version."""
        try:
            document = json.loads(value)
            if document.pop("format") == FORMAT and document["model"] == model:
                return cls(**document)
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise Refused("the state topic has records of another example or version: take another --prefix")


def newest(values: Iterable[bytes], model: str) -> Snapshot | None:
    """Return the snapshot that is furthest, or None. Any would be right; this one has the least left to do."""
    return max((Snapshot.decode(each, model) for each in values), key=lambda each: each.next_offset, default=None)


class Partition(Generic[E]):
    """A partition that this processor works on."""

    def __init__(
        self,
        number: int,
        read: Callable[[bytes], E],
        make: Callable[[dict[str, Any] | None], Model[E]],
        snapshot: Snapshot | None = None,
    ) -> None:
        """Go on at `snapshot`, or at the beginning. `read` raises ValueError for what is no event."""
        self.number = number
        self.model = make(None if snapshot is None else snapshot.state)
        self.next_offset = 0 if snapshot is None else snapshot.next_offset
        self.results = 0 if snapshot is None else snapshot.results
        self.unreadable = 0 if snapshot is None else snapshot.unreadable
        self.taken = 0  # Events since the last snapshot.
        self._read = read

    def begin(self, first_offset: int, end_offset: int, topic: str) -> int:
        """Start in a log that has `first_offset` to `end_offset`; return how many events are missing before it."""
        if self.next_offset > end_offset:
            raise Refused(
                f"the state is for offset {self.next_offset} of {topic}, partition {self.number}, which ends at "
                f"{end_offset}: it was made anew; delete the state and results with it, or take another --prefix"
            )
        missing = max(0, first_offset - self.next_offset)
        self.next_offset += missing
        return missing

    def take(self, offset: int, value: bytes | None) -> list[tuple[str, bytes]]:
        """Take the record at `offset`; return the results to write, keys and values. What was taken before is not."""
        if offset < self.next_offset:
            return []
        self.next_offset = offset + 1
        self.taken += 1
        try:
            event = self._read(value or b"")
        except (ValueError, KeyError, TypeError):
            # Somebody else's record must not stop the stream; it is counted, and the next one is looked at.
            self.unreadable += 1
            return []
        return [(key, self._numbered(result)) for key, result in self.model.apply(event)]

    def _numbered(self, result: dict[str, Any]) -> bytes:
        self.results += 1
        return json.dumps({"partition": self.number, "sequence": self.results, **result}).encode()

    def snapshot(self) -> Snapshot:
        """Return where the partition is now."""
        self.taken = 0
        return Snapshot(
            model=type(self.model).__name__,
            partition=self.number,
            next_offset=self.next_offset,
            results=self.results,
            unreadable=self.unreadable,
            state=self.model.state(),
        )


class Repeats:
    """The reader's side: which results of a partition were seen before."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def is_new(self, result: dict[str, Any]) -> bool:
        """Return whether a result is to be used; of each number the first is."""
        partition, sequence = result["partition"], result["sequence"]
        if sequence <= self._last.get(partition, 0):
            return False
        self._last[partition] = sequence
        return True
