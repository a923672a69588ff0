"""What the scenarios ask of any client: a thin, blocking form of its own producer and consumer.

A driver adds nothing to its client and leaves its settings as they come, except for those that a scenario names.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from clients.records import Delivered, Written

TIMEOUT_S = 60.0
"""For one operation of a client: long, since reaching it fails the test."""

RUNTIME = "Python {}.{}".format(*platform.python_version_tuple())


class Consumer(Protocol):
    """One consumer of one topic; used by one thread."""

    assignments: list[frozenset[int]]
    """The partitions held after each change that the group brought, the newest last."""

    def subscribe(self) -> None:
        """Join the group."""
        ...

    def assign(self, partitions: Sequence[int], *, offset: int | None = None) -> None:
        """Read these partitions, without a group, from `offset` or else from their start."""
        ...

    def poll(self, timeout_s: float = 0.2) -> list[Delivered]:
        """Return what there is, after `timeout_s` at the latest."""
        ...

    def commit(self) -> bool:
        """Commit what `poll` returned; False if the group moved on and this member has to join again."""
        ...

    def committed(self, partition: int) -> int | None:
        """Return the group's committed offset."""
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Go on reading at `offset`."""
        ...

    def offset_for_time(self, partition: int, timestamp_ms: int) -> int | None:
        """Return the first offset at `timestamp_ms` or later, None if there is none."""
        ...

    def close(self) -> None:
        """Leave the group and disconnect."""
        ...


class Client(Protocol):
    """What the table of clients says of one."""

    @property
    def name(self) -> str:
        """What its users call it."""
        ...

    @property
    def version(self) -> str:
        """The client's own version."""
        ...

    @property
    def runtime(self) -> str:
        """What it runs on: the language, or the library that does the work, with its version."""
        ...

    @property
    def lacks(self) -> Mapping[str, str]:
        """What the client cannot do by itself: one of `clients.shortcomings`, and why, or what was done instead."""
        ...


class Driver(Client, Protocol):
    """One client at work."""

    @property
    def bootstrap(self) -> str:
        """The broker's address."""
        ...

    @property
    def codecs(self) -> Sequence[str]:
        """Every compression the client has, `none` among them."""
        ...

    def create_topic(self, topic: str, partition_count: int) -> None:
        """Create a topic with the client's own admin."""
        ...

    def produce(
        self, topic: str, records: Iterable[Written], *, codec: str = "none", settings: Mapping[str, Any] | None = None
    ) -> list[int]:
        """Produce in order with one producer, not waiting in between; return the offsets acknowledged."""
        ...

    def auto_create(self) -> Mapping[str, Any]:
        """Return the settings that make a producer bring a topic into being by sending to it."""
        ...

    def idempotent(self) -> Mapping[str, Any]:
        """Return the settings that make a producer idempotent, and patient while a broker starts again."""
        ...

    def consumer(self, topic: str, *, group: str | None = None, settings: Mapping[str, Any] | None = None) -> Consumer:
        """Return a consumer that starts at the beginning where nothing is committed, and commits when it is told."""
        ...

    def automatic(self) -> Mapping[str, Any]:
        """Return the settings that make a consumer commit by itself, as it does by default."""
        ...

    def static(self, instance: str) -> Mapping[str, Any]:
        """Return the settings that make a consumer a static member."""
        ...

    def close(self) -> None:
        """Let go of what the driver itself holds."""
        ...
