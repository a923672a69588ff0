"""How a case is written: a short program that asks Apache Kafka, while everything it says and hears is recorded.

    @case
    def an_offset_beyond_the_end_is_out_of_range(kafka: Kafka) -> None:
        \"\"\"A fetch beyond the high watermark.\"\"\"
        topic = kafka.topic()                       # made, and led
        a = kafka.connect()                         # one connection; several are told apart in the recording
        for version in versions(fetch):             # every one that Fleuve has
            a.call(fetch, fetch.FetchRequest(...), version)

A case is a function in `cases/<topic>.py`; its name and the first line of its docstring go into
`recordings/<topic>.txt`. Requests are the messages of `fleuve.wire.generated`, bad ones are bytes (`send_bytes`).
What the case must know of an answer (a member id, a topic id) it takes out of the answer: the recording has a symbol
in its place, and replaying puts in what Fleuve answered there. Nothing else of a case is replayed, so a case may
decide and repeat as it likes; it must only ask the same questions each time. `a.until(…, wanted)` asks again until
the answer is the one wanted, where Kafka takes a moment: for requests without effects alone.

All names come from `kafka.name(…)` and `kafka.topic(…)`, which begin with the case's own prefix: cases share a broker
and run beside each other. A file with `ALONE = True` has the broker to itself, for changes of the broker's own
settings; it must undo them.

    make recordings TOPICS="fetch list_offsets"     writes the recordings, of all topics without TOPICS
    KAFKA=127.0.0.1:9192                            … asking a Kafka that runs already, with `brokers.SETTINGS`; what is
                                                    left of earlier recordings goes, transactional ids do not
    pytest tests/conformance/test_replay.py -k fetch

Rules for fields that differ by nature are in `rules.py`; differences on purpose in `differences.toml`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from string import ascii_lowercase
from types import ModuleType
from typing import Any, NamedTuple

from conformance.messages import answer_fields, api_name, bytes_text, fields_of
from conformance.recording import Event, Recorded
from conformance.rules import Symbols, ordered, recorded_answer, recorded_request
from conformance.wire import Address, Wire, split_answer
from fleuve.wire.apis import APIS
from fleuve.wire.generated import create_topics, list_offsets, metadata

ANSWER_TIMEOUT_S = 30.0
SILENCE_S = 2.0
UNTIL_TRIES = 300
UNTIL_PAUSE_S = 0.05
API_VERSIONS = 18

Case = Callable[["Kafka"], None]

_pause = threading.Event()


def case(function: Case) -> Case:
    """Mark a function as a case."""
    function.__dict__["is_case"] = True
    return function


def cases_of(module: ModuleType) -> list[Case]:
    """Return a module's cases, in its order."""
    return [one for one in vars(module).values() if getattr(one, "is_case", False)]


def versions(codec: Any) -> Iterator[int]:
    """Return all versions that there is a codec for."""
    first, last = codec.VERSIONS
    return iter(range(first, last + 1))


class Sent(NamedTuple):
    """A request whose answer is still to come."""

    codec: Any
    version: int
    correlation_id: int


class Topic(NamedTuple):
    """A topic that a case has made."""

    name: str
    id: Any


