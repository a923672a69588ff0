"""Consumers without a group: they read from anywhere, with and without fetch sessions, and wait for what is new."""

from __future__ import annotations

import asyncio
from typing import Any

from fleuve.records.batch import check_batch, is_log_append_time, read_header, walk
from fleuve.records.record import decode
from fleuve.simulation.client import Client, Lost
from fleuve.simulation.history import Violation
from fleuve.simulation.model import Batch, Floor, Partition, Topic
from fleuve.simulation.play import Play
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import fetch, list_offsets

VERSIONS = (13, 15, 17)
"""Those with topic ids."""
RECORD_BYTES_MAX = 1 << 26
SLACK_S = 0.2
"""An answer is on its way so long at most, where nothing stalls."""
SESSION_ERRORS = {
    ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
    ErrorCode.INVALID_FETCH_SESSION_EPOCH,
    ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
}
ROUGH_ERRORS = {ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.REQUEST_TIMED_OUT}
EARLIEST, LATEST = -2, -1

Where = tuple[Topic, int]


def batches_of(records: Any) -> list[Batch]:
    """Return what is in a Fetch answer's records, checked. Raises what the checks raise."""
    if not records:
        return []
    view = memoryview(records)
    found: list[Batch] = []
    for position, size, base_offset, last_delta, max_timestamp in walk(view, 0, len(view)):
        header = read_header(view, position)
        # An empty one takes the place of records that the page-cache promise has lost.
        content: list[tuple[int, bytes, int]] = []
        if header.records_count:
            check_batch(view, position, position + size, control_allowed=True)
            stamped = is_log_append_time(header.attributes)
            content = [
                (
                    base_offset + record.offset_delta,
                    record.value or b"",
                    max_timestamp if stamped else header.base_timestamp + record.timestamp_delta,
                )
                for record in decode(view[position : position + size], size_bytes_max=RECORD_BYTES_MAX)
            ]
        found.append((base_offset, base_offset + last_delta, content))
    return found


