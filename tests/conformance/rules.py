"""What differs by nature between two brokers, or between two runs of one, and how a recording says it.

* An id that a broker makes up is a *symbol*, `$topic-1`: bound at first sight, and then the same wherever it stands, in
  requests as well, and never the same as another one.
* A time near now is `*time`, a number that means nothing to others `*number`, a directory `*path`.
* Messages in words are recorded, and only their being there is compared: people read them, programs do not.
* Lists that have no order are sorted; lists of all there is hold only what the case itself made (its *prefix*).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from conformance.messages import bytes_of, bytes_text, has_producer, has_right_crc, producer_of, with_producer

Json = Any
Path = tuple[str, ...]

SYMBOLS = {
    "topic_id": "topic",
    "member_id": "member",
    "leader": "member",
    "producer_id": "producer",
    "session_id": "session",
    "cluster_id": "cluster",
    "host": "host",
    "port": "port",
}
"""By the field's name, what it identifies."""
NOTHING = {
    "topic": "00000000-0000-0000-0000-000000000000",
    "member": "",
    "producer": -1,
    "session": 0,
    "cluster": "",
    "host": "",
    "port": -1,
}
"""What is no id."""

TIMES = frozenset({"log_append_time_ms", "timestamp", "base_timestamp", "max_timestamp"})
TIME_TOLERANCE_MS = 24 * 3600 * 1000
NUMBERS = frozenset({"partition_size", "total_bytes", "usable_bytes", "finalized_features_epoch"})
DIRECTORIES = frozenset({"log_dir"})
WORDS = frozenset({"error_message", "error_string", "batch_index_error_message", "documentation"})

KEYS: dict[tuple[str, str], str] = {
    ("Produce", "responses"): "name",
    ("Produce", "responses[].partition_responses"): "index",
    ("Fetch", "responses"): "topic",
    ("Fetch", "responses[].partitions"): "partition_index",
    ("ListOffsets", "topics"): "name",
    ("ListOffsets", "topics[].partitions"): "partition_index",
    ("OffsetForLeaderEpoch", "topics"): "topic",
    ("OffsetForLeaderEpoch", "topics[].partitions"): "partition",
    ("DeleteRecords", "topics"): "name",
    ("DeleteRecords", "topics[].partitions"): "partition_index",
    ("ApiVersions", "api_keys"): "api_key",
    ("ApiVersions", "supported_features"): "name",
    ("ApiVersions", "finalized_features"): "name",
    ("Metadata", "topics"): "name",
    ("DescribeConfigs", "results[].configs"): "name",
    ("AlterConfigs", "responses"): "resource_name",
    ("IncrementalAlterConfigs", "responses"): "resource_name",
    ("DescribeLogDirs", "results[].topics"): "name",
    ("DescribeLogDirs", "results[].topics[].partitions"): "partition_index",
    ("ListGroups", "groups"): "group_id",
    ("DeleteGroups", "results"): "group_id",
    ("OffsetFetch", "topics"): "name",
    ("OffsetFetch", "topics[].partitions"): "partition_index",
    ("OffsetFetch", "groups[].topics"): "name",
    ("OffsetFetch", "groups[].topics[].partitions"): "partition_index",
    ("OffsetDelete", "topics"): "name",
    ("OffsetDelete", "topics[].partitions"): "partition_index",
    ("ListConfigResources", "config_resources"): "resource_name",
    ("CreateTopics", "topics"): "name",
    ("CreateTopics", "topics[].configs"): "name",
    ("CreatePartitions", "results"): "name",
    ("DeleteTopics", "responses"): "name",
    ("JoinGroup", "members"): "metadata",
    ("DescribeGroups", "groups[].members"): "client_id",
}
"""Lists without an order, and the field that tells their elements apart; where all lack it, it is the topic id."""
MINE = {
    ("DescribeTopicPartitions", "topics"): "name",
    ("Metadata", "topics"): "name",
    ("DescribeLogDirs", "results[].topics"): "name",
    ("ListGroups", "groups"): "group_id",
    ("ListConfigResources", "config_resources"): "resource_name",
}
"""Lists of all there is, and the field that says whose an element is."""


PLACES = frozenset(
    {
        "advertised.listeners", "controller.listener.names", "controller.quorum.voters",
        "listener.security.protocol.map", "listeners", "log.dir", "log.dirs", "node.id", "process.roles",
    }
)  # fmt: skip
"""Settings of a broker that say where and what it is: of them only names and types are compared."""
PLACE_FIELDS = frozenset({"value", "config_source", "synonyms"})


