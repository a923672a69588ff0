"""A campaign of hostile input: number after number an input is made from the seed, sent, and the broker looked at.

An input is what one connection sends: requests with lies in them, each in its place in the schema, or sound requests
around a batch that lies inside. Which it is follows from the seed and the input's number alone, but for the ids that
the broker made; so a failing one can be sent again.
"""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from fleuve.records.batch import walk
from fleuve.wire.generated import fetch, list_offsets, metadata, produce
from hostile.damage import damaged_batch
from hostile.messages import CASES, SERVED, framed, request, versions
from hostile.strangers import LAST_ID, Outcome, send_each
from hostile.world import PARTITIONS, TOPICS, World
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.machine import resident_bytes
from support.wire_client import PRODUCE_VERSION, Client, produce_request, request_frame

GROUP_SIZE = 40
"""Inputs that are sent at once."""
PATIENCE_S = 30.0
LONG_POLL_S = 0.3
"""So long is waited for inputs whose answers may take as long as they say."""
MAY_WAIT = ("fetch", "join_group", "sync_group")
TIMES = (-1, -2, -3, -4, -5, 0, 1_700_000_000_000, (1 << 63) - 1)

API_VERSIONS = framed(struct.pack(">hhih", SERVED["api_versions"].key, 0, 1, -1))
PROBE = request_frame(metadata, metadata.MetadataRequest(topics=[]), 1, LAST_ID, "fuzzer")


@dataclass(frozen=True)
class Input:
    """What one connection sends."""

    number: int
    what: str
    data: bytes
    may_wait: bool


def input_of(seed: int, number: int, world: World) -> Input:
    """Return the input with that number."""
    chance = Random(f"{seed}-{number}")
    if number % 3 == 0:
        return Input(number, "a damaged batch", API_VERSIONS + _around_a_batch(chance) + PROBE, may_wait=False)
    # Every version of every API comes in turn.
    names = [CASES[number % len(CASES)]]
    names += [chance.choice(CASES) for _ in range(chance.choice((0, 0, 0, 1, 3)))]
    lies = chance.choice((0.01, 0.03, 0.1, 0.3))
    data = API_VERSIONS
    for module, version in names:
        content = request(module, version, chance, world, lies=lies, correlation_id=2)
        data += framed(_damaged(content, chance) if chance.random() < 0.1 else content)
    what = ", ".join(f"{module} v{version}" for module, version in names)
    return Input(number, what, data + PROBE, any(module in MAY_WAIT for module, _ in names))


def _damaged(content: bytes, chance: Random) -> bytes:
    """Change some bytes behind the key and the version, wherever they are."""
    out = bytearray(content)
    for _ in range(chance.choice((1, 2, 8))):
        at = chance.randrange(4, len(out))
        out[at : at + 1] = chance.choice((b"", b"\xff", b"\x80", b"\0", b"\x7f", chance.randbytes(3)))
    return bytes(out)


def _around_a_batch(chance: Random) -> bytes:
    """Return requests that produce a batch with lies inside, and have the broker read it again."""
    topic, partition = chance.choice(list(TOPICS)), chance.randrange(PARTITIONS)
    acks = chance.choice((-1, -1, 1, 0))
    made = produce_request(topic, partition, damaged_batch(chance), acks=acks)
    data = request_frame(produce, made, chance.choice((3, 6, 8, PRODUCE_VERSION)), 2, "fuzzer")
    wanted = fetch.FetchPartition(partition=partition, fetch_offset=chance.randrange(50), partition_max_bytes=1 << 20)
    read = fetch.FetchRequest(
        max_wait_ms=0, min_bytes=0, max_bytes=1 << 20, topics=[fetch.FetchTopic(topic=topic, partitions=[wanted])]
    )
    data += request_frame(fetch, read, chance.choice(range(4, 13)), 3, "fuzzer")
    return data + _times(topic, partition, chance)


def _times(topic: str, partition: int, chance: Random) -> bytes:
    asked = list_offsets.ListOffsetsPartition(partition_index=partition, timestamp=chance.choice(TIMES))
    looked_up = list_offsets.ListOffsetsRequest(
        replica_id=-1, topics=[list_offsets.ListOffsetsTopic(name=topic, partitions=[asked])]
    )
    version = chance.choice([version for version in versions("list_offsets") if version >= 8])
    return request_frame(list_offsets, looked_up, version, 4, "fuzzer")


