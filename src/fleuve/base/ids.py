"""Ids and quantities that must not be mixed up.

They cost nothing at run time (`NewType`); the type checker tells them apart. A topic's and a partition's
id never change and are never reused, whatever happens to its name.
"""

from __future__ import annotations

from typing import NamedTuple, NewType
from uuid import UUID

TopicId = NewType("TopicId", UUID)
"""Kafka's topic id (KIP-516)."""

PartitionIndex = NewType("PartitionIndex", int)
"""Kafka's partition number: 0 … partition count − 1."""

PartitionId = NewType("PartitionId", int)
"""The catalog's own number of a partition; small, dense, never reused, sorts by creation."""

Offset = NewType("Offset", int)
ProducerId = NewType("ProducerId", int)
NodeId = NewType("NodeId", int)
Incarnation = NewType("Incarnation", int)
"""One run of a broker. Numbered by the catalog from 1, never reused."""

GroupId = NewType("GroupId", str)
MemberId = NewType("MemberId", str)
TimestampMs = NewType("TimestampMs", int)
"""Wall-clock milliseconds since the Unix epoch."""

NO_TIMESTAMP = TimestampMs(-1)


class FlushId(NamedTuple):
    """Names one flush for ever: the run of the broker that made it, and its number in that run, from 1."""

    incarnation: Incarnation
    number: int
