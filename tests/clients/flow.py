"""Records that keep coming while a test changes what is around them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Self

from clients.driver import Driver
from clients.groups import Tally
from clients.records import TIMESTAMP_FIRST_MS, Written

# A few hundred records a second: enough for every moment to have some, and little to do.
_PORTION = 20
_PAUSE_S = 0.1


class Flow:
    """Produces numbered records with one producer until it is told to stop. A context manager."""

    def __init__(self, driver: Driver, topic: str, partition_count: int) -> None:
        self._driver = driver
        self._topic = topic
        self._partition_count = partition_count
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flow")
        self._error: BaseException | None = None
        self._sent = 0
        self.offsets: list[int] = []
        """The offsets that were acknowledged, in the order of sending, once it stopped."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def stop(self) -> int:
        """Stop, wait until everything is acknowledged, and return how many records there were."""
        self.__exit__()
        if self._error is not None:
            raise self._error
        assert self.offsets == [number // self._partition_count for number in range(self._sent)]
        return self._sent

    def check(self, tally: Tally) -> None:
        """Fail the test unless those who consumed got exactly what was produced, in order and without a gap."""
        assert tally.failures == []
        assert tally.gaps == []
        found = {
            (partition, offset): value for partition, seen in tally.values.items() for offset, value in seen.items()
        }
        assert found == {
            (number % self._partition_count, number // self._partition_count): b"%d" % number
            for number in range(self._sent)
        }

    def _run(self) -> None:
        try:
            self.offsets = self._driver.produce(self._topic, self._records())
        except BaseException as error:
            self._error = error

    def _records(self) -> Iterator[Written]:
        while not self._stopping.is_set():
            for _ in range(_PORTION):
                number, self._sent = self._sent, self._sent + 1
                yield Written(number % self._partition_count, None, b"%d" % number, (), TIMESTAMP_FIRST_MS)
            self._stopping.wait(_PAUSE_S)
