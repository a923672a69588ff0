"""What a command says when the cluster, or the library that talks to it, says no: one line, with what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException

from fleuve.base.errors import FleuveError, Verdict

# Which request it was, and whether the broker or the library says so; what names a partition or a reason stays.
_PREFIX = re.compile(r"^[^([]*\b(?:Broker|Local): ")
_ADVICE = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: "see `fleuve topic list`",
    KafkaError.TOPIC_EXCEPTION: "want at most 249 letters, digits, '.', '_' and '-'",
    KafkaError.INVALID_CONFIG: "`fleuve topic describe TOPIC --all-configs` shows names and values",
    KafkaError.TOPIC_ALREADY_EXISTS: "choose another name, or use `fleuve topic alter`",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "the user has no right to this topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "the user has no right to this group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the user has no right to this",
    KafkaError.POLICY_VIOLATION: "the rules of the cluster, or the topic's cleanup.policy, do not allow it",
    KafkaError.NON_EMPTY_GROUP: "stop its members first",
    # What Kafka says to somebody from outside who commits for a group that has members.
    KafkaError.UNKNOWN_MEMBER_ID: "the group may have members; stop them first",
    KafkaError.GROUP_ID_NOT_FOUND: "see `fleuve group list`",
    KafkaError.MSG_SIZE_TOO_LARGE: "raise it with `fleuve topic alter TOPIC --config max.message.bytes=BYTES`",
    KafkaError._TIMED_OUT: "a broker may be down, or its advertised address unreachable from here",
}


class CommandFailed(FleuveError, verdict=Verdict.REJECT):
    """A command could not do what it was asked; the message is one line and says what to do."""


def failure(error: KafkaError | KafkaException, *, what: str) -> CommandFailed:
    """Return the error to raise for a library's: `what` is what could not be done, as in "topic orders"."""
    told: KafkaError = error.args[0] if isinstance(error, KafkaException) else error
    text = _PREFIX.sub("", " ".join(str(told.str()).split()).removeprefix("Unable to produce message: ")).rstrip(".")
    if text.endswith(":"):
        # A request's name, and no message of the broker behind it.
        text = told.name().replace("_", " ").lower()
    if told.code() == KafkaError._TIMED_OUT:
        # The library tells which of its steps it was in.
        text = "no answer in time"
    advice = _ADVICE.get(told.code())
    return CommandFailed(f"{what}: {text}" + (f"; {advice}" if advice else ""))


@contextlib.contextmanager
def failing(what: str) -> Iterator[None]:
    """Turn a library's error inside the block into one of ours."""
    try:
        yield
    except KafkaException as error:
        raise failure(error, what=what) from error
