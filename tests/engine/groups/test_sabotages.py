"""The groups room's tests would notice if a rule broke: one line of the source is changed, and something must fail.

The line is changed in memory. What is asked is the sentences of this folder and some seeds of the simulation.
"""

import importlib.util
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from fleuve.engine.groups import classic, codec, coordinator, offsets, rebalance, service

HERE = Path(__file__).parent
SABOTAGES = [
    # Rebalances
    (rebalance, "group.generation += 1", "group.generation += 0"),
    (rebalance, "if member.join_waiter is None and member.instance_id is None:", "if member.join_waiter is None:"),
    (rebalance, "group.initial is None and group.all_joined:", "group.all_joined:"),
    (rebalance, "group.unsynced = frozenset(group.members)", "group.unsynced = frozenset()"),
    (rebalance, "remaining_ms=max(initial.remaining_ms - initial.delay_ms, 0)", "remaining_ms=initial.remaining_ms"),
    (rebalance, "if initial is None or not initial.grown or", "if initial is None or"),
    (rebalance, "if group.members and not _elect_leader(group):", "if False:"),
    (rebalance, 'turn.change(member, assignment=b"")', "turn.change(member)"),
    (rebalance, "    group.saving = None\n", ""),
    (rebalance, "member.session_deadline <= due:", "member.session_deadline < due - 60_000:"),
    (rebalance, "if not member.new and (member.join_waiter", "if (member.join_waiter"),
    (rebalance, "        turn.save(group)\n", ""),
    (rebalance, "leads = group.leader_id == member.member_id", "leads = True"),
    (rebalance, "        prepare(turn)", "        maybe_complete_join(turn)"),
    (rebalance, "    prepare(turn)\n\n\ndef _expire_join", "\n\ndef _expire_join"),
    # Joining
    (classic, "if current != member_id:", "if False:"),
    (classic, "if generation != group.generation:", "if generation > group.generation:"),
    (classic, "if not group.supports(command.protocol_type, command.protocols):", "if False:"),
    (classic, "if not group.exists and command.member_id != NO_MEMBER_ID:", "if False:"),
    (classic, "unchanged = member.protocols == command.protocols", "unchanged = True"),
    (
        classic,
        "if unchanged and group.leader_id != member.member_id:",
        "if unchanged:",
    ),
    (classic, "return waits or group.join_waiters <", "return True or group.join_waiters <"),
    (classic, "return member is not None or len(group.members) <", "return True or len(group.members) <"),
    (classic, "turn.answer(old, fenced)", "pass"),
    (classic, "group.selected_protocol() == group.protocol_name:", "True:"),
    (classic, "answer = replace(answer, leader_id=rejoin.leader_shown)", "pass"),
    (classic, "if group.phase is not Phase.STABLE or group.generation != rejoin.generation:", "if False:"),
    (classic, "member.new and not member.id_known:", "member.new:"),
    # Syncing and storing
    (classic, "if group.saving is None or group.saving.ticket != command.ticket:", "if group.saving is None:"),
    (classic, "command.assignments.get(member_id) or nothing", "command.assignments.get(member_id)"),
    (classic, "        rebalance.fail_syncs(turn, command.error)\n", ""),
    (classic, "    snapshot.phase = Phase.STABLE\n", ""),
    (classic, "    turn.synced(member.member_id)\n", ""),
    (codec, "session_timeout_ms=session_timeout_ms", "session_timeout_ms=rebalance_timeout_ms"),
    (codec, "if reader.left or generation < 0 or", "if generation < 0 or"),
    # Committing
    (classic, "if group.phase is Phase.COMPLETING_REBALANCE:\n        raise", "if False:\n        raise"),
    (classic, "if command.generation < 0 and group.phase is Phase.EMPTY:", "if command.generation < 0:"),
    (classic, "if not group.exists and command.generation >= 0:", "if False:"),
    (offsets, "if len(metadata) > policy.offset_metadata_bytes_max:", "if False:"),
    (offsets, "return now - since >= retention_ms", "return now - since > retention_ms"),
    (offsets, "return group.state_since", "return offset.committed_ms"),
    (offsets, "not group.is_subscribed(topic) and", ""),
    (offsets, "if offset.expires_ms is not None:", "if False:"),
    # The edge
    (coordinator, "self._step(Abandon(waiter))", "pass"),
    (coordinator, "self._lose(lost)", "pass"),
    (coordinator, "self._lose(unknown)", "pass"),
    (coordinator, "while self._writes:", "while False:"),
    (coordinator, "self._step(Resume())", "pass"),
    (coordinator, "if self.closed or begun != self._commits_begun:", "if self.closed:"),
    (coordinator, "and self.idle:\n", "and True:\n"),
    (service, "await asyncio.gather(*resumes)", "[each.close() for each in resumes]"),
    (service, "await coordinator.settled()", "pass"),
]


def _sabotage_id(sabotage: tuple[ModuleType, str, str]) -> str:
    module, old, new = sabotage
    return f"{module.__name__.rpartition('.')[2]}: {old.strip()[:60]} -> {new.strip()[:40]}"


@contextmanager
def sabotaged(module: ModuleType, old: str, new: str) -> Iterator[None]:
    """Put functions and methods of a changed copy of `module` in place of its own."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{module.__name__} has {old!r} {source.count(old)} times"
    copy: dict[str, object] = {"__name__": module.__name__}
    exec(compile(source.replace(old, new), f"<sabotaged {module.__name__}>", "exec"), copy)
    undo: list[tuple[object, str, object]] = []
    for name, mine in list(vars(module).items()):
        theirs = copy.get(name)
        if getattr(mine, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(mine):
            undo.append((module, name, mine))
            setattr(module, name, theirs)
        elif inspect.isclass(mine):
            for attribute, method in list(vars(mine).items()):
                if inspect.isfunction(method) or isinstance(method, property):
                    undo.append((mine, attribute, method))
                    setattr(mine, attribute, vars(theirs)[attribute])
    try:
        yield
    finally:
        for owner, name, value in undo:
            setattr(owner, name, value)


def _sentences() -> list[Callable[[], object]]:
    """Return the tests of this folder that need no fixture."""
    found: list[Callable[[], object]] = []
    for name in ("joining", "syncing", "static_members", "offsets", "codec", "service"):
        spec = importlib.util.spec_from_file_location(f"sabotaged_{name}", HERE / f"test_{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for test, function in vars(module).items():
            if not test.startswith("test_") or hasattr(function, "hypothesis"):
                continue
            if not inspect.signature(function).parameters:
                found.append(function)
    return found


@pytest.fixture(scope="module")
def sentences() -> list[Callable[[], object]]:
    return _sentences()


def failure(sentences: list[Callable[[], object]]) -> str | None:
    """Return what fails first, or None if everything holds."""
    for sentence in sentences:
        try:
            sentence()
        except (Exception, ExceptionGroup, pytest.fail.Exception):
            return sentence.__name__
    return None


def test_without_a_sabotage_everything_holds(sentences):
    assert failure(sentences) is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sabotage", SABOTAGES, ids=_sabotage_id)
def test_a_sabotage_is_noticed(sabotage, sentences):
    with sabotaged(*sabotage):
        assert failure(sentences) is not None