class Found(AssertionError):
    """The broker did what it must not."""


class Campaign:
    """Sends inputs to one broker and looks at it after each group."""

    def __init__(self, broker: BrokerProcess, directory: Path, *, seed: int, memory_bytes_max: int) -> None:
        self._broker = broker
        self._path = directory / "inputs.txt"
        self._seed = seed
        self._world = World(address_of(broker))
        self._memory_bytes_max = memory_bytes_max
        self.sent = 0
        self.resident_bytes_max = 0
        self.outcomes = dict.fromkeys(Outcome, 0)

    def run(self, numbers: Iterator[int], *, seconds: float) -> None:
        """Send the inputs with these numbers until the time is over. Raises Found."""
        deadline = time.monotonic() + seconds
        for first in numbers:
            group = [first, *(number for number, _ in zip(numbers, range(GROUP_SIZE - 1), strict=False))]
            self._send([input_of(self._seed, number, self._world) for number in group])
            if time.monotonic() >= deadline:
                return

    def _send(self, inputs: list[Input]) -> None:
        address = address_of(self._broker)
        try:
            for may_wait, patience_s in ((False, PATIENCE_S), (True, LONG_POLL_S)):
                group = [one for one in inputs if one.may_wait is may_wait]
                for one, stranger in zip(
                    group, send_each(address, [i.data for i in group], timeout_s=patience_s), strict=True
                ):
                    assert stranger.outcome is not None
                    self.outcomes[stranger.outcome] += 1
                    if stranger.outcome is Outcome.NEITHER and not may_wait:
                        raise Found(f"input {one.number}, {one.what}, was neither answered nor closed")
            self.look()
        except (Found, OSError, AssertionError) as error:
            first, last = inputs[0].number, inputs[-1].number
            self._path.write_text("".join(f"{one.number} {one.what}: {one.data.hex()}\n" for one in inputs))
            raise Found(
                f"{error}\nThe last inputs are in {self._path}. To send them again:\n"
                f"FLEUVE_SEED={self._seed} FLEUVE_FUZZ_INPUTS={first}-{last} "
                ".venv/bin/python -m pytest tests/hostile/test_fuzz.py"
            ) from error
        self.sent += len(inputs)

    def look(self) -> None:
        """Check that the broker lives, wrote no traceback and holds no more memory than it may. Raises Found."""
        self._broker.check()
        resident = resident_bytes(self._broker.pid)
        self.resident_bytes_max = max(self.resident_bytes_max, resident)
        if resident > self._memory_bytes_max:
            raise Found(f"the broker holds {resident:,} bytes, {self._memory_bytes_max:,} are allowed")

    def read_everything(self) -> int:
        """Fetch all that was stored, and look up times in it; return the bytes. Raises Found."""
        size = 0
        address = address_of(self._broker)
        with Client(address, timeout_s=PATIENCE_S) as client:
            for topic, partition in itertools.product(TOPICS, range(PARTITIONS)):
                inputs = [_times(topic, partition, Random(number)) + PROBE for number in range(20)]
                if any(stranger.outcome is not Outcome.ANSWERED for stranger in send_each(address, inputs)):
                    raise Found(f"times in {topic}-{partition} were not looked up")
                size += sum(map(len, _stored(client, topic, partition)))
        self.look()
        return size


def _stored(client: Client, topic: str, partition: int) -> Iterator[bytes | memoryview]:
    """Yield what a partition has, as it is fetched: from its start on, whole batches."""
    offset, end = client.start_offset(topic, partition), client.end_offset(topic, partition)
    while offset < end:
        records, _ = client.fetch(topic, partition, offset)
        following = offset
        for _, _, base_offset, last_offset_delta, _ in walk(records, 0, len(records)):
            following = base_offset + last_offset_delta + 1
        if following <= offset:
            raise Found(f"{topic}-{partition} has nothing at {offset}, and ends at {end}")
        offset = following
        yield records
