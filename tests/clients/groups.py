"""A consumer group at work: members in threads, and what they saw, in one place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Self

from clients.driver import TIMEOUT_S, Consumer
from clients.records import Delivered

_LOOK_AGAIN_S = 0.05


class Tally:
    """What the members of a group were delivered, by partition. Members share it."""

    def __init__(self) -> None:
        self.values: dict[int, dict[int, bytes | None]] = {}
        self.gaps: list[str] = []
        self.failures: list[BaseException] = []
        self._changed = threading.Condition()

    @property
    def count(self) -> int:
        """How many different records were delivered."""
        with self._changed:
            return sum(len(offsets) for offsets in self.values.values())

    def deliver(self, member: str, records: Iterable[Delivered]) -> None:
        """Note what a member got. A record beyond the next one that nobody had is a gap: progress was lost."""
        with self._changed:
            for record in records:
                seen = self.values.setdefault(record.partition, {})
                if record.offset > len(seen):
                    self.gaps.append(f"{member}: partition {record.partition} goes from {len(seen)} to {record.offset}")
                seen[record.offset] = record.value
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Note that a member died."""
        with self._changed:
            self.failures.append(error)
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Return when `condition` holds; fail the test when a member died or it takes too long."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            if self.failures:
                raise self.failures[0]
            assert time.monotonic() < deadline, f"waited {TIMEOUT_S} s until {what}"
            with self._changed:
                self._changed.wait(_LOOK_AGAIN_S)


class Member:
    """A consumer that polls and commits in its own thread until it is told to leave. A context manager."""

    def __init__(self, name: str, tally: Tally, make: Callable[[], Consumer]) -> None:
        self.name = name
        self._tally = tally
        self._make = make
        self._consumer: Consumer | None = None
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    @property
    def assignments(self) -> list[frozenset[int]]:
        """What the group had the member hold, one after the other, the newest last.

        A cooperative rebalance that moves nothing of the member's, which its client may or may not tell, is no change.
        """
        told = [] if self._consumer is None else list(self._consumer.assignments)
        return [held for index, held in enumerate(told) if index == 0 or held != told[index - 1]]

    @property
    def held(self) -> frozenset[int]:
        """The partitions that the member holds now."""
        return self.assignments[-1] if self.assignments else frozenset()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the consumer and wait for it."""
        self._leaving.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._consumer = consumer = self._make()
            try:
                consumer.subscribe()
                while not self._leaving.is_set():
                    if records := consumer.poll():
                        self._tally.deliver(self.name, records)
                        consumer.commit()
            finally:
                consumer.close()
        except BaseException as error:
            self._tally.fail(error)


def share(members: Iterable[Member], partition_count: int) -> bool:
    """Return whether the members hold all partitions between them, each at least one and none twice."""
    held = [member.held for member in members]
    return all(held) and sorted(partition for each in held for partition in each) == list(range(partition_count))
