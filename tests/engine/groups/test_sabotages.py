"""The groups room's tests would notice if a rule broke: one line of the source is changed, and something must fail.

The line is changed in memory. What is asked is the sentences of this folder and some seeds of the simulation.
"""

from pathlib import Path

import pytest

from fleuve.engine.groups import classic, codec, coordinator, offsets, rebalance, service
from support.sabotages import each, line, sabotaged
from support.sentences import Sentence, failure, of_files

HERE = Path(__file__).parent
SABOTAGES = [
    # Rebalances
    line(rebalance, "group.generation += 1", "group.generation += 0"),
    line(rebalance, "if member.join_waiter is None and member.instance_id is None:", "if member.join_waiter is None:"),
    line(rebalance, "group.initial is None and group.all_joined:", "group.all_joined:"),
    line(rebalance, "group.unsynced = frozenset(group.members)", "group.unsynced = frozenset()"),
    line(
        rebalance, "remaining_ms=max(initial.remaining_ms - initial.delay_ms, 0)", "remaining_ms=initial.remaining_ms"
    ),
    line(rebalance, "if initial is None or not initial.grown or", "if initial is None or"),
    line(rebalance, "if group.members and not _elect_leader(group):", "if False:"),
    line(rebalance, 'turn.change(member, assignment=b"")', "turn.change(member)"),
    line(rebalance, "    group.saving = None\n", ""),
    line(rebalance, "member.session_deadline <= due:", "member.session_deadline < due - 60_000:"),
    line(rebalance, "if not member.new and (member.join_waiter", "if (member.join_waiter"),
    line(rebalance, "        turn.save(group)\n", ""),
    line(rebalance, "leads = group.leader_id == member.member_id", "leads = True"),
    line(rebalance, "        prepare(turn)", "        maybe_complete_join(turn)"),
    line(rebalance, "    prepare(turn)\n\n\ndef _expire_join", "\n\ndef _expire_join"),
    # Joining
    line(classic, "if current != member_id:", "if False:"),
    line(classic, "if generation != group.generation:", "if generation > group.generation:"),
    line(classic, "if not group.supports(command.protocol_type, command.protocols):", "if False:"),
    line(classic, "if not group.exists and command.member_id != NO_MEMBER_ID:", "if False:"),
    line(classic, "unchanged = member.protocols == command.protocols", "unchanged = True"),
    line(
        classic,
        "if unchanged and group.leader_id != member.member_id:",
        "if unchanged:",
    ),
    line(classic, "return waits or group.join_waiters <", "return True or group.join_waiters <"),
    line(classic, "return member is not None or len(group.members) <", "return True or len(group.members) <"),
    line(classic, "turn.answer(old, fenced)", "pass"),
    line(classic, "group.selected_protocol() == group.protocol_name:", "True:"),
    line(classic, "answer = replace(answer, leader_id=rejoin.leader_shown)", "pass"),
    line(classic, "if group.phase is not Phase.STABLE or group.generation != rejoin.generation:", "if False:"),
    line(classic, "member.new and not member.id_known:", "member.new:"),
    # Syncing and storing
    line(classic, "if group.saving is None or group.saving.ticket != command.ticket:", "if group.saving is None:"),
    line(classic, "command.assignments.get(member_id) or nothing", "command.assignments.get(member_id)"),
    line(classic, "        rebalance.fail_syncs(turn, command.error)\n", ""),
    line(classic, "    snapshot.phase = Phase.STABLE\n", ""),
    line(classic, "    turn.synced(member.member_id)\n", ""),
    line(codec, "session_timeout_ms=session_timeout_ms", "session_timeout_ms=rebalance_timeout_ms"),
    line(codec, "if reader.left or generation < 0 or", "if generation < 0 or"),
    # Committing
    line(classic, "if group.phase is Phase.COMPLETING_REBALANCE:\n        raise", "if False:\n        raise"),
    line(classic, "if command.generation < 0 and group.phase is Phase.EMPTY:", "if command.generation < 0:"),
    line(classic, "if not group.exists and command.generation >= 0:", "if False:"),
    line(offsets, "if len(metadata) > policy.offset_metadata_bytes_max:", "if False:"),
    line(offsets, "return now - since >= retention_ms", "return now - since > retention_ms"),
    line(offsets, "return group.state_since", "return offset.committed_ms"),
    line(offsets, "not group.is_subscribed(topic) and", ""),
    line(offsets, "if offset.expires_ms is not None:", "if False:"),
    # The edge
    line(coordinator, "self._step(Abandon(waiter))", "pass"),
    line(coordinator, "self._lose(lost)", "pass"),
    line(coordinator, "self._lose(unknown)", "pass"),
    line(coordinator, "while self._writes:", "while False:"),
    line(coordinator, "self._step(Resume())", "pass"),
    line(coordinator, "if self.closed or begun != self._commits_begun:", "if self.closed:"),
    line(coordinator, "and self.idle:\n", "and True:\n"),
    line(service, "await asyncio.gather(*resumes)", "[each.close() for each in resumes]"),
    line(service, "await coordinator.settled()", "pass"),
]


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    return of_files(HERE, ("joining", "syncing", "static_members", "offsets", "codec", "service"))


def test_without_a_sabotage_everything_holds(sentences):
    assert failure(sentences) is None


@pytest.mark.sabotage
@pytest.mark.filterwarnings("ignore")
@each(SABOTAGES)
def test_a_sabotage_is_noticed(sabotage, sentences):
    with sabotaged(sabotage):
        assert failure(sentences) is not None