class Kafka:
    """What a case asks."""

    def __init__(self, address: Address, topic: str, case: Case) -> None:
        self._address = address
        self.symbols = Symbols(address)
        self.literals: set[Any] = set()
        self.recorded = Recorded(topic, case.__name__, (case.__doc__ or "").strip().partition("\n")[0])
        self.prefix = self.recorded.prefix
        self._connections: list[Connection] = []
        self._first: Connection | None = None

    def connect(self, client_id: str | None = "conformance") -> Connection:
        """Open a connection."""
        number = len(self._connections)
        name = ascii_lowercase[number % 26] + (str(number // 26) if number >= 26 else "")
        self.record(Event(name, "open", content=client_id))
        self._connections.append(Connection(self, name, Wire(self._address, client_id)))
        return self._connections[-1]

    def name(self, rest: str) -> str:
        """Return a name that is this case's own."""
        return f"{self.prefix}.{rest}"

    def topic(self, partitions: int = 1, *, name: str = "t", configs: dict[str, str] | None = None) -> Topic:
        """Make a topic, and wait until its partitions are led."""
        if self._first is None:
            self._first = self.connect()
        wanted = create_topics.CreatableTopic(
            name=self.name(name),
            num_partitions=partitions,
            replication_factor=1,
            configs=[create_topics.CreatableTopicConfig(name=key, value=text) for key, text in (configs or {}).items()],
        )
        self._first.call(create_topics, create_topics.CreateTopicsRequest(topics=[wanted], timeout_ms=30_000), 4)
        asked = metadata.MetadataRequest(
            topics=[metadata.MetadataRequestTopic(name=wanted.name)], allow_auto_topic_creation=False
        )

        def is_led(answer: Any) -> bool:
            return not answer.topics[0].error_code and all(
                not one.error_code and one.leader_id >= 0 for one in answer.topics[0].partitions
            )

        answer = self._first.until(metadata, asked, 12, is_led)
        # Kafka tells of a leader before it leads.
        ends = [list_offsets.ListOffsetsPartition(partition_index=index, timestamp=-1) for index in range(partitions)]
        lookup = list_offsets.ListOffsetsRequest(
            replica_id=-1, topics=[list_offsets.ListOffsetsTopic(name=wanted.name, partitions=ends)]
        )
        self._first.until(
            list_offsets, lookup, 4, lambda found: not any(one.error_code for one in found.topics[0].partitions)
        )
        return Topic(wanted.name, answer.topics[0].topic_id)

    def record(self, event: Event) -> None:
        """Add an event to the recording."""
        self.recorded.events.append(event)

    def close(self) -> None:
        """Close what is open."""
        for connection in self._connections:
            connection.end()


class Connection:
    """One connection of a case."""

    def __init__(self, kafka: Kafka, name: str, wire: Wire) -> None:
        self._kafka = kafka
        self._name = name
        self._wire = wire
        self._sent: deque[Sent | None] = deque()

    def call(self, codec: Any, request: Any, version: int) -> Any:
        """Send a request and return its answer; None if the connection was closed instead."""
        self.send(codec, request, version)
        return self.receive()

    def send(self, codec: Any, request: Any, version: int, *, answered: bool = True) -> None:
        """Send a request. One that is not `answered` must be followed by one that is."""
        fields, literals = recorded_request(fields_of(request), self._kafka.symbols)
        self._kafka.literals |= literals
        self._kafka.record(Event(self._name, ">" if answered else "!", api_name(codec), version, fields))
        self._send(codec, request, version, answered=answered)

    def send_bytes(self, api: Any, version: int, body: bytes) -> None:
        """Send a body as it is, to an API (its codec, or a number) in any version."""
        key = api if isinstance(api, int) else api.KEY
        name = APIS[key].name if key in APIS else str(key)
        self._kafka.record(Event(self._name, ">", name, version, bytes_text(body)))
        codec = None if isinstance(api, int) else api
        self._sent.append(Sent(codec, version, self._wire.send(key, version, body)))

    def send_frame(self, raw: bytes) -> None:
        """Send bytes as they are, size prefix and header included."""
        self._kafka.record(Event(self._name, ">>", content=bytes_text(raw)))
        self._wire.send_raw(raw)
        self._sent.append(None)

    def receive(self) -> Any:
        """Return the next answer: a message, bytes where there is no codec, None if the connection was closed."""
        frame = self._wire.receive(ANSWER_TIMEOUT_S)
        if frame is None:
            self._kafka.record(Event(self._name, "closed"))
            return None
        answer, fields = self._read(frame)
        self._kafka.record(Event(self._name, "<", content=fields))
        return answer

    def until(self, codec: Any, request: Any, version: int, wanted: Callable[[Any], bool]) -> Any:
        """Ask until the answer is as wanted; return it. For requests without effects."""
        fields, literals = recorded_request(fields_of(request), self._kafka.symbols)
        self._kafka.literals |= literals
        answer = self._asked(codec, request, version)
        for _ in range(UNTIL_TRIES):
            if wanted(answer):
                break
            _pause.wait(UNTIL_PAUSE_S)
            answer = self._asked(codec, request, version)
        assert wanted(answer), f"{self._kafka.prefix}: the last answer was {answer}"
        self._kafka.record(Event(self._name, "?", api_name(codec), version, fields))
        self._kafka.record(Event(self._name, "<", content=self._fields(codec, answer)))
        return answer

    def waits(self) -> None:
        """Record that no answer is there yet, as far as can be seen."""
        assert self._wire.is_silent(), f"{self._kafka.prefix}: {self._name} was answered"
        self._kafka.record(Event(self._name, "waits"))

    def silent(self) -> None:
        """Record that the broker does not answer, after waiting for it a while."""
        try:
            frame = self._wire.receive(SILENCE_S)
        except TimeoutError:
            self._kafka.record(Event(self._name, "silent"))
            return
        raise AssertionError(f"{self._kafka.prefix}: {self._name} was answered {frame!r}")

    def close(self) -> None:
        """Close the connection."""
        self._kafka.record(Event(self._name, "close"))
        self.end()

    def end(self) -> None:
        """Close the connection when the case is over."""
        self._wire.close()

    def _send(self, codec: Any, request: Any, version: int, *, answered: bool = True) -> None:
        correlation_id = self._wire.send(codec.KEY, version, codec.encode_request(request, version))
        if answered:
            self._sent.append(Sent(codec, version, correlation_id))

    def _asked(self, codec: Any, request: Any, version: int) -> Any:
        self._send(codec, request, version)
        frame = self._wire.receive(ANSWER_TIMEOUT_S)
        assert frame is not None, f"{self._kafka.prefix}: {self._name} was closed"
        return self._message(frame)

    def _read(self, frame: bytes) -> tuple[Any, Any]:
        sent = self._sent[0]
        if sent is None or sent.codec is None:
            self._sent.popleft()
            return frame, bytes_text(frame)
        answer = self._message(frame)
        return answer, self._fields(sent.codec, answer)

    def _message(self, frame: bytes) -> Any:
        sent = self._sent.popleft()
        assert sent is not None
        correlation_id, view, at = split_answer(frame, sent.codec.KEY, sent.version)
        assert correlation_id == sent.correlation_id, f"{self._kafka.prefix}: another request was answered"
        return sent.codec.decode_response(view, at, answer_version(sent.codec, sent.version))

    def _fields(self, codec: Any, answer: Any) -> Any:
        fields = ordered(api_name(codec), answer_fields(answer), self._kafka.prefix, self._kafka.symbols)
        return recorded_answer(fields, self._kafka.symbols, self._kafka.literals)


def answer_version(codec: Any, version: int) -> int:
    """Return the version an answer is written in: an ApiVersions request that is not understood is answered in v0."""
    first, last = codec.VERSIONS
    return version if codec.KEY != API_VERSIONS or first <= version <= last else 0
