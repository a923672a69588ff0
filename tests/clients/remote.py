"""Clients of other languages: a small program around each, which is told what to do in lines of JSON.

A program is started with the bootstrap address as its last argument. It reads one request a line from standard input
and writes one answer a line to standard output; what it writes to standard error is shown when it fails. It ends when
its standard input does.

    {"id": 7, "on": "consumer-2", "do": "poll", "timeout_ms": 200}
    {"id": 7, "result": [[0, 41, null, "djQx", [], 1700000000000]], "assignments": [[0, 1]]}
    {"id": 8, "on": "consumer-2", "do": "seek", "partition": 0, "offset": 3}
    {"id": 8, "error": "what the client said"}

`on` names what is asked: `client`, or a producer or consumer, which its first request opens under a new name. The
requests to one name are carried out one after the other and answered in order; those to different names side by side.

To `client`:

- `hello` → `{"client": "franz-go", "version": "1.22.3", "runtime": "Go 1.26", "codecs": ["none", "gzip", …],
  "lacks": {…}}`. `lacks` says what the client cannot do by itself: one of the names in `clients.shortcomings`, and
  why, or what was done instead, as words for the table of clients.
- `create_topic`: `topic`, `partitions` (replication factor 1); answered when the client says that it is done.

To a producer:

- `open_producer`: `topic`, `codec`, `settings`.
- `send`: `records`; answered once the client has taken them over, *not* when they are acknowledged, so that requests
  pile up in the client as they do for its users.
- `flush` → the offset of every record sent, in the order in which they were sent, once all are acknowledged.
- `close`.

To a consumer, which starts at the beginning where its group has committed nothing:

- `open_consumer`: `topic`, `group` (or null), `settings`.
- `subscribe`: join the group.
- `assign`: `partitions`, `offset` (null is the start): read these partitions, without a group.
- `poll`: `timeout_ms` → records, at most a few hundred; an empty list after that time at the latest.
- `commit` → commit what `poll` returned so far; false if the group moved on and this member has to join again.
- `committed`: `partition` → the group's committed offset or null; also asked of a consumer that never subscribed.
- `seek`: `partition`, `offset`.
- `offset_for_time`: `partition`, `timestamp_ms` → the first offset at that time or later, or null.
- `close`: leave the group and disconnect.

Every answer of a consumer may have `assignments`: the partitions held after each change that the group brought since
the last answer, the newest last.

A record to send is `[partition, key, value, [[name, value], …], timestamp_ms]`, a delivered one
`[partition, offset, key, value, [[name, value], …], timestamp_ms]`; keys and values are base64 or null.

`settings` are few, and everything else is as the client has it by default. A producer's: `idempotent` (true,
and as many retries as it takes a broker to start again, a minute of them), `auto_create` (true: sending brings the
topic into being). A consumer's: `automatic` (true: it commits by itself;
otherwise it does not), `instance` (the name of a static member), `assignor` (`range`, `sticky`, `cooperative-sticky`…).
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from clients.driver import TIMEOUT_S
from clients.records import Delivered, Headers, Written

# What one `send` hands over at most.
_SEND_COUNT = 100
_SEND_BYTES = 2_000_000
# A client's own time-outs come first.
_ANSWER_TIMEOUT_S = 3 * TIMEOUT_S


class RemoteFailed(AssertionError):
    """A program said that its client failed, or ended; the message has the client's words."""


class Program:
    """A program at work. Any thread may ask."""

    def __init__(self, command: Sequence[str], bootstrap: str) -> None:
        """Start it."""
        self._name = command[-1]
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [*command, bootstrap], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
        )
        self._ids = itertools.count()
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._thread = threading.Thread(target=self._read, name=f"answers of {self._name}")
        self._thread.start()

    def ask(self, on: str, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and return the answer; raise RemoteFailed if it is an error or does not come."""
        answer: Future[dict[str, Any]] = Future()
        assert self._process.stdin is not None
        with self._lock:
            number = next(self._ids)
            self._waiting[number] = answer
            request = {"id": number, "on": on, "do": do, **arguments}
            try:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
            except OSError as error:
                raise RemoteFailed(f"{self._name} is gone:\n{self._complaints()}") from error
        try:
            found = answer.result(_ANSWER_TIMEOUT_S)
        except TimeoutError:
            raise RemoteFailed(f"{self._name} does not answer {do} of {on}:\n{self._complaints()}") from None
        if "error" in found:
            raise RemoteFailed(f"{do} of {on}: {found['error']}\n{self._complaints()}")
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = json.loads(line)
            with self._lock:
                waiting = self._waiting.pop(found["id"])
            waiting.set_result(found)
        with self._lock:
            for waiting in self._waiting.values():
                waiting.set_result({"error": f"{self._name} ended"})
            self._waiting.clear()

    def _complaints(self) -> str:
        # Its position is the program's, too.
        return os.pread(self._stderr.fileno(), 1_000_000, 0).decode(errors="replace")[-4_000:]

    def close(self) -> None:
        """End the program, by force if it does not end by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired):
            pass
        finally:
            self._process.kill()
            self._process.wait()
            self._thread.join()
            self._process.stdout.close()
            self._stderr.close()


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _sent(record: Written) -> list[Any]:
    headers = [[name, _text(value)] for name, value in record.headers]
    return [record.partition, _text(record.key), _text(record.value), headers, record.timestamp_ms]


