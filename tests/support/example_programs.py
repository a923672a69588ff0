"""The programs in `examples/`: what is pure in them, and how they are run as their users run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from examples.recommendations.events import day_of_clicks
from examples.recommendations.events import read as read_click
from examples.recommendations.recommender import Recommender
from examples.shared.partition import Model, Partition
from examples.spam.detector import Detector
from examples.spam.events import day_of_interactions
from examples.spam.events import read as read_interaction
from examples.taxis.demand import Demand
from examples.taxis.events import day_of_taxis
from examples.taxis.events import read as read_taxi

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 30.0
_LOOK_AGAIN_S = 0.005


@dataclass(frozen=True)
class Example:
    """One of them."""

    name: str
    results: str
    day: Callable[[int, int], Iterator[Any]]
    read: Callable[[bytes], Any]
    model: type[Model[Any]]
    count: int  # Events after which something has happened.

    def partition(self, snapshot: Any = None) -> Partition[Any]:
        """Return the pure half of a processor."""
        return Partition(0, self.read, self.model, snapshot)

    def __str__(self) -> str:
        """Return the name, for the tests' names."""
        return self.name


EXAMPLES = (
    Example("recommendations", "offers", day_of_clicks, read_click, Recommender, 700),
    Example("taxis", "surge", day_of_taxis, read_taxi, Demand, 3500),
    Example("spam", "verdicts", day_of_interactions, read_interaction, Detector, 1500),
)


@cache
def first_events(example: Example, seed: int = 1) -> tuple[bytes, ...]:
    """Return how a world begins, as the values of one partition."""
    return tuple(event.encode() for event in islice(example.day(seed, 0), example.count))


def results_of(example: Example, values: Iterable[bytes], number: int = 0) -> tuple[list[bytes], dict[str, Any]]:
    """Return what an undisturbed processor makes of a partition: all results, and the state at the end."""
    partition: Partition[Any] = Partition(number, example.read, example.model)
    results = [result for offset, value in enumerate(values) for _, result in partition.take(offset, value)]
    return results, partition.model.state()


class Program:
    """An example in its own process, with its output in a file; its lines go elsewhere where `lines_to` says so."""

    def __init__(
        self, example: Example, bootstrap: str, output: Path, *arguments: str, lines_to: int | None = None
    ) -> None:
        self._output = output
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"examples.{example.name}", *arguments],
                cwd=ROOT,
                env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=file if lines_to is None else lines_to,
                stderr=file,
            )

    @property
    def said(self) -> str:
        """What it wrote so far."""
        return self._output.read_text()

    def kill_when(self, condition: Callable[[], bool]) -> None:
        """End it with SIGKILL when a condition holds."""
        try:
            self.signal_when(signal.SIGKILL, condition)
        finally:
            self._process.kill()
            self._process.wait()

    def signal_when(self, number: signal.Signals, condition: Callable[[], bool]) -> None:
        """Send it a signal when a condition holds."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            assert self._process.poll() is None, f"it ended too early:\n{self.said}"
            assert time.monotonic() < deadline, f"waited {TIMEOUT_S} s for it:\n{self.said}"
            time.sleep(_LOOK_AGAIN_S)
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait until it ends by itself; return its exit code and what it wrote."""
        try:
            return self._process.wait(TIMEOUT_S), self.said
        finally:
            self._process.kill()
            self._process.wait()


class Topics:
    """A look into topics."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "look", "enable.auto.commit": False, "fetch.wait.max.ms": 10}
        )

    def close(self) -> None:
        """End it."""
        self._consumer.close()

    def count(self, topic: str) -> int:
        """Return how many records a topic has been given, 0 if it is not there."""
        known = self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        ends = [
            self._consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=TIMEOUT_S, cached=False)
            for each in known
        ]
        return sum(end for _, end in ends)

    def values(self, topic: str) -> dict[int, list[bytes]]:
        """Return the values in each partition."""
        known = self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        values: dict[int, list[bytes]] = {}
        for number in known:
            place = TopicPartition(topic, number)
            begin, end = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S, cached=False)
            self._consumer.assign([TopicPartition(topic, number, begin)])
            values[number] = []
            while len(values[number]) < end - begin:
                for message in self._consumer.consume(min(1000, end - begin - len(values[number])), timeout=TIMEOUT_S):
                    assert message.error() is None, message.error()
                    values[number].append(message.value() or b"")
        return values
