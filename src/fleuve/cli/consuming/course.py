"""From the topics to standard output: the course of one `fleuve consume`."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaException, Message, TopicPartition

from fleuve.app.options import UsageError
from fleuve.base.clock import SystemClock
from fleuve.cli.client.cluster import Cluster, cluster
from fleuve.cli.client.errors import CommandFailed
from fleuve.cli.client.moments import MOMENTS, parse_moment
from fleuve.cli.client.options import ClientOptions
from fleuve.cli.client.topics import is_pattern
from fleuve.cli.client.watching import Watch
from fleuve.cli.consuming import ranges as ranges_
from fleuve.cli.consuming.ending import end
from fleuve.cli.consuming.filters import Filter, filters
from fleuve.cli.consuming.forms import Form, HexForm, TextForm, json_form
from fleuve.cli.consuming.last import last_records
from fleuve.cli.consuming.printed import Printed
from fleuve.cli.consuming.ranges import Offsets, Range, Start, Where, offset_of, where_of
from fleuve.cli.consuming.reader import Reader
from fleuve.cli.interruption import interruption
from fleuve.cli.output.messages import tell
from fleuve.cli.output.terminal import is_terminal, takes_colours

_NO_GROUP = "fleuve-consume"
"""The library wants a group's name. Nothing joins this group, and nothing is committed to it."""


def consume(parsed: argparse.Namespace, options: ClientOptions) -> int:
    """Show what was asked for; return the exit code. Raises CommandFailed and UsageError."""
    chosen = filters(keys=parsed.key, headers=parsed.header, contents=parsed.grep)
    show = _Show(_form(parsed), chosen, count_max=parsed.count)
    start, until_ms = _start(parsed), _moment(parsed.until, "--until")
    with interruption() as stop, cluster(options) as there:
        watch = Watch(options.bootstrap)
        consumer = there.consumer({**_settings(parsed), "error_cb": watch})
        reader = Reader(consumer, is_member=parsed.group is not None, watch=watch, stop=stop, idle=show.check)
        topics = ranges_.topics_of(there.metadata(), parsed.topics)
        offsets = Offsets(there, IsolationLevel[parsed.isolation_level.upper()])
        shown: dict[Where, int] = {}
        try:
            if parsed.group is None:
                _read(parsed, reader, show, _ranges(parsed, there, topics, offsets, start, until_ms))
            else:
                _read_as_member(parsed, _subscription(parsed, topics), reader, show, consumer, offsets, shown)
        except BaseException:
            # What ended it is what is told.
            with contextlib.suppress(CommandFailed):
                end(consumer, _positions(shown), group=parsed.group)
            raise
        end(consumer, _positions(shown), group=parsed.group)
    if _talks(parsed):
        tell(show.summary)
    return 130 if stop.told else 0


