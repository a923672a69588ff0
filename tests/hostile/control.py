"""The client that must be served whatever the others do: it writes, reads back, and keeps what was acknowledged.

How long it waited is measured and told, and is nobody's failure unless it is longer than its time-out.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from types import TracebackType
from typing import Self

from support.batches import batch
from support.wire_client import Address, Client

TOPIC = "control"
SMALL_BYTES = 100
LARGE_BYTES = 200_000
"""More than a frame may have that takes no request memory."""
TIMEOUT_S = 30.0
PAUSE_S = 0.01
CONFIGS = {"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": "1048588", "cleanup.policy": "delete"}


class Control:
    """A context manager: while the body runs, a thread goes on producing and fetching."""

    def __init__(self, address: Address, *, large_every: int = 4, timeout_s: float = TIMEOUT_S) -> None:
        """`large_every`: so many requests have one large one among them."""
        self._address = address
        self._large_every = large_every
        self._timeout_s = timeout_s
        self._ending = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control")
        self.acknowledged: list[tuple[int, bytes]] = []
        """Offset and digest of each record."""
        self.small_s: list[float] = []
        self.large_s: list[float] = []
        """What the requests with small and with large records took, with a fetch behind each."""
        self.failure: BaseException | None = None
        with Client(address, timeout_s=TIMEOUT_S) as client:
            if TOPIC not in client.topics():
                client.create_topic(TOPIC, 1, CONFIGS)

    def __enter__(self) -> Self:
        self._thread.start()
        # It is there before those that come to take its place.
        self._begun.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        if kind is None and self.failure is not None:
            raise AssertionError(f"the control client was not served: {self.failure!r}") from self.failure

    def wait_for_large(self, count: int) -> None:
        """Return when so many more large records were written and read. Raises AssertionError."""
        wanted = len(self.large_s) + count
        while len(self.large_s) < wanted:
            self.check()
            self._ending.wait(PAUSE_S)

    def begin_anew(self) -> None:
        """Forget how long it has waited until now."""
        self.small_s.clear()
        self.large_s.clear()

    def check(self) -> None:
        """Fail if the control client has."""
        if self.failure is not None:
            raise AssertionError(f"the control client was not served: {self.failure!r}") from self.failure

    def _run(self) -> None:
        try:
            with Client(self._address, client_id="control", timeout_s=self._timeout_s) as client:
                number = 0
                while not self._ending.is_set():
                    number += 1
                    large = number % self._large_every == 0
                    self._once(client, os.urandom(LARGE_BYTES if large else SMALL_BYTES), large=large)
                    self._begun.set()
                    self._ending.wait(PAUSE_S)
        except BaseException as error:  # whoever waits for the thread raises it
            self.failure = error
        finally:
            self._begun.set()

    def _once(self, client: Client, value: bytes, *, large: bool) -> None:
        begun = time.monotonic()
        offset = client.produce(TOPIC, 0, batch(value))
        self.acknowledged.append((offset, hashlib.sha256(value).digest()))
        records, _ = client.fetch(TOPIC, 0, offset, max_bytes=1)
        (self.large_s if large else self.small_s).append(time.monotonic() - begun)
        assert value in bytes(records), f"what was acknowledged at {offset} is not what is fetched there"

    def look_again(self, address: Address) -> None:
        """Check that all that was acknowledged is there."""
        with Client(address, timeout_s=TIMEOUT_S) as client:
            found = {offset: hashlib.sha256(value).digest() for offset, value in client.read(TOPIC, 0)}
        lost = [offset for offset, digest in self.acknowledged if found.get(offset) != digest]
        assert not lost, f"{len(lost)} of {len(self.acknowledged)} acknowledged records are lost, {lost[:5]} first"

    def summary(self) -> str:
        """Return one line about how it was served."""
        waits = self.small_s + self.large_s
        worst = max(waits, default=0.0)
        return f"the control client was served {len(waits):,} times, at worst in {worst:.2f} s"
