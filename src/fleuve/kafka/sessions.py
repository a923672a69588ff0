"""Incremental fetch sessions (KIP-227): what a consumer fetches is remembered, so that it need not say it each time.

    (0, −1)  no session                        (0, 0)  new session, full request
    (id, n)  incremental: only what changed    (id, −1)  close the session, answer without one

An incremental request names the partitions that changed; its answer, those with something new: records, an error, or
another high watermark or log start. The epoch counts the requests of a session, so that a lost or repeated one is
noticed. Partitions that had records move to the end, so that a full answer starves nobody.

There are `slots` sessions, and a bound for the partitions in all of them. A new one may take the place of one that was
not used for `EVICTION_MS`, or of a smaller one that had its `EVICTION_MS`; else the client gets no session, and sends
full requests.

Pure: no I/O, no clock; chance and time are given. A partition that is idle costs a comparison or two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, Protocol
from uuid import UUID

from fleuve.base.errors import FleuveError, Verdict
from fleuve.kafka.stats import KafkaStats

EVICTION_MS = 120_000
"""As in Apache Kafka, where it is no setting either."""
SLOTS_DEFAULT = 1_000
NO_SESSION = 0
EPOCH_INITIAL = 0
EPOCH_FINAL = -1
EPOCH_MAX = 2**31 - 1
PARTITIONS_PER_SLOT = 200
"""Partitions in all sessions, for each slot: they are what takes memory, and a session may have any number."""
SCAN_PAUSE_MS = 1_000
"""After a search for a smaller session found none, how long none is searched for."""

Key = tuple[str | UUID, int]
"""A partition as the client names it: topic name, or id from Fetch v13 on, and partition number."""


class SessionNotFound(FleuveError, verdict=Verdict.REFRESH):
    """There is no such session (any more): the client starts a new one."""


class InvalidSessionEpoch(FleuveError, verdict=Verdict.REFRESH):
    """The request is not the one that follows in its session."""


class SessionTopicIdMismatch(FleuveError, verdict=Verdict.REFRESH):
    """The session was begun with topic names and goes on with ids, or the other way round."""


class ReadResult(Protocol):
    """What a read of one partition found; the log's results are of this shape."""

    error: Any
    high_watermark: int
    log_start_offset: int
    records: Any
    diverging: Any


class WantedPartition:
    """A partition that a client fetches, and what it was told last."""

    __slots__ = (
        "high_watermark",
        "index",
        "last_fetched_epoch",
        "leader_epoch",
        "log_start_offset",
        "max_bytes",
        "offset",
        "resolved",
        "topic",
        "want",
    )

    def __init__(
        self,
        topic: str | UUID,
        index: int,
        offset: int,
        max_bytes: int,
        leader_epoch: int = -1,
        last_fetched_epoch: int = -1,
    ) -> None:
        self.topic = topic
        self.index = index
        self.offset = offset
        self.max_bytes = max_bytes
        self.leader_epoch = leader_epoch
        """The client's current leader epoch."""
        self.last_fetched_epoch = last_fetched_epoch
        self.high_watermark = -1
        """As told last; -1 if never, so that the first answer has it."""
        self.log_start_offset = -1
        self.resolved: Any = None
        """What the handler found the topic to be, when it made `want`."""
        self.want: Any = None
        """The handler's own: the read to be made."""

    @property
    def key(self) -> Key:
        """The partition as the client names it."""
        return (self.topic, self.index)

    def update(self, other: WantedPartition) -> None:
        """Take over what a client changed."""
        self.offset = other.offset
        self.max_bytes = other.max_bytes
        self.leader_epoch = other.leader_epoch
        self.last_fetched_epoch = other.last_fetched_epoch
        self.want = None


class Session:
    """What one client fetches."""

    __slots__ = ("by_id", "created_ms", "epoch", "id", "partitions", "size", "used_ms")

    def __init__(self, session_id: int, partitions: dict[Key, WantedPartition], *, by_id: bool, now_ms: int):
        self.id = session_id
        self.partitions = partitions
        self.by_id = by_id
        self.epoch = 1
        """The epoch that the next request must have."""
        self.created_ms = now_ms
        self.used_ms = now_ms
        self.size = len(partitions)
        """Number of partitions when it was last used; what is compared for eviction."""


class Turn:
    """One Fetch request: the partitions to read, in order, and how to answer."""

    __slots__ = ("_by_id", "_creates", "_epoch", "_session", "_sessions", "partitions")

    def __init__(
        self,
        sessions: FetchSessions,
        partitions: list[WantedPartition],
        *,
        session: Session | None = None,
        creates: bool = False,
        by_id: bool = False,
    ) -> None:
        self._sessions = sessions
        self._session = session
        self._epoch = 0 if session is None else session.epoch
        self._creates = creates
        self._by_id = by_id
        self.partitions = partitions

    def finish(self, results: Sequence[ReadResult], *, now_ms: int) -> tuple[int, list[int]]:
        """Return the session's id (0: none) and which partitions the answer must have, as indexes into both lists.

        `results` has one entry for each of `partitions`. Raises InvalidSessionEpoch if another request of the same
        session came in between, and this one's answer would be out of order.
        """
        session = self._session
        if session is None:
            if not self._creates:
                return NO_SESSION, list(range(len(results)))
            for partition, result in zip(self.partitions, results, strict=True):
                _told(partition, result)
            session_id = self._sessions.create(self.partitions, by_id=self._by_id, now_ms=now_ms)
            return session_id, list(range(len(results)))
        if session.epoch != self._epoch:
            raise InvalidSessionEpoch(f"fetch session {session.id} has gone on to epoch {session.epoch}")
        return session.id, self._changed(session, results)

    def _changed(self, session: Session, results: Sequence[ReadResult]) -> list[int]:
        changed = []
        for index, (partition, result) in enumerate(zip(self.partitions, results, strict=True)):
            records = result.records
            if (
                not records
                and result.high_watermark == partition.high_watermark
                and result.log_start_offset == partition.log_start_offset
                and result.error is None
                and result.diverging is None
            ):
                continue
            changed.append(index)
            _told(partition, result)
            if records:
                key = partition.key
                if session.partitions.pop(key, None) is not None:
                    session.partitions[key] = partition
        return changed


