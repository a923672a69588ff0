"""A producer that accounts for every record: delivered, failed (and which failed first), or still on its way.

The client's queue is bounded; when it is full, `send` waits. Only failures call back, with the place of the record
that each callback was made for: who is not among them when the queue is empty was delivered.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from fleuve.cli.client.watching import Watch
from fleuve.cli.interruption import Interruption
from fleuve.cli.output.messages import tell
from fleuve.cli.producing.records import PARTITION_AUTO, TIMESTAMP_NOW, Record

_PATIENCE_S = 0.1
GRACE_S = 10.0
"""How long records that were read are tried after Ctrl-C."""

Place = tuple[int, int]
"""Where a record came from: the index of its source, and its number there."""


class Sender:
    """Sends records to one topic."""

    def __init__(self, producer: Producer, topic: str, *, watch: Watch, stop: Interruption) -> None:
        self._producer = producer
        self._topic = topic
        self._watch = watch
        self._stop = stop
        self.accepted = 0
        """Records that the client has taken."""
        self.failed = 0
        self._forgetting = False
        self.first_failure: tuple[Place, KafkaError] | None = None

    @property
    def waiting(self) -> int:
        """Records that are on their way."""
        return len(self._producer)

    @property
    def written(self) -> int:
        """Records that a broker has acknowledged."""
        return self.accepted - self.failed - self.waiting

    def going_on(self) -> bool:
        """Serve what came from the broker; return whether there is a point in sending more."""
        self._producer.poll(0)
        return self.first_failure is None and self._watch.fatal is None and not self._stop.told

    def send(self, record: Record, place: Place) -> bool:
        """Hand a record over; return False if it was given up. A record that is refused at once counts as failed."""
        more: dict[str, Any] = {}
        if record.timestamp != TIMESTAMP_NOW:
            more["timestamp"] = record.timestamp
        if record.headers:
            more["headers"] = list(record.headers)
        return self.send_many([(record.key, record.value)], place, partition=record.partition, more=more)

    def send_many(
        self,
        pairs: Iterable[tuple[bytes | None, bytes | None]],
        place: Place,
        *,
        partition: int = PARTITION_AUTO,
        more: Mapping[str, Any] | None = None,
    ) -> bool:
        """Hand over keys and values that stand one after the other from `place` on; return False if it was given up.

        `more` has what they share: timestamp, headers. What `pairs` raises goes through.
        """
        produce, topic, report = self._producer.produce, self._topic, self._report
        common = more or {}
        source, number = place
        for key, value in pairs:
            # A loop for the rare case of a full queue; the usual one costs a call of the client and a callback.
            while True:
                try:
                    produce(topic, value, key, partition, partial(report, source, number), **common)
                except BufferError:
                    self._producer.poll(_PATIENCE_S)
                    if not self.going_on():
                        return False
                except KafkaException as error:
                    self.accepted += 1
                    self._note((source, number), error.args[0])
                    return False
                else:
                    break
            self.accepted += 1
            number += 1
        return True

    def flush(self) -> None:
        """Return when no record is on its way. After Ctrl-C that takes GRACE_S at most; the rest is given up."""
        told_at: float | None = None
        while self._producer.flush(_PATIENCE_S):
            if self._stop.told:
                if told_at is None:
                    told_at = time.perf_counter()
                    tell(f"waiting for {self.waiting:,} that are on their way; Ctrl-C again gives them up")
                if time.perf_counter() - told_at >= GRACE_S:
                    return

    def give_up(self) -> None:
        """Forget the records that are on their way, so that the client can be closed at once. They are no failures."""
        self._forgetting = True
        self._producer.purge()
        self._producer.poll(0)

    def _report(self, source: int, number: int, error: KafkaError | None, _: Message) -> None:
        if error is not None and not self._forgetting:
            self._note((source, number), error)

    def _note(self, place: Place, error: KafkaError) -> None:
        self.failed += 1
        if self.first_failure is None or place < self.first_failure[0]:
            self.first_failure = (place, error)
