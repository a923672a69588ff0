"""Promises broken on purpose, one line each: what the campaigns of `kills.py` must notice.

Each entry changes the running program, in the broker's process (see `launch.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleuve.adapters.journal.appender import Appender
from fleuve.adapters.journal.files import Files
from fleuve.adapters.journal.store import JournalStore
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.groups import SqliteGroupStore
from fleuve.adapters.sqlite.producers import SqliteProducerStore
from fleuve.adapters.sqlite.topics import SqliteTopicStore
from fleuve.base.ids import ProducerId
from fleuve.engine.log import catch_up, decide, flush, recovery
from fleuve.engine.log.recovery import Recovery
from fleuve.engine.maintenance import copying


def _replace(owner: Any, name: str, broken: Any) -> Callable[[], None]:
    return lambda: setattr(owner, name, broken)


def _holds_back(self: Files, fd: int, buffers: Any, position: int, held: list[Any] = []) -> int:  # noqa: B006
    """Write four writes later."""
    held.append((fd, b"".join(buffers), position))
    while len(held) > 4:
        import os

        late_fd, content, late_position = held.pop(0)
        os.pwrite(late_fd, content, late_position)
    return sum(map(len, buffers))


def _flushes_nothing(self: Appender, current: Any) -> None:
    current.synced_end = current.end


def _relaxed(honestly: Any = JournalStore.write) -> Any:
    return lambda self, *arguments, durable: honestly(self, *arguments, durable=False)


def _all_relaxed(honestly: Any = Database.write) -> Any:
    return lambda self, function, *, durable=True: honestly(self, function, durable=False)


def _decided(change: Callable[[Any], object], honestly: Any = decide.decide) -> Any:
    def deciding(*arguments: Any, **named: Any) -> Any:
        decision = honestly(*arguments, **named)
        change(decision)
        return decision

    return deciding


async def _nothing(self: Any, *arguments: Any) -> None:
    """Say that it is done."""


async def _no_replay(self: Recovery, unfinished: Any) -> int:
    return 0


async def _same_id(self: SqliteProducerStore, size: int) -> ProducerId:
    return ProducerId(7000)


async def _deleted_in_words(self: SqliteTopicStore, topic_ids: Any) -> list[Any]:
    return [() for _ in topic_ids]


def _sequences_unchecked(batch: Any, log: Any, states: Any, decision: Any, offset: int, *arguments: Any) -> int:
    return offset


def _replays_half(honestly: Any = recovery._batches) -> Any:
    return lambda found, header: list(honestly(found, header))[:1]


SABOTAGES: dict[str, Callable[[], None]] = {
    "acknowledge before it is written": _replace(Files, "write_some", _holds_back),
    "acknowledge before it is flushed": _replace(JournalStore, "write", _relaxed()),
    "flush nothing": _replace(Appender, "_flush", _flushes_nothing),
    "flush nothing of the catalog": _replace(Database, "write", _all_relaxed()),
    "skip the replay": _replace(Recovery, "_replay", _no_replay),
    "replay the first batch of each flush": _replace(recovery, "_batches", _replays_half()),
    "forget producers": _replace(flush, "decide", _decided(lambda decision: decision.producers.clear())),
    "forget where the bytes are": _replace(flush, "decide", _decided(lambda decision: decision.runs.clear())),
    "decide without sequence numbers": _replace(decide, "_sequenced", _sequences_unchecked),
    "read offsets as they were sent": _replace(catch_up, "patch", lambda *arguments: None),
    "merge offsets as they were sent": _replace(copying, "patch", lambda *arguments: None),
    "forget committed offsets": _replace(SqliteGroupStore, "commit_offsets", _nothing),
    "forget deletions": _replace(SqliteTopicStore, "delete", _deleted_in_words),
    "give a producer id twice": _replace(SqliteProducerStore, "allocate", _same_id),
}
"""By what is done wrong."""