class Consumer:
    """One consumer: some partitions, a position in each, perhaps a session."""

    def __init__(self, play: Play, client: Client) -> None:
        self._play = play
        self._client = client
        self._positions: dict[Where, int] = {}
        self._version = client.chance.choice(VERSIONS)
        self._with_session = client.chance.random() < 0.6
        self._session_id = 0
        self._session_epoch = 0
        self._in_session: dict[Where, int] = {}

    async def run(self) -> None:
        """Read until the end."""
        chance = self._client.chance
        while self._play.going:
            await asyncio.sleep(chance.random() * chance.choice([0.01, 0.1, 0.5]) * self._play.pace)
            try:
                if not self._positions or chance.random() < 0.05:
                    self._assign()
                if self._positions:
                    await self._fetch()
            except Lost:
                self._forget_session()

    def _assign(self) -> None:
        chance = self._client.chance
        self._positions.clear()
        for _ in range(chance.choice([1, 2, 4])):
            picked = self._play.some_partition(chance)
            if picked is not None:
                partition = picked[0].partitions[picked[1]]
                end = partition.ends[-1][1]
                self._positions[picked] = chance.choice([0, partition.log_start, end, chance.randrange(end + 1)])

    def _forget_session(self) -> None:
        self._session_id = self._session_epoch = 0
        self._in_session.clear()

    # ------------------------------------------------------------ fetching

    async def _fetch(self) -> None:
        play, client, chance = self._play, self._client, self._client.chance
        self._positions = {where: at for where, at in self._positions.items() if not where[0].deletion_asked}
        wanted = dict(self._positions)
        if not wanted:
            return
        min_bytes = chance.choice([0, 1, 1, 1, 5_000])
        max_wait_ms = chance.choice([0, 100, 500, 2_000])
        request = self._request(wanted, min_bytes=min_bytes, max_wait_ms=max_wait_ms)
        now = play.now()
        floors = {where: _partition(where).floor(now) for where in wanted}
        shown = ", ".join(f"{_partition(where).name}@{offset}" for where, offset in wanted.items())
        what = f"Fetch v{self._version} session {request.session_id}/{request.session_epoch} {shown}"
        socket = await client.connect()
        lazy = chance.random() < 0.03
        if lazy:
            socket.stop_reading()
        answer = client.send_on(
            socket, fetch, request, self._version, f"{what} wait {max_wait_ms} ms for {min_bytes} bytes"
        )
        if lazy:
            await asyncio.sleep(chance.random() * 3)
            socket.start_reading()
        response = await client.answer(answer)
        if response.error_code in SESSION_ERRORS:
            client.note(f"fetch: {ErrorCode(response.error_code).name}")
            self._forget_session()
            return
        if response.error_code:
            self._refused(ErrorCode(response.error_code))
            return
        self._take_session(request, response)
        got = await self._take(response, wanted, floors)
        if not got and min_bytes <= 1:
            # Whoever waits is woken by what it waits for.
            patient = max_wait_ms and not lazy and not play.rough and not play.slow
            until = play.now() - SLACK_S if patient else None
            for where, floor in floors.items():
                if not where[0].deletion_asked and self._positions.get(where) == wanted[where]:
                    waited = until if until is not None and until > floor.sent_at else None
                    _partition(where).check_nothing(wanted[where], floor, waited_until=waited)

    def _request(self, wanted: dict[Where, int], *, min_bytes: int, max_wait_ms: int) -> fetch.FetchRequest:
        chance = self._client.chance
        asked = wanted
        forgotten: list[Where] = []
        session_id, session_epoch = 0, -1
        if self._with_session:
            session_id, session_epoch = self._session_id, self._session_epoch
            if session_id:
                asked = {where: at for where, at in wanted.items() if self._in_session.get(where) != at}
                forgotten = [where for where in self._in_session if where not in wanted]
            self._in_session = dict(wanted)
        topics: dict[Topic, fetch.FetchTopic] = {}
        for (topic, index), offset in asked.items():
            data = topics.setdefault(topic, fetch.FetchTopic(topic_id=topic.id, partitions=[]))
            size = chance.choice([1, 1_000, 100_000, 1_000_000])
            data.partitions.append(
                fetch.FetchPartition(
                    partition=index, current_leader_epoch=-1, fetch_offset=offset, partition_max_bytes=size
                )
            )
        gone: dict[Topic, fetch.ForgottenTopic] = {}
        for topic, index in forgotten:
            gone.setdefault(topic, fetch.ForgottenTopic(topic_id=topic.id, partitions=[])).partitions.append(index)
        return fetch.FetchRequest(
            max_wait_ms=max_wait_ms,
            min_bytes=min_bytes,
            max_bytes=chance.choice([1, 10_000, 1_000_000]),
            isolation_level=chance.randrange(2),
            session_id=session_id,
            session_epoch=session_epoch,
            topics=list(topics.values()),
            forgotten_topics_data=list(gone.values()),
        )

    def _take_session(self, request: fetch.FetchRequest, response: Any) -> None:
        if not self._with_session:
            return
        if request.session_id == 0:
            self._session_id, self._session_epoch = response.session_id, 1
            if not response.session_id:
                self._forget_session()
        elif response.session_id != request.session_id:
            raise Violation(9, f"{self._client.name}: session {response.session_id} in place of {request.session_id}")
        else:
            self._session_epoch += 1

    async def _take(self, response: Any, wanted: dict[Where, int], floors: dict[Where, Floor]) -> bool:
        """Take what was answered; return whether there was any record or error."""
        got = False
        by_id = {(topic.id, index): (topic, index) for topic, index in wanted}
        for answered in response.responses:
            for one in answered.partitions:
                where = by_id.get((answered.topic_id, one.partition_index))
                if where is None:
                    raise Violation(9, f"{self._client.name} got {answered.topic_id}, and has not asked for it")
                if one.error_code:
                    got = True
                    await self._take_error(where, ErrorCode(one.error_code), wanted[where], floors[where])
                else:
                    got = self._take_records(where, one, wanted[where], floors[where]) or got
        return got

    def _take_records(self, where: Where, one: Any, offset: int, floor: Floor) -> bool:
        partition, now = _partition(where), self._play.now()
        partition.check_ends(floor, log_start=one.log_start_offset, high_watermark=one.high_watermark, now=now)
        if one.last_stable_offset != one.high_watermark:
            raise Violation(5, f"{partition.name}: stable to {one.last_stable_offset} of {one.high_watermark}")
        batches = batches_of(one.records)
        if not batches:
            return False
        partition.read(offset, batches, floor, log_start=one.log_start_offset, high_watermark=one.high_watermark)
        self._positions[where] = batches[-1][1] + 1
        self._play.records_read += sum(len(records) for _, _, records in batches)
        self._client.note(f"{partition.name}: {offset} to {batches[-1][1]} of {one.high_watermark}")
        return True

    async def _take_error(self, where: Where, error: ErrorCode, offset: int, floor: Floor) -> None:
        partition = _partition(where)
        self._client.note(f"{partition.name}: {error.name} at {offset}")
        if error == ErrorCode.OFFSET_OUT_OF_RANGE:
            partition.check_out_of_range(offset, floor)
            self._positions[where] = await self._look_up(where)
        elif error in {ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}:
            if not where[0].deletion_asked:
                raise Violation(1, f"{partition.name} is said not to exist, and nobody has deleted it")
            self._positions.pop(where, None)
        else:
            self._refused(error)

    def _refused(self, error: ErrorCode) -> None:
        if error not in ROUGH_ERRORS or not self._play.rough:
            raise Violation(9, f"{self._client.name}: {error.name} to a fetch while nothing is broken")

    async def _look_up(self, where: Where) -> int:
        """Return the begin or the end of the partition."""
        topic, index = where
        partition = topic.partitions[index]
        timestamp = self._client.chance.choice([EARLIEST, LATEST])
        floor = partition.floor(self._play.now())
        if topic.recreatable:
            return max(floor.log_start, 0)
        wanted = list_offsets.ListOffsetsPartition(partition_index=index, timestamp=timestamp, current_leader_epoch=-1)
        request = list_offsets.ListOffsetsRequest(
            replica_id=-1, topics=[list_offsets.ListOffsetsTopic(name=topic.name, partitions=[wanted])]
        )
        response = await self._client.call(list_offsets, request, 7, f"ListOffsets {partition.name} {timestamp}")
        (answer,) = response.topics[0].partitions
        if answer.error_code:
            self._client.note(f"{partition.name}: {ErrorCode(answer.error_code).name}")
            return floor.log_start
        offset = int(answer.offset)
        if timestamp == LATEST:
            partition.check_ends(floor, log_start=None, high_watermark=offset, now=self._play.now())
        elif offset < floor.log_start and floor.cut == partition.cuts:
            raise Violation(3, f"{partition.name} begins at {offset} again, after it began at {floor.log_start}")
        else:
            partition.begin_at(offset)
        return offset


def _partition(where: Where) -> Partition:
    return where[0].partitions[where[1]]
