"""A record's headers, in order, with repeats and nulls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from confluent_kafka import Message

from fleuve.cli.client.errors import CommandFailed


def headers_of(message: Message) -> Sequence[tuple[str, bytes | None]]:
    """Return the headers of a record. Raises CommandFailed for a name that is not UTF-8, as Kafka wants names to be."""
    try:
        found = message.headers() or []
    except UnicodeDecodeError:
        where = f"{message.topic()} [{message.partition()}] offset {message.offset()}"
        raise CommandFailed(f"{where}: has a header whose name is not UTF-8") from None
    # The type says what may be given to the library; it returns this.
    return cast("list[tuple[str, bytes | None]]", found)
