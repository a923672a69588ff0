"""The last N records of all partitions together, by their timestamps.

How many records lie between two offsets is not known: offsets have gaps. Each partition is read from N offsets before
its end; where that gave fewer, from further back, until there are N or nothing is left.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping

from confluent_kafka import Message

from fleuve.cli.consuming.ranges import Range, Where, where_of
from fleuve.cli.consuming.reader import Reader

_FURTHER = 4
"""How many times more offsets are looked at each time that there were too few records."""


def last_records(reader: Reader, ranges: Mapping[Where, Range], count: int) -> list[Message]:
    """Return the last `count` records, oldest first; records of one partition stay in the order of their offsets."""
    found: dict[Where, deque[Message]] = {where: deque() for where in ranges}
    window = count
    todo = {where: Range(it.low, max(it.low, it.end - window), it.end) for where, it in ranges.items()}
    while todo:
        read: dict[Where, deque[Message]] = {where: deque(maxlen=count) for where in todo}
        reader.assign(todo, to_end=True)
        for messages in reader.batches():
            for message in messages:
                read[where_of(message)].append(message)
        if not reader.at_end:
            # Interrupted.
            return []
        for where, older in read.items():
            missing = count - len(found[where])
            found[where].extendleft(list(reversed(older))[:missing])
        window *= _FURTHER
        todo = {
            where: Range(it.low, max(it.low, it.start - window), it.start)
            for where, it in todo.items()
            if len(found[where]) < count and it.start > it.low
        }
    return _merged_from_the_end(found, count)


def _merged_from_the_end(found: Mapping[Where, deque[Message]], count: int) -> list[Message]:
    """Take the youngest of all ends, again and again."""
    ends = [(-records[-1].timestamp()[1], where) for where, records in found.items() if records]
    heapq.heapify(ends)
    taken: list[Message] = []
    while ends and len(taken) < count:
        _, where = heapq.heappop(ends)
        taken.append(found[where].pop())
        if found[where]:
            heapq.heappush(ends, (-found[where][-1].timestamp()[1], where))
    taken.reverse()
    return taken