class _Show:
    """Prints the records that pass the filters, so many at most, and counts."""

    def __init__(self, form: Form, chosen: Sequence[Filter], *, count_max: int | None) -> None:
        self._form = form
        self._filters = chosen
        self._left = count_max
        self._printed = Printed()
        self.seen = 0
        self.shown = 0

    @property
    def full(self) -> bool:
        """Whether as many were shown as were asked for."""
        return self._left == 0

    @property
    def summary(self) -> str:
        """How many records were shown, in words."""
        shown = f"{self.shown:,} record{'' if self.shown == 1 else 's'}"
        return f"{shown} of {self.seen:,} that were read" if self._filters else shown

    def check(self) -> None:
        """Raise BrokenPipeError if nobody reads any more."""
        self._printed.check()

    def print(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Print those that pass; return those that were looked at, which are all unless that was enough."""
        if not self._filters and self._left is None:
            passed = messages
        else:
            passed, messages = self._passed(messages)
        if passed:
            self._printed.write(self._form(passed))
        self.seen += len(messages)
        self.shown += len(passed)
        return messages

    def _passed(self, messages: Sequence[Message]) -> tuple[Sequence[Message], Sequence[Message]]:
        passed: list[Message] = []
        for index, message in enumerate(messages):
            if self._left == 0:
                return passed, messages[:index]
            if all(passes(message) for passes in self._filters):
                passed.append(message)
                if self._left is not None:
                    self._left -= 1
        return passed, messages


def _read(parsed: argparse.Namespace, reader: Reader, show: _Show, ranges: Mapping[Where, Range]) -> None:
    """Show the ranges, and what comes behind them unless an end was asked for."""
    to_end = parsed.exit_at_end or parsed.until is not None
    if parsed.last is not None:
        show.print(last_records(reader, ranges, parsed.last))
        if not parsed.follow or show.full or reader.interrupted:
            return
        ranges = {where: Range(it.low, it.end, it.end) for where, it in ranges.items()}
    reader.assign(ranges, to_end=to_end)
    for messages in reader.batches():
        show.print(messages)
        if show.full:
            return


def _read_as_member(
    parsed: argparse.Namespace,
    topics: Sequence[str],
    reader: Reader,
    show: _Show,
    consumer: Consumer,
    offsets: Offsets,
    shown: dict[Where, int],
) -> None:
    """Show what the group gives to this member, and note in `shown` up to which offsets, of those that it still has.

    What was shown is committed now and then by the library; the rest is for who ends the consumer.
    """

    def assigned(_: Consumer, partitions: Sequence[TopicPartition]) -> None:
        mine = [(it.topic, it.partition) for it in partitions]
        try:
            reader.given(mine, ends=offsets.end(mine) if parsed.exit_at_end else None)
        except CommandFailed as error:
            reader.failed = error

    def revoked(_: Consumer, partitions: Sequence[TopicPartition]) -> None:
        mine = [(it.topic, it.partition) for it in partitions]
        reader.taken(mine)
        for where in mine:
            shown.pop(where, None)

    if _talks(parsed) and not parsed.exit_at_end:
        tell(f"{_named(topics)} as a member of group {parsed.group}; Ctrl-C ends")
    consumer.subscribe(list(topics), on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    for messages in reader.batches():
        looked_at = show.print(messages)
        upto = {where_of(it): offset_of(it) + 1 for it in looked_at}
        shown.update(upto)
        # Of a partition that was just taken away nothing can be noted; its next owner shows it again.
        with contextlib.suppress(KafkaException):
            consumer.store_offsets(offsets=_positions(upto))
        if show.full:
            return


def _subscription(parsed: argparse.Namespace, topics: Sequence[str]) -> Sequence[str]:
    """Return what to subscribe to: regular expressions as they are, for topics to come; a shell's patterns resolved."""
    return topics if any(is_pattern(name) and not name.startswith("^") for name in parsed.topics) else parsed.topics


def _positions(offsets: Mapping[Where, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]


def _ranges(
    parsed: argparse.Namespace,
    there: Cluster,
    topics: Sequence[str],
    offsets: Offsets,
    start: Start,
    until_ms: int | None,
) -> Mapping[Where, Range]:
    partitions = ranges_.partitions_of(there.metadata(), topics, parsed.partition)
    found = ranges_.ranges(offsets, partitions, start, until_ms=until_ms)
    follows = parsed.follow if parsed.last is not None else not (parsed.exit_at_end or until_ms is not None)
    if _talks(parsed) and follows:
        tell(f"{_named(topics)} {_where(parsed)} on, and what is written from now on; Ctrl-C ends")
    return found


def _named(topics: Sequence[str]) -> str:
    return ", ".join(topics) if len(topics) <= 3 else f"{len(topics)} topics"


def _where(parsed: argparse.Namespace) -> str:
    if parsed.last is not None:
        return "from the last record" if parsed.last == 1 else f"from the last {parsed.last} records"
    if parsed.offset is not None:
        return f"from offset {parsed.offset}"
    if parsed.since is not None:
        return f"from {parsed.since}"
    return f"from the {parsed.start or 'beginning'}"


def _start(parsed: argparse.Namespace) -> Start:
    since_ms = _moment(parsed.since, "--since")
    if since_ms is not None:
        return ranges_.from_time(since_ms)
    if parsed.offset is not None:
        return ranges_.from_offset(parsed.offset)
    return ranges_.from_end if parsed.start == "end" else ranges_.from_beginning


def _moment(text: str | None, flag: str) -> int | None:
    if text is None:
        return None
    moment = parse_moment(text, now_ms=SystemClock().wall_ms())
    if moment is None:
        raise UsageError(f"{flag}: {text!r} is not a time: want {MOMENTS}")
    return moment


def _form(parsed: argparse.Namespace) -> Form:
    if parsed.output == "json":
        return json_form
    if parsed.output == "hex":
        return HexForm(takes_colours())
    fields = parsed.fields or (("value",) if parsed.key_separator is None else ("key", "value"))
    return TextForm(
        fields=fields,
        separator=parsed.key_separator or b"\t",
        delimiter=parsed.delimiter or b"\n",
        null_marker=b"null" if parsed.null_marker is None else parsed.null_marker,
        for_terminal=is_terminal(),
        coloured=takes_colours(),
    )


def _settings(parsed: argparse.Namespace) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "group.id": parsed.group or _NO_GROUP,
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
        "isolation.level": parsed.isolation_level,
        "enable.auto.offset.store": False,
        "enable.auto.commit": parsed.group is not None,
        # Without a group, where to go on is decided here (`Reader`), and said.
        "auto.offset.reset": "error",
        "reconnect.backoff.max.ms": 1000,
        # How long a topic may be unknown to a broker before it is said to be gone.
        "topic.metadata.propagation.max.ms": 3000,
        # A client whose queue is full looks at it again after this time, not after the library's second.
        "fetch.queue.backoff.ms": 10,
    }
    if parsed.group is not None:
        settings["auto.offset.reset"] = "latest" if parsed.start == "end" else "earliest"
    return settings


def _talks(parsed: argparse.Namespace) -> bool:
    """Return whether to say on standard error what goes on: to people, not into logs."""
    return not parsed.quiet and sys.stderr.isatty()
