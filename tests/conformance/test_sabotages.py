"""One line of the broker at a time is broken: the replay of the recordings must notice."""

from __future__ import annotations

import pytest

from conformance.brokers import FLEUVE_SETTINGS
from conformance.differences import declared, judge
from conformance.recording import RECORDINGS, read
from conformance.replay import Replay
from support.broker_thread import BrokerThread
from support.sabotages import Sabotage, each, sabotaged

pytestmark = pytest.mark.timeout(300)

HANDLERS = "fleuve.kafka.handlers."
GROUPS = "fleuve.engine.groups."
SABOTAGES = [
    Sabotage(
        "produce: name a partition that is not there by another error",
        HANDLERS + "produce",
        "pending.fail(slot, Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))",
        "pending.fail(slot, Refused(ErrorCode.NOT_LEADER_OR_FOLLOWER))",
    ),
    Sabotage("produce: answer acks=0", HANDLERS + "produce", "if pending.acks == 0:", "if False:"),
    Sabotage("produce: take any acks", HANDLERS + "produce", "if request.acks not in ACKS:", "if False:"),
    Sabotage(
        "produce: say nothing of single records",
        HANDLERS + "produce",
        "records = error.records if isinstance(error, InvalidRecord) else ()",
        "records = ()",
    ),
    Sabotage(
        "produce: forget the log start",
        HANDLERS + "produce",
        "log_start_offset=log_start_offset,",
        "log_start_offset=-1,",
    ),
    Sabotage(
        "produce: take zstd in every version",
        HANDLERS + "produce",
        "pending.version < ZSTD_VERSION",
        "pending.version < 0",
    ),
    Sabotage("produce: believe the checksum", "fleuve.records.batch", "    if found != crc:", "    if False:"),
    Sabotage(
        "produce: take a batch of any size",
        "fleuve.engine.log.service",
        "if header.size_bytes > configs.max_message_bytes:",
        "if False:",
    ),
    Sabotage(
        "produce: leave the client's timestamps",
        "fleuve.engine.log.service",
        "stamp_log_append_time(slab.view, start, now_ms)",
        "pass",
    ),
    Sabotage(
        "produce: take any timestamp",
        "fleuve.records.batch",
        "elif latest >= 0 and latest - now_ms > after_max_ms:",
        "elif False:",
    ),
    Sabotage(
        "idempotence: append duplicates",
        "fleuve.engine.log.decide",
        "return Duplicate(entry.base_offset, entry.append_time_ms)",
        "return offset",
    ),
    Sabotage(
        "idempotence: tell a duplicate the next offset",
        "fleuve.engine.log.decide",
        "return Duplicate(entry.base_offset, entry.append_time_ms)",
        "return Duplicate(offset, entry.append_time_ms)",
    ),
    Sabotage(
        "idempotence: drop the check of epochs",
        "fleuve.engine.log.decide",
        "elif batch.producer_epoch < state.epoch:",
        "elif False:",
    ),
    Sabotage(
        "idempotence: let a new epoch begin anywhere",
        "fleuve.engine.log.decide",
        "        if first != 0:\n            return OutOfOrderSequence(",
        "        if False:\n            return OutOfOrderSequence(",
    ),
    Sabotage(
        "idempotence: accept gaps",
        "fleuve.engine.log.decide",
        "        if first != expected:",
        "        if first < expected:",
    ),
    Sabotage(
        "idempotence: never wrap sequences",
        "fleuve.engine.log.decide",
        "expected = (state.entries[-1].sequence_last + 1) & SEQUENCE_MAX",
        "expected = state.entries[-1].sequence_last + 1",
    ),
    Sabotage(
        "init_producer_id: take half of an identity",
        HANDLERS + "init_producer_id",
        "(request.producer_id == -1) != (request.producer_epoch == -1)",
        "False",
    ),
    Sabotage(
        "fetch: read null where there is nothing",
        HANDLERS + "fetch",
        'records=result.records or b"",',
        "records=result.records or None,",
    ),
    Sabotage(
        "fetch: forget the limit of the request",
        HANDLERS + "fetch",
        "bytes_max = min(request.max_bytes, self._bytes_max, share)",
        "bytes_max = min(self._bytes_max, share)",
    ),
    Sabotage(
        "fetch: name an unknown id by another error",
        HANDLERS + "fetch",
        "missing = ErrorCode.UNKNOWN_TOPIC_ID",
        "missing = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION",
    ),
    Sabotage("fetch: wait for nothing", HANDLERS + "fetch", "max_wait_ms=max_wait_ms,", "max_wait_ms=0,"),
    Sabotage("fetch: follow replicas", HANDLERS + "fetch", "if error is None and replica:", "if False:"),
    Sabotage(
        "fetch_sessions: answer what did not change",
        "fleuve.kafka.sessions",
        "and result.high_watermark == partition.high_watermark",
        "and False",
    ),
    Sabotage("fetch_sessions: take any epoch", "fleuve.kafka.sessions", "if session.epoch != epoch:", "if False:"),
    Sabotage(
        "fetch_sessions: never forget",
        "fleuve.kafka.sessions",
        "            partitions.pop(key, None)\n",
        "            pass\n",
    ),
    Sabotage("fetch_sessions: mix names and ids", "fleuve.kafka.sessions", "if session.by_id != by_id:", "if False:"),
    Sabotage(
        "list_offsets: take the second record for the first",
        "fleuve.engine.log.lookup",
        "return FoundOffset(found[0], found[1], _epoch_at(data, position))",
        "return FoundOffset(found[0] + 1, found[1], _epoch_at(data, position))",
    ),
    Sabotage(
        "list_offsets: find records below the log start",
        "fleuve.engine.log.lookup",
        "partial(_first_since, batch, timestamp, state.log_start)",
        "partial(_first_since, batch, timestamp, 0)",
    ),
    Sabotage(
        "list_offsets: know times before their version",
        HANDLERS + "list_offsets",
        "if timestamp < 0 and context.api_version < VERSION_MIN.get(timestamp, API.version_max + 1):",
        "if False:",
    ),
    Sabotage(
        "list_offsets: drop the check of epochs", "fleuve.kafka.epochs", "if given > state.leader_epoch:", "if False:"
    ),
    Sabotage(
        "delete_records: go beyond the high watermark",
        "fleuve.engine.log.lookup",
        "if not 0 <= wanted <= state.next_offset:",
        "if False:",
    ),
    Sabotage(
        "delete_records: delete from compacted topics",
        HANDLERS + "delete_records",
        "if not topic.configs.delete:",
        "if False:",
    ),
    Sabotage(
        "offset_for_leader_epoch: the end of an epoch is one too far",
        HANDLERS + "offset_for_leader_epoch",
        "end_offset=end)",
        "end_offset=end + 1)",
    ),
    Sabotage(
        "metadata: name a topic by another id",
        HANDLERS + "metadata",
        "topic = self._topics.by_id(want.topic_id)",
        "topic = None",
    ),
    Sabotage(
        "metadata: create what must not be",
        HANDLERS + "metadata",
        "allowed = version < CREATION_CHOSEN_SINCE or request.allow_auto_topic_creation",
        "allowed = True",
    ),
    Sabotage(
        "describe_topic_partitions: ignore the cursor",
        HANDLERS + "describe_topic_partitions",
        '(cursor.topic_name, cursor.partition_index) if cursor is not None else ("", 0)',
        '("", 0)',
    ),
    Sabotage(
        "describe_cluster: have controllers",
        HANDLERS + "describe_cluster",
        "if request.endpoint_type == CONTROLLERS:",
        "if False:",
    ),
    Sabotage(
        "describe_log_dirs: take nothing for everything",
        HANDLERS + "describe_log_dirs",
        "if request.topics is None:",
        "if not request.topics:",
    ),
    Sabotage(
        "find_coordinator: forget the port",
        HANDLERS + "find_coordinator",
        "host=host, port=port)",
        "host=host, port=9092)",
    ),
    Sabotage(
        "api_versions: take any name of software",
        HANDLERS + "api_versions",
        "_SOFTWARE.match(request.client_software_name) is not None",
        "True",
    ),
    Sabotage(
        "connections: skip no tags", "fleuve.wire.primitives", "        at += size\n    return at\n", "    return at\n"
    ),
    Sabotage(
        "group_join: a group may have one member more",
        GROUPS + "classic",
        "len(group.members) < turn.policy.members_max",
        "len(group.members) <= turn.policy.members_max",
    ),
    Sabotage(
        "group_rebalance: a commit between two generations is taken",
        GROUPS + "classic",
        "    if group.phase is Phase.COMPLETING_REBALANCE:\n        raise RebalanceInProgress",
        "    if group.phase is Phase.DEAD:\n        raise RebalanceInProgress",
    ),
    Sabotage(
        "group_static: a static member that comes back makes everybody join again",
        GROUPS + "classic",
        "group.phase is Phase.STABLE and group.selected_protocol() == group.protocol_name",
        "group.phase is Phase.DEAD",
    ),
    Sabotage(
        "group_offsets: members do not keep others from committing",
        GROUPS + "classic",
        "if command.generation < 0 and group.phase is Phase.EMPTY:",
        "if command.generation < 0:",
    ),
    Sabotage(
        "group_administration: metadata is shown before the group is stable",
        HANDLERS + "describe_groups",
        "    stable = group.phase is Phase.STABLE",
        "    stable = group.phase is not Phase.EMPTY",
    ),
    Sabotage(
        "create_topics: a topic that is asked for twice is created",
        HANDLERS + "create_topics",
        "if counts[name] > 1:",
        "if counts[name] > 2:",
    ),
    Sabotage(
        "delete_topics: a topic that is named twice is deleted",
        HANDLERS + "delete_topics",
        "names[want.name] > 1",
        "names[want.name] > 2",
    ),
    Sabotage(
        "create_partitions: more assignments than new partitions are taken",
        "fleuve.engine.topics.service",
        "if len(growth.assignments) != added:",
        "if len(growth.assignments) < added:",
    ),
    Sabotage(
        "topic_configs: a setting that is named twice is taken",
        "fleuve.engine.topics.config_changes",
        "if len(set(names)) < len(names):",
        "if len(set(names)) > len(names):",
    ),
    Sabotage(
        "group_configs: a bound counts from the next number on",
        "fleuve.engine.topics.config_changes",
        "and value > int(resolver.broker_text(high) or value)",
        "and value > int(resolver.broker_text(high) or value) + 1",
    ),
    Sabotage(
        "config_resources: unknown types are left out",
        HANDLERS + "list_config_resources",
        "if not wanted.issubset(TYPES):",
        "if wanted and wanted.isdisjoint(TYPES):",
    ),
    Sabotage(
        "broker_configs: what is fixed at start may be set",
        "fleuve.engine.topics.config_changes",
        "row.update_mode is UpdateMode.READ_ONLY or row.fixed_at_start",
        "row.fixed_at_start",
    ),
    Sabotage(
        "group_waiting: a rebalance does not wait for members that were announced",
        GROUPS + "state",
        "return self.join_waiters == len(self.members) and not self.pending",
        "return self.join_waiters == len(self.members)",
    ),
]


@pytest.mark.sabotage
@each(SABOTAGES)
def test_the_replay_notices(sabotage, tmp_path):
    """A sabotage's name begins with the recording that shows it."""
    topic = sabotage.promise.partition(":")[0]
    with BrokerThread(tmp_path, FLEUVE_SETTINGS) as broker, sabotaged(sabotage):
        cases = (Replay(broker.address, recorded).run() for recorded in read(RECORDINGS / f"{topic}.txt"))
        assert any(judge(topic, case.mismatches, declared())[0] for case in cases)
