"""What a hostile client knows of the broker: names and ids that are real, so that it gets past the first check."""

from __future__ import annotations

import uuid
from random import Random

from fleuve.wire.generated import fetch, join_group, metadata, sync_group
from support.wire_client import FETCH_VERSION, Address, Client

PARTITIONS = 4
TOPICS = {
    "fuzz": {},
    "fuzz-compacted": {"cleanup.policy": "compact"},
    "fuzz-stamped": {"message.timestamp.type": "LogAppendTime"},
}
GROUP = "fuzz-group"
CONFIGS = (
    "log.retention.ms",
    "message.max.bytes",
    "retention.ms",
    "max.message.bytes",
    "cleanup.policy",
    "flush.messages",
    "segment.bytes",
    "no.such.config",
)
_SMALL = (0, 0, 1, 2, 3, -1)
_WIDE = (0, 1, -1, 2, 100, (1 << 31) - 1, -(1 << 31))


class World:
    """Topics, a group with a member, a fetch session, a producer."""

    def __init__(self, address: Address) -> None:
        """Make all that."""
        with Client(address, timeout_s=30.0) as client:
            for name, configs in TOPICS.items():
                client.create_topic(name, PARTITIONS, configs)
            self.topic_ids = self._topic_ids(client)
            self.producer_id, self.producer_epoch = client.init_producer_id()
            self.member_id = self._join(client)
            self.session_id = self._session(client)

    @staticmethod
    def _topic_ids(client: Client) -> list[uuid.UUID]:
        wanted = [metadata.MetadataRequestTopic(name=name) for name in TOPICS]
        answer = client.call(metadata, metadata.MetadataRequest(topics=wanted), 12)
        return [topic.topic_id for topic in answer.topics]

    @staticmethod
    def _join(client: Client) -> str:
        protocol = join_group.JoinGroupRequestProtocol(name="range", metadata=b"")
        request = join_group.JoinGroupRequest(
            group_id=GROUP,
            session_timeout_ms=300_000,
            rebalance_timeout_ms=1000,
            protocol_type="consumer",
            protocols=[protocol],
        )
        joined = client.call(join_group, request, 3)
        assignment = sync_group.SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"all")
        client.call(
            sync_group,
            sync_group.SyncGroupRequest(
                group_id=GROUP,
                generation_id=joined.generation_id,
                member_id=joined.member_id,
                assignments=[assignment],
            ),
            3,
        )
        return str(joined.member_id)

    @staticmethod
    def _session(client: Client) -> int:
        wanted = [
            fetch.FetchTopic(topic=name, partitions=[fetch.FetchPartition(partition=0, partition_max_bytes=1000)])
            for name in TOPICS
        ]
        request = fetch.FetchRequest(max_wait_ms=0, min_bytes=0, session_id=0, session_epoch=0, topics=wanted)
        return int(client.call(fetch, request, FETCH_VERSION).session_id)

    def topic_id(self, owner: str, chance: Random, *, odd: bool) -> uuid.UUID:
        """Return the id of a topic, or of none; of none where it would be deleted."""
        odd = odd or owner.startswith("DeleteTopic")
        return uuid.UUID(int=chance.choice((0, 1, (1 << 128) - 1))) if odd else chance.choice(self.topic_ids)

    def text(self, owner: str, name: str, chance: Random) -> str:
        """Return something for a string field of that structure."""
        if ("Config" in owner and name == "name") or name == "configuration_keys":
            return chance.choice(CONFIGS)
        match name:
            case "value":
                return chance.choice(("1", "1000", "compact", "delete", "-1", "no number"))
            case "member_id":
                return chance.choice((self.member_id, self.member_id, ""))
            case "protocol_type":
                return "consumer"
            case "protocol_name":
                return "range"
            case "client_software_name" | "client_software_version":
                return "fuzzer"
            case "group_id" | "groups" | "groups_names" | "key" | "coordinator_keys":
                return chance.choice((GROUP, GROUP, "other-group", ""))
            case "transactional_id" | "cluster_id" | "rack_id" | "group_instance_id":
                return chance.choice(("", "some"))
            case "name" if "Protocol" in owner:
                return chance.choice(("range", "roundrobin"))
            case "name" if owner.startswith("CreatableTopic"):
                return f"fuzz-new-{chance.randrange(20)}"
            case "name" | "topic_names" if owner.startswith("DeleteTopic"):
                return f"fuzz-new-{chance.randrange(20)}"
            case "resource_name":
                return chance.choice((*TOPICS, "no-such-topic", "", "0", "1"))
            case "name" | "topic" | "topic_name" | "topic_names":
                return chance.choice((*TOPICS, "no-such-topic"))
        return chance.choice(("", "a", "some text"))

    def number(self, name: str, kind: str, chance: Random) -> int:
        """Return something for a number's field."""
        match name:
            case "max_wait" | "timeout" | "rebalance_timeout":
                return chance.choice((0, 1, 50, 1000))
            case "session_timeout":
                return chance.choice((6000, 10_000))
            case "session_id":
                return chance.choice((0, self.session_id, self.session_id, 1))
            case "session_epoch":
                return chance.choice((-1, 0, 1, 2, 3))
            case "producer_id":
                return chance.choice((-1, self.producer_id))
            case "producer_epoch":
                return chance.choice((-1, self.producer_epoch))
            case "resource_type" | "resource_types":
                return chance.choice((2, 2, 4, 16, 32, 0))
            case "acks":
                return chance.choice((-1, -1, 1, 0, 2))
            case "num_partitions" | "count":
                return chance.choice((-1, 1, 4, 5, 0))
            case "replication_factor" | "replica_id":
                return chance.choice((-1, -1, -1, 1))
            case "max_bytes" | "partition_max_bytes" | "min_bytes":
                return chance.choice((0, 1, 1 << 20, 1 << 20, -1))
            case "timestamp":
                return chance.choice((-1, -2, -3, -4, -5, 0, 1_700_000_000_000, (1 << 63) - 1))
            case "fetch_offset" | "offset" | "committed_offset":
                return chance.choice((0, 0, 0, 1, 5, 100, -1, (1 << 63) - 1))
        if "index" in name or name in {"partition", "partitions"}:
            return chance.choice((0, 0, 1, 2, 3, 4, -1))
        return chance.choice(_SMALL if kind in {"int8", "int16", "uint16", "error_code"} else (*_SMALL, *_WIDE))
