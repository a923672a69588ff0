"""From the sources to the topic: the course of one `fleuve produce`."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import TopicMetadata

from fleuve.app.options import UsageError
from fleuve.base.clock import SystemClock
from fleuve.cli.client.cluster import Cluster, cluster
from fleuve.cli.client.configs import topic_configs
from fleuve.cli.client.errors import CommandFailed, failure
from fleuve.cli.client.moments import MOMENTS, parse_moment
from fleuve.cli.client.options import CONNECT_S_MAX, ClientOptions
from fleuve.cli.client.watching import Watch
from fleuve.cli.interruption import Interruption, interruption
from fleuve.cli.output.messages import tell
from fleuve.cli.producing.records import PARTITION_AUTO, Header, TextForm, record_of_json
from fleuve.cli.producing.sender import Place, Sender
from fleuve.cli.producing.sources import STDIN, Reading, Source, sources

_MESSAGE_BYTES_MAX = 1_000_000
"""How large a record may be where a topic's own limit is not known, and a batch where it is not smaller."""
_MESSAGE_BYTES_LIMITS = (1000, 1_000_000_000)
"""What librdkafka takes for message.max.bytes."""
_BATCH_OVERHEAD_BYTES = 100
"""What a batch of one record has beside it; a topic's limit is for batches."""
_QUEUE_KBYTES_MAX = 65_536
_JSON_GROWTH = 8
"""How much longer a record may be as JSON: a control character takes six."""
_CREATION_S = 2.5
"""How long a broker is asked for a topic that it may be creating."""