def _told(partition: WantedPartition, result: ReadResult) -> None:
    if result.error is None:
        partition.high_watermark = result.high_watermark
        partition.log_start_offset = result.log_start_offset
    else:
        # The end of an error is something to tell, too.
        partition.high_watermark = -1


class FetchSessions:
    """All sessions of a broker."""

    def __init__(self, random: Random, *, slots: int = SLOTS_DEFAULT, stats: KafkaStats | None = None) -> None:
        """Make an empty cache; `slots` is `max.incremental.fetch.session.cache.slots`, 0 for no sessions at all."""
        assert slots >= 0
        self._random = random
        self._slots = slots
        self._stats = KafkaStats() if stats is None else stats
        self._sessions: dict[int, Session] = {}
        """In the order of their last use."""
        self._scan_ms = 0
        self._partitions = 0
        """In all sessions, by their `size`."""

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(
        self,
        session_id: int,
        epoch: int,
        asked: Iterable[WantedPartition],
        forgotten: Iterable[Key] = (),
        *,
        by_id: bool,
        now_ms: int,
    ) -> Turn:
        """Return what a request with this session id and epoch reads.

        `by_id` tells whether partitions are named by topic ids. Raises SessionNotFound, InvalidSessionEpoch and
        SessionTopicIdMismatch.
        """
        if epoch in (EPOCH_INITIAL, EPOCH_FINAL):
            if session_id != NO_SESSION:
                self._remove(session_id)
            wanted = {partition.key: partition for partition in asked}
            return Turn(self, list(wanted.values()), creates=epoch == EPOCH_INITIAL, by_id=by_id)
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionNotFound(f"there is no fetch session {session_id}")
        if session.epoch != epoch:
            raise InvalidSessionEpoch(
                f"fetch session {session_id} expects epoch {session.epoch}, the request has {epoch}"
            )
        if session.by_id != by_id:
            raise SessionTopicIdMismatch(f"fetch session {session_id} began with {_naming(by_id=session.by_id)}")
        partitions = session.partitions
        for partition in asked:
            known = partitions.get(partition.key)
            if known is None:
                if self._partitions + len(partitions) - session.size >= self._slots * PARTITIONS_PER_SLOT:
                    self._remove(session_id)
                    raise SessionNotFound(f"fetch session {session_id} has become too large")
                partitions[partition.key] = partition
            else:
                known.update(partition)
        for key in forgotten:
            partitions.pop(key, None)
        if not partitions:
            self._remove(session_id)
            return Turn(self, [])
        self._touch(session, now_ms)
        session.epoch = 1 if epoch == EPOCH_MAX else epoch + 1
        return Turn(self, list(partitions.values()), session=session)

    def create(self, partitions: Sequence[WantedPartition], *, by_id: bool, now_ms: int) -> int:
        """Remember `partitions` as a new session and return its id; 0 if there is no slot for it."""
        if not self._make_room(len(partitions), now_ms):
            return NO_SESSION
        session_id = NO_SESSION
        while session_id == NO_SESSION or session_id in self._sessions:
            session_id = self._random.randrange(1, 2**31)
        wanted = {partition.key: partition for partition in partitions}
        self._sessions[session_id] = Session(session_id, wanted, by_id=by_id, now_ms=now_ms)
        self._partitions += len(wanted)
        self._stats.sessions = len(self._sessions)
        return session_id

    def _make_room(self, size: int, now_ms: int) -> bool:
        partitions_max = self._slots * PARTITIONS_PER_SLOT
        while len(self._sessions) >= self._slots or self._partitions + size > partitions_max:
            oldest = next(iter(self._sessions.values()), None)
            if oldest is None or now_ms - oldest.used_ms <= EVICTION_MS:
                break
            self._evict(oldest)
        else:
            return True
        if self._partitions + size > partitions_max or now_ms < self._scan_ms:
            return False
        aged = [session for session in self._sessions.values() if now_ms - session.created_ms > EVICTION_MS]
        smallest = min(aged, key=lambda session: session.size, default=None)
        if smallest is None or smallest.size >= size:
            # Clients without a session ask with each request: do not search for each of them.
            self._scan_ms = now_ms + SCAN_PAUSE_MS
            return False
        self._evict(smallest)
        return True

    def _evict(self, session: Session) -> None:
        self._stats.sessions_evicted += 1
        self._remove(session.id)

    def _remove(self, session_id: int) -> None:
        session = self._sessions.pop(session_id, None)
        if session is not None:
            self._partitions -= session.size
        self._stats.sessions = len(self._sessions)

    def _touch(self, session: Session, now_ms: int) -> None:
        session.used_ms = now_ms
        self._partitions += len(session.partitions) - session.size
        session.size = len(session.partitions)
        self._sessions[session.id] = self._sessions.pop(session.id)


def _naming(*, by_id: bool) -> str:
    return "topic ids" if by_id else "topic names"
