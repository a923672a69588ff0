"""Reads partitions with a consumer, up to given ends or for ever, and keeps who waits informed.

An end is reached when a record at it or behind it arrives, or the broker says that there is nothing more: the record
just before an end need not exist, after compaction or a transaction's marker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from fleuve.cli.client.errors import CommandFailed, failure
from fleuve.cli.client.watching import Watch
from fleuve.cli.consuming.ranges import Range, Where, offset_of, where_of
from fleuve.cli.interruption import Interruption
from fleuve.cli.output.messages import tell

_PATIENCE_S = 0.1
_BATCH_RECORDS = 1000

# The client asks again by itself; `Watch` says so where no broker is left.
_PASSING = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
    }
)


class Reader:
    """Yields records as they arrive, many at a time."""

    def __init__(
        self, consumer: Consumer, *, is_member: bool, watch: Watch, stop: Interruption, idle: Callable[[], None]
    ) -> None:
        self._consumer = consumer
        self._is_member = is_member
        self._watch = watch
        self._stop = stop
        self._idle = idle
        self._ends: dict[Where, int] | None = None
        """Of the partitions whose end is still to be reached; None for ever."""
        self._paused: set[Where] = set()
        self._mine: set[Where] = set()
        """What the group has given to this member."""
        self.failed: CommandFailed | None = None
        """What a callback of the client met: raised there, it would not come through the client."""

    def assign(self, ranges: Mapping[Where, Range], *, to_end: bool) -> None:
        """Read these, from their starts on; up to their ends, or for ever."""
        self._resume(self._paused)
        self._ends = None
        if to_end:
            ranges = {where: range_ for where, range_ in ranges.items() if range_.start < range_.end}
            self._ends = {where: range_.end for where, range_ in ranges.items()}
        self._consumer.assign([TopicPartition(*where, range_.start) for where, range_ in ranges.items()])

    def given(self, partitions: Sequence[Where], *, ends: Mapping[Where, int] | None) -> None:
        """Show these, which the group has given to this member; read up to these ends, or for ever."""
        self._mine.update(partitions)
        if ends is not None:
            self._ends = {**(self._ends or {}), **ends}

    def taken(self, partitions: Sequence[Where]) -> None:
        """Show no more of these: another member may have them now. If none is left, wait for what is given next."""
        self._resume(self._paused.intersection(partitions))
        self._mine.difference_update(partitions)
        if self._ends:
            self._ends = {where: end for where, end in self._ends.items() if where in self._mine} or None

    def _resume(self, partitions: set[Where]) -> None:
        """Let partitions be fetched again: the client remembers a pause, even should they be assigned anew."""
        if partitions:
            with contextlib.suppress(KafkaException):
                self._consumer.resume([TopicPartition(*where) for where in partitions])
        self._paused = self._paused - partitions

    @property
    def at_end(self) -> bool:
        """Whether all ends are reached."""
        return self._ends is not None and not self._ends

    @property
    def interrupted(self) -> bool:
        """Whether the user has ended it."""
        return self._stop.told

    def batches(self) -> Iterator[list[Message]]:
        """Yield what arrives, until all ends are reached or the user ends it. Raises CommandFailed."""
        while not (self._stop.told or self.at_end):
            first = self._consumer.poll(_PATIENCE_S)
            if self.failed is not None:
                raise self.failed
            if self._watch.refused is not None:
                raise failure(self._watch.refused, what="reading ended")
            if first is None:
                self._idle()
                continue
            records = self._records([first, *self._consumer.consume(_BATCH_RECORDS - 1, 0)])
            if records:
                yield records

    def _records(self, messages: Sequence[Message]) -> list[Message]:
        records = []
        for message in messages:
            error = message.error()
            if error is not None:
                self._told(message, error)
            elif self._is_wanted(message):
                records.append(message)
        if self._watch.lost and (records or any(message.error() is None for message in messages)):
            self._watch.back()
        return records

    def _is_wanted(self, message: Message) -> bool:
        # What was fetched before a partition was taken away is for its next owner to show.
        if self._is_member and where_of(message) not in self._mine:
            return False
        if self._ends is None:
            return True
        where, offset = where_of(message), offset_of(message)
        end = self._ends.get(where)
        if end is None:
            return False
        if offset >= end - 1:
            self._reached(where)
        return offset < end

    def _reached(self, where: Where) -> None:
        assert self._ends is not None
        del self._ends[where]
        if self._ends:
            # What arrives there from now on would only be thrown away.
            self._consumer.pause([TopicPartition(*where)])
            self._paused.add(where)

    def _told(self, message: Message, error: KafkaError) -> None:
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            self._watch.back()
            self._at_broker_end(where_of(message), offset_of(message))
        elif code == KafkaError._AUTO_OFFSET_RESET:
            self._start_again(where_of(message))
        elif code == KafkaError.GROUP_AUTHORIZATION_FAILED and not self._is_member:
            # The library looks for the group that it was given a name for; nobody needs it.
            return
        elif code not in _PASSING and not error.retriable():
            topic = message.topic()
            raise failure(error, what="the broker refused" if topic is None else f"topic {topic}")

    def _at_broker_end(self, where: Where, offset: int) -> None:
        """Note that the broker has nothing from `offset` on, for now."""
        if self._ends is not None and where in self._ends and offset >= self._ends[where]:
            self._reached(where)

    def _start_again(self, where: Where) -> None:
        """Go on with the first record there is: those before it were deleted while we read."""
        topic, partition = where
        gone = TopicPartition(topic, partition)
        try:
            low, _ = self._consumer.get_watermark_offsets(gone, timeout=10)
            self._consumer.incremental_unassign([gone])
            self._consumer.incremental_assign([TopicPartition(topic, partition, low)])
        except KafkaException as error:
            raise failure(error, what=f"topic {topic}") from None
        tell(f"{topic} [{partition}]: records were deleted before they were read; going on at offset {low}")