class Symbols:
    """Names for ids: of one case, on one broker."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._values: dict[str, Any] = {"$host": address[0], "$port": address[1]}
        self._names: dict[tuple[str, Any], str] = {("host", address[0]): "$host", ("port", address[1]): "$port"}
        self.said: set[str] = set()
        """All text in requests: what was asked for by name is the case's own, whatever its name."""

    def copy(self) -> Symbols:
        """Return symbols that can be thrown away."""
        copied = Symbols.__new__(Symbols)
        copied._values, copied._names, copied.said = dict(self._values), dict(self._names), self.said
        return copied

    def value(self, name: str) -> Any:
        """Return what a symbol stands for. Raises KeyError while it was not seen."""
        return self._values[name]

    def known(self, kind: str, value: Any) -> str | None:
        """Return the name of a value that was seen."""
        return self._names.get((kind, value))

    def name(self, kind: str, value: Any) -> str:
        """Return the name of a value, a new one if need be."""
        if (kind, value) not in self._names:
            number = sum(known == kind for known, _ in self._names) + 1
            self.bind(f"${kind}-{number}", value)
        return self._names[kind, value]

    def bind(self, name: str, value: Any) -> bool:
        """Let a symbol stand for a value; return False if it, or the value, is taken."""
        kind = name[1:].partition("-")[0]
        if self._values.get(name, value) != value or self._names.get((kind, value), name) != name:
            return False
        self._values[name] = value
        self._names[kind, value] = name
        return True

    def in_words(self, text: str) -> str:
        """Return a message with symbols where it has ids, and without numbers that look like times."""
        for name, value in self._values.items():
            if isinstance(value, str) and value:
                text = text.replace(value, name)
            elif name.startswith(("$producer", "$port")):
                text = re.sub(rf"(?<![0-9]){value}(?![0-9])", name, text)
        return re.sub(r"\b\d{13,}\b", "*time", text)


def is_near_now(value: Any) -> bool:
    """Return whether this is a time in milliseconds that a broker may just have read from its clock."""
    return type(value) is int and abs(value - time.time() * 1000) < TIME_TOLERANCE_MS


def is_number(value: Any) -> bool:
    """Return whether this may be a size or a count."""
    return type(value) is int and value >= 0


def ordered(api: str, answer: Json, prefix: str, symbols: Symbols) -> Json:
    """Return an answer with its unordered lists sorted, and only the case's own part of lists of all there is."""

    def place(element: Json, key: str) -> tuple[bool, Any]:
        value = element.get(key)
        if value is None and "topic_id" in element:
            value = symbols.known("topic", element["topic_id"])
        return isinstance(value, str), value or 0

    def is_mine(name: str) -> bool:
        return name.startswith(prefix) or name in symbols.said

    def walked(value: Json, path: str) -> Json:
        if isinstance(value, dict):
            if path == "results[].configs[]" and value.get("name") in PLACES:
                value = {
                    name: field for name, field in value.items() if name not in {"value", "config_source", "synonyms"}
                }
            fields = {name: walked(field, _joined(path, name)) for name, field in value.items()}
            # An empty list has been left out where it was empty before others' elements were taken out of it.
            mine = {name for api_name, name in MINE if api_name == api}
            return {name: field for name, field in fields.items() if field != [] or _joined(path, name) not in mine}
        if not isinstance(value, list):
            return value
        if own := MINE.get((api, path)):
            value = [element for element in value if is_mine(element.get(own) or prefix)]
        if key := KEYS.get((api, path)):
            value = sorted(value, key=lambda element: place(element, key))
        return [walked(element, f"{path}[]") for element in value]

    return walked(answer, "")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def recorded_answer(answer: Json, symbols: Symbols, literals: Iterable[Any]) -> Json:
    """Return an answer as the recording has it. `literals` are ids that the case itself made up."""
    taken = set(literals)

    def leaf(name: str, value: Any) -> Json:
        kind = SYMBOLS.get(name)
        if kind is not None and value not in {None, NOTHING[kind]} and value not in taken:
            return symbols.name(kind, value)
        if name in TIMES and is_near_now(value):
            return "*time"
        if name in NUMBERS and is_number(value):
            return "*number"
        if name in DIRECTORIES and value:
            return "*path"
        return symbols.in_words(value) if name in WORDS and value else value

    return _mapped(answer, leaf)


def recorded_request(request: Json, symbols: Symbols) -> tuple[Json, set[Any]]:
    """Return a request as the recording has it, and the ids in it that are no broker's."""
    literals = set()

    def leaf(name: str, value: Any) -> Json:
        if isinstance(value, str):
            symbols.said.add(value)
        if name == "records" and value is not None:
            raw = bytes_of(value)
            known = symbols.known("producer", producer_of(raw)) if has_producer(raw) else None
            if known is not None:
                right = has_right_crc(raw)
                crc = {} if right else {"crc": "wrong"}
                return {"producer": known, **crc, "bytes": bytes_text(with_producer(raw, 0, right_crc=right))}
            if has_producer(raw):
                literals.add(producer_of(raw))
        kind = SYMBOLS.get(name)
        if kind is not None and value is not None:
            if known := symbols.known(kind, value):
                return known
            literals.add(value)
        return value

    return _mapped(request, leaf), literals


def sent_request(recorded: Json, symbols: Symbols) -> Json:
    """Return the request that a recording stands for on this broker. Raises KeyError for an id not seen yet."""
    if isinstance(recorded, dict) and "bytes" in recorded and "producer" in recorded:
        raw = bytes_of(recorded["bytes"])
        producer_id = symbols.value(recorded["producer"])
        return bytes_text(with_producer(raw, producer_id, right_crc="crc" not in recorded))
    if isinstance(recorded, dict):
        return {name: sent_request(value, symbols) for name, value in recorded.items()}
    if isinstance(recorded, list):
        return [sent_request(value, symbols) for value in recorded]
    if isinstance(recorded, str) and recorded.startswith("$"):
        return symbols.value(recorded)
    if isinstance(recorded, str):
        symbols.said.add(recorded)
    return recorded


def _mapped(value: Json, leaf: Callable[[str, Any], Json], name: str = "") -> Json:
    if isinstance(value, dict):
        return {field: _mapped(inner, leaf, field) for field, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, leaf, name) for inner in value]
    return leaf(name, value)
