"""The programs around clients of other languages, where `make compat` builds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clients import jvm
from clients.remote import RemoteConsumer, RemoteDriver

_BUILT = Path(__file__).parent.parent.parent / ".compat"
_NODE = Path(__file__).parent / "node"


class GoDriver(RemoteDriver):
    """A client in Go."""

    def __init__(self, program: str, bootstrap: str) -> None:
        path = _BUILT / program
        if not path.exists():
            pytest.fail(f"{path.name} is not built (`make compat` does it)")
        super().__init__([str(path)], bootstrap)


class FranzGoDriver(GoDriver):
    """franz-go."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__("franz-go", bootstrap)


class SaramaDriver(GoDriver):
    """sarama."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__("sarama", bootstrap)


class KafkaGoDriver(GoDriver):
    """kafka-go."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__("kafka-go", bootstrap)


class JavaDriver(RemoteDriver):
    """Apache Kafka's own client."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(jvm.command("JavaClient"), bootstrap)

    def delete_topic(self, topic: str) -> None:
        """Delete a topic, and return when the broker says that it is done."""
        self._program.ask("client", "delete_topic", topic=topic)

    def remove_static_member(self, group: str, instance: str) -> None:
        """Remove a member from its group, as an administrator."""
        self._program.ask("client", "remove_static_member", group=group, instance=instance)

    def consumer_of(self, pattern: str, group: str, settings: Mapping[str, Any]) -> RemoteConsumer:
        """Return a member of a group that reads all topics whose name matches."""
        consumer = self.consumer("", group=group, settings=settings)
        consumer.ask("subscribe_to_pattern", pattern=pattern)
        return consumer


class NodeDriver(RemoteDriver):
    """A client in JavaScript. Node.js itself comes as a package: the clients ask for a newer one than many have."""

    def __init__(self, program: str, bootstrap: str) -> None:
        found = [*(_NODE / "node_modules").glob("node-linux-*/bin/node")]
        if not found:
            pytest.fail(f"what {program} needs is not installed (`make compat` does it)")
        super().__init__([str(found[0]), str(_NODE / program)], bootstrap)


class KafkajsDriver(NodeDriver):
    """kafkajs."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__("kafkajs.js", bootstrap)


class PlatformaticKafkaDriver(NodeDriver):
    """@platformatic/kafka."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__("platformatic-kafka.js", bootstrap)
