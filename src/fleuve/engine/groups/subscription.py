"""Which topics consumers want: the prefix of the consumer protocol's subscription that every version shares.

Lenient, because the bytes are a client's: what cannot be read is "not known", never an error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from fleuve.engine.groups.state import CONSUMER_PROTOCOL_TYPE


def subscribed_topics(protocol_type: str | None, metadata: Iterable[bytes]) -> frozenset[str] | None:
    """Return the topics that the members want together; None if they are no consumers or one cannot be read."""
    if protocol_type != CONSUMER_PROTOCOL_TYPE:
        return None
    topics: set[str] = set()
    for subscription in metadata:
        wanted = _topics(subscription)
        if wanted is None:
            return None
        topics.update(wanted)
    return frozenset(topics)


def _topics(subscription: bytes) -> list[str] | None:
    try:
        version, count = struct.unpack_from(">hi", subscription)
        # A topic takes three bytes at least, so that a hostile count costs nothing.
        if version < 0 or not 0 <= count <= len(subscription) // 3:
            return None
        position = 6
        topics = []
        for _ in range(count):
            (length,) = struct.unpack_from(">h", subscription, position)
            position += 2
            if length < 0 or position + length > len(subscription):
                return None
            topics.append(subscription[position : position + length].decode())
            position += length
    except (struct.error, UnicodeDecodeError):
        return None
    return topics