def _delivered(found: Sequence[Any]) -> Delivered:
    partition, offset, key, value, pairs, timestamp_ms = found
    headers: Headers = tuple((name, _bytes(content)) for name, content in pairs)
    return Delivered(partition, offset, _bytes(key), _bytes(value), headers, timestamp_ms)


def _in_portions(records: Iterable[Written]) -> Iterator[list[list[Any]]]:
    """Yield the records as they are sent, a few at a time."""
    portion: list[list[Any]] = []
    size_bytes = 0
    for record in records:
        portion.append(_sent(record))
        size_bytes += len(record.key or b"") + len(record.value or b"")
        if len(portion) >= _SEND_COUNT or size_bytes >= _SEND_BYTES:
            yield portion
            portion, size_bytes = [], 0
    if portion:
        yield portion


class RemoteProducer:
    """A producer of a program."""

    def __init__(self, program: Program, name: str, topic: str, codec: str, settings: Mapping[str, Any]) -> None:
        self.ask = partial(program.ask, name)
        self.ask("open_producer", topic=topic, codec=codec, settings=settings)

    def send(self, records: Iterable[Written]) -> None:
        """Hand records to the client, a portion at a time, which it sends when it likes."""
        for portion in _in_portions(records):
            self.ask("send", records=portion)

    def flush(self) -> list[int]:
        """Wait until all is acknowledged, and return the offsets."""
        offsets: list[int] = self.ask("flush")["result"]
        return offsets

    def close(self) -> None:
        """Disconnect."""
        self.ask("close")


class RemoteConsumer:
    """A consumer of a program."""

    def __init__(self, program: Program, name: str, topic: str, group: str | None, settings: Mapping[str, Any]) -> None:
        self.assignments: list[frozenset[int]] = []
        self._program = program
        self._name = name
        self.ask("open_consumer", topic=topic, group=group, settings=settings)

    def ask(self, do: str, **arguments: Any) -> Any:
        """Ask the consumer, and note what it holds now."""
        answer = self._program.ask(self._name, do, **arguments)
        self.assignments += [frozenset(each) for each in answer.get("assignments", ())]
        return answer.get("result")

    def subscribe(self) -> None:
        self.ask("subscribe")

    def assign(self, partitions: Sequence[int], *, offset: int | None = None) -> None:
        self.ask("assign", partitions=list(partitions), offset=offset)

    def poll(self, timeout_s: float = 0.2) -> list[Delivered]:
        return [_delivered(each) for each in self.ask("poll", timeout_ms=int(timeout_s * 1000))]

    def commit(self) -> bool:
        found: bool = self.ask("commit")
        return found

    def committed(self, partition: int) -> int | None:
        found: int | None = self.ask("committed", partition=partition)
        return found

    def seek(self, partition: int, offset: int) -> None:
        self.ask("seek", partition=partition, offset=offset)

    def offset_for_time(self, partition: int, timestamp_ms: int) -> int | None:
        found: int | None = self.ask("offset_for_time", partition=partition, timestamp_ms=timestamp_ms)
        return found

    def close(self) -> None:
        self.ask("close")


class RemoteDriver:
    """A client behind a program."""

    def __init__(self, command: Sequence[str], bootstrap: str) -> None:
        """Start the program; `command` is without the bootstrap address."""
        self._program = Program(command, bootstrap)
        self._numbers = itertools.count()
        self.bootstrap = bootstrap
        try:
            hello = self._program.ask("client", "hello")["result"]
        except BaseException:
            self._program.close()
            raise
        self.name: str = hello["client"]
        self.version: str = hello["version"]
        self.runtime: str = hello["runtime"]
        self.codecs: Sequence[str] = hello["codecs"]
        self.lacks: Mapping[str, str] = hello["lacks"]

    def create_topic(self, topic: str, partition_count: int) -> None:
        self._program.ask("client", "create_topic", topic=topic, partitions=partition_count)

    def produce(
        self, topic: str, records: Iterable[Written], *, codec: str = "none", settings: Mapping[str, Any] | None = None
    ) -> list[int]:
        producer = self.producer(topic, codec=codec, settings=settings)
        try:
            producer.send(records)
            return producer.flush()
        finally:
            producer.close()

    def producer(self, topic: str, *, codec: str = "none", settings: Mapping[str, Any] | None = None) -> RemoteProducer:
        """Return a producer that is told to send and to flush, as often as one likes."""
        return RemoteProducer(self._program, f"producer-{next(self._numbers)}", topic, codec, settings or {})

    def auto_create(self) -> Mapping[str, Any]:
        return {"auto_create": True}

    def idempotent(self) -> Mapping[str, Any]:
        return {"idempotent": True}

    def consumer(
        self, topic: str, *, group: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> RemoteConsumer:
        return RemoteConsumer(self._program, f"consumer-{next(self._numbers)}", topic, group, settings or {})

    def automatic(self) -> Mapping[str, Any]:
        return {"automatic": True}

    def static(self, instance: str) -> Mapping[str, Any]:
        return {"instance": instance}

    def close(self) -> None:
        self._program.close()