# Whoever sets one of these wants something that an idempotent producer cannot do.
_NOT_IDEMPOTENT = ("acks", "request.required.acks", "max.in.flight", "retries", "message.send.max.retries")
_BROKER_TOO_OLD = (
    "the broker knows no idempotent producers; give -X enable.idempotence=false, and records may be doubled"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user asked for."""

    topic: str
    paths: Sequence[str]
    json: bool
    whole: bool
    delimiter: bytes
    key_separator: bytes | None
    null_marker: bytes | None
    count_max: int | None
    key: bytes | None
    headers: tuple[Header, ...]
    partition: int | None
    timestamp: str | None
    compression: str | None
    acks: str | None
    quiet: bool


def transfer(asked: Asked, options: ClientOptions) -> int:
    """Send what was asked; return the exit code. Raises CommandFailed and UsageError."""
    timestamp_ms = _timestamp_ms(asked.timestamp)
    found = sources(asked.paths)
    began = time.perf_counter()
    with interruption() as stop, cluster(options) as there:
        partitions = _partitions(there, asked.topic, quiet=asked.quiet)
        if asked.partition is not None and asked.partition >= partitions:
            raise CommandFailed(f"topic {asked.topic} has no partition {asked.partition}: {_range(partitions)}")
        watch = Watch(options.bootstrap)
        size_bytes_max = _size_bytes_max(there, asked.topic, options)
        producer = there.producer({**_settings(asked, options, size_bytes_max), "error_cb": watch})
        there.close()
        sender = Sender(producer, asked.topic, watch=watch, stop=stop)
        work = _Work(asked, sender, found, partitions, timestamp_ms, size_bytes_max=size_bytes_max)
        code = _ended(work, sender, watch, stop)
    if code == 0 and not asked.quiet:
        tell(f"{_records(sender.written)} to {asked.topic} in {time.perf_counter() - began:.1f} s")
    return code


def _ended(work: _Work, sender: Sender, watch: Watch, stop: Interruption) -> int:
    """Read and send to the end, and account for every record; return the exit code. Raises CommandFailed."""
    wrong: CommandFailed | None = None
    try:
        try:
            with _collector_off():
                work.do()
        except CommandFailed as error:
            # What was read before is still to be written, and to be told.
            wrong = error
        sender.flush()
    except KeyboardInterrupt:
        stop.told = True
    given_up = sender.waiting
    written = f"{_records(sender.written)} written"
    if given_up:
        written += f", {given_up:,} given up"
        sender.give_up()
    if sender.first_failure is not None:
        place, reason = sender.first_failure
        told = failure(reason, what=f"{work.place(place)} failed")
        others = f", {sender.failed:,} not" if sender.failed > 1 else ""
        raise CommandFailed(f"{written}{others}: {told}")
    if wrong is not None:
        raise CommandFailed(f"{written}: {wrong}")
    if watch.fatal is not None:
        unsupported = watch.fatal.code() == KafkaError._UNSUPPORTED_FEATURE
        raise CommandFailed(f"{written}: {_BROKER_TOO_OLD if unsupported else watch.fatal.str()}")
    if stop.told:
        tell(f"interrupted: {written}")
        return 130
    return 0


class _Work:
    """Reads the sources one after the other and hands their records over."""

    def __init__(
        self,
        asked: Asked,
        sender: Sender,
        found: Sequence[Source],
        partitions: int,
        timestamp_ms: int | None,
        *,
        size_bytes_max: int,
    ) -> None:
        self._asked = asked
        self._sender = sender
        self._sources = found
        self._partitions = partitions
        self._partition = PARTITION_AUTO if asked.partition is None else asked.partition
        self._timestamp_ms = timestamp_ms
        self._size_bytes_max = size_bytes_max * _JSON_GROWTH if asked.json else size_bytes_max
        self._left = asked.count_max
        self._form = TextForm(key_separator=asked.key_separator, null_marker=asked.null_marker, key=asked.key)
        self._more: dict[str, Any] = {}
        if asked.headers:
            self._more["headers"] = list(asked.headers)
        if timestamp_ms is not None:
            self._more["timestamp"] = timestamp_ms

    def place(self, place: Place) -> str:
        """Return where a record stands, for people."""
        source, number = place
        return self._sources[source].place(None if self._asked.whole else number)

    def do(self) -> None:
        """Hand all records over, until somebody says stop. Raises CommandFailed."""
        bytes_before = 0
        with self._progress() as advance:
            for index, source in enumerate(self._sources):
                if not self._sender.going_on():
                    return
                _hint(source, quiet=self._asked.quiet)
                reading = Reading(source, size_bytes_max=self._size_bytes_max, idle=self._sender.going_on)
                if not self._send(reading, index, lambda: advance(bytes_before + reading.bytes_read)):  # noqa: B023
                    return
                bytes_before += reading.bytes_read

    @contextlib.contextmanager
    def _progress(self) -> Iterator[Any]:
        sizes = [source.size_bytes for source in self._sources]
        if self._asked.quiet or None in sizes or not sys.stderr.isatty():
            yield lambda _: None
            return
        from fleuve.cli.producing.progress import bar

        with bar(self._asked.topic, sum(size or 0 for size in sizes)) as shown:
            yield lambda bytes_read: shown(bytes_read, self._sender.written)

    def _send(self, reading: Reading, index: int, advanced: Any) -> bool:
        if self._asked.whole:
            whole = reading.whole()
            return reading.complete and self._send_lines([whole], (index, 1))
        number = 1
        for lines in reading.pieces(self._asked.delimiter):
            if self._left is not None:
                lines = self._first(lines, self._left)
            send = self._send_json if self._asked.json else self._send_lines
            if not send(lines, (index, number)) or self._left == 0:
                return False
            number += len(lines)
            advanced()
        return True

    def _first(self, lines: list[bytes], count: int) -> list[bytes]:
        """Return the lines that are no more records than `count`; what is left of that is noted."""
        if not self._asked.json:
            self._left = count - min(count, len(lines))
            return lines[:count]
        for index, line in enumerate(lines):
            # A line without anything is none.
            count -= bool(line.strip())
            if not count:
                lines = lines[: index + 1]
                break
        self._left = count
        return lines

    def _send_lines(self, lines: Sequence[bytes], place: Place) -> bool:
        form, key = self._form, self._asked.key
        pairs = ((key, line) for line in lines) if form.plain else self._read(lines, place)
        return self._sender.send_many(pairs, place, partition=self._partition, more=self._more)

    def _read(self, lines: Sequence[bytes], place: Place) -> Iterator[tuple[bytes | None, bytes | None]]:
        source, first = place
        for number, line in enumerate(lines, first):
            try:
                yield self._form.read(line)
            except ValueError as error:
                raise CommandFailed(f"{self.place((source, number))} {error}") from None

    def _send_json(self, lines: Sequence[bytes], place: Place) -> bool:
        asked, (source, first) = self._asked, place
        for number, line in enumerate(lines, first):
            if not line.strip():
                continue
            try:
                record = record_of_json(line, timestamp_ms=self._timestamp_ms)
            except ValueError as error:
                raise CommandFailed(f"{self.place((source, number))}: {error}") from None
            if asked.partition is not None:
                record = replace(record, partition=asked.partition)
            elif record.partition >= self._partitions:
                raise CommandFailed(
                    f"{self.place((source, number))}: topic {asked.topic} has no partition {record.partition}:"
                    f" {_range(self._partitions)}; --partition auto chooses by the key"
                )
            if asked.key is not None:
                record = replace(record, key=asked.key)
            if asked.headers:
                record = replace(record, headers=(*record.headers, *asked.headers))
            if not self._sender.send(record, (source, number)):
                return False
        return True


def _timestamp_ms(text: str | None) -> int | None:
    if text is None:
        return None
    moment = parse_moment(text, now_ms=SystemClock().wall_ms())
    if moment is None:
        raise UsageError(f"--timestamp: {text!r} is not a time: want {MOMENTS}")
    # 0 would be "now" for the client; nobody means the beginning of 1970.
    return max(1, moment)


def _partitions(there: Cluster, topic: str, *, quiet: bool) -> int:
    """Return the number of the topic's partitions; a broker that creates topics on demand creates it here."""
    known = there.metadata().topics.get(topic)
    if known is not None and known.error is None:
        return len(known.partitions)
    deadline = time.perf_counter() + _CREATION_S
    while True:
        found = _asked_for(there, topic)
        if found.error is None and found.partitions:
            count = len(found.partitions)
            if not quiet:
                tell(f"topic {topic} is new: created with {count} partition{'s' if count > 1 else ''}")
            return count
        if found.error is not None and found.error.code() not in {
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError.LEADER_NOT_AVAILABLE,
        }:
            raise failure(found.error, what=f"topic {topic}")
        if time.perf_counter() >= deadline:
            raise CommandFailed(f"topic {topic} does not exist; create it with `fleuve topic create {topic}`")
        there.admin.poll(0.2)


def _asked_for(there: Cluster, topic: str) -> TopicMetadata:
    try:
        return there.admin.list_topics(topic, timeout=CONNECT_S_MAX).topics[topic]
    except KafkaException as error:
        raise failure(error, what=f"topic {topic}") from None


def _settings(asked: Asked, options: ClientOptions, size_bytes_max: int) -> dict[str, Any]:
    given = options.settings
    idempotent = asked.acks in {None, "all"} and not any(name in given for name in _NOT_IDEMPOTENT)
    settings: dict[str, Any] = {
        "enable.idempotence": idempotent,
        # Java's: the same key lies in the same partition, whoever writes it.
        "partitioner": "murmur2_random",
        "delivery.report.only.error": True,
        "message.max.bytes": size_bytes_max,
        "batch.size": min(size_bytes_max, _MESSAGE_BYTES_MAX),
        "queue.buffering.max.kbytes": _QUEUE_KBYTES_MAX,
        "reconnect.backoff.max.ms": 1000,
    }
    if asked.acks is not None:
        settings["acks"] = asked.acks
    if asked.compression is not None:
        settings["compression.type"] = asked.compression
    return settings


def _size_bytes_max(there: Cluster, topic: str, options: ClientOptions) -> int:
    """Return how large a record may be: what the user says, else what the topic takes.

    The client refuses what is larger, and knows which record it was; a broker refuses whole batches.
    """
    given = options.settings.get("message.max.bytes", "")
    if given.isascii() and given.isdigit():
        return int(given)
    configs, _ = topic_configs(there, [topic])
    limits = [config.value for config in configs.get(topic, []) if config.name == "max.message.bytes"]
    if not limits or limits[0] is None:
        return _MESSAGE_BYTES_MAX
    least, most = _MESSAGE_BYTES_LIMITS
    return min(max(int(limits[0]) - _BATCH_OVERHEAD_BYTES, least), most)


@contextlib.contextmanager
def _collector_off() -> Iterator[None]:
    """Let nobody look for cycles meanwhile: there are none, and each record on its way would be looked at."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _hint(source: Source, *, quiet: bool) -> None:
    if source.path == STDIN and not quiet and sys.stdin.isatty():
        tell("each line is a record; Ctrl-D ends")


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def _range(partitions: int) -> str:
    return "it has only partition 0" if partitions == 1 else f"it has 0 to {partitions - 1}"
