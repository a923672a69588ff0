"""What becomes of things that were asked to be deleted, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import KafkaException

from fleuve.cli.client.errors import failure
from fleuve.cli.output.messages import Failures


def deleted(
    names: Iterable[str], futures: Mapping[str, Any], *, kind: str, gone: int | None, failures: Failures
) -> Iterator[str]:
    """Return those of `names` that are deleted, when they are; without a future, those that would be.

    What is refused is added to `failures`, as a `kind` such as "topic", unless the broker says `gone`: somebody else
    deleted it first.
    """
    for name in names:
        try:
            if name in futures:
                futures[name].result()
        except KafkaException as error:
            if error.args[0].code() != gone:
                failures.add(failure(error, what=f"{kind} {name}"))
            continue
        yield name
