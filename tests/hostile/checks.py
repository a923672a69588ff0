"""What must hold of a broker whatever clients do, each in a short form: it raises if it does not.

The sabotages of `test_sabotages.py` break one bound each, and the check beside it must notice.
"""

from __future__ import annotations

import contextlib
import struct
import time

from fleuve.records import batch as layout
from fleuve.records.compression import Compression, compress
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import describe_topic_partitions, fetch, metadata
from fleuve.wire.primitives import uvarint
from hostile.attacks import (
    MIB,
    REQUEST_BYTES_MAX,
    Attack,
    fetch_all,
    half_open,
    long_polls,
    never_ending,
    slow_readers,
)
from hostile.control import Control
from hostile.damage import BOMB_BYTES
from hostile.messages import SERVED, framed
from hostile.strangers import LAST_ID, Outcome, Stranger, send_each
from support.batches import batch
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.machine import resident_bytes
from support.wire_client import FETCH_VERSION, Client, RefusedError, request_frame

PATIENCE_S = 15.0
"""Who is not served for so long is not served."""
GROWTH_BYTES_MAX = 80 * MIB
PROBE = request_frame(metadata, metadata.MetadataRequest(topics=[]), 1, LAST_ID, "stranger")


def sent(broker: BrokerProcess, *inputs: bytes) -> list[Stranger]:
    return send_each(address_of(broker), inputs, timeout_s=PATIENCE_S)


def expect(broker: BrokerProcess, outcome: Outcome, *inputs: bytes) -> None:
    found = [stranger.outcome for stranger in sent(broker, *inputs)]
    assert found == [outcome] * len(inputs), found
    broker.check()


def sizes_are_bounded(broker: BrokerProcess) -> None:
    expect(broker, Outcome.CLOSED, *(struct.pack(">i", size) for size in (-1, REQUEST_BYTES_MAX + 1, (1 << 31) - 1)))


def nonsense_is_closed(broker: BrokerProcess) -> None:
    expect(broker, Outcome.CLOSED, framed(b"\0\3\0\1"), framed(struct.pack(">hhih", 3, 99, 1, -1)))


def _describing(content: bytes) -> bytes:
    api = SERVED["describe_topic_partitions"]
    return framed(struct.pack(">hhih", api.key, 0, LAST_ID, -1) + b"\0" + content)


def lengths_are_not_believed(broker: BrokerProcess) -> None:
    whole = describe_topic_partitions.encode_request(describe_topic_partitions.DescribeTopicPartitionsRequest(), 0)
    expect(broker, Outcome.ANSWERED, _describing(whole))
    # One tagged field, whose value ends behind the request.
    expect(broker, Outcome.CLOSED, _describing(whole[:-1] + b"\1\x63\x7f"))


def elements_are_counted(broker: BrokerProcess) -> None:
    # Each takes two bytes here, and a hundred where it is decoded.
    count = 3 * MIB
    expect(broker, Outcome.CLOSED, _describing(uvarint(count + 1) + b"\1\0" * count + bytes(4) + b"\xff\0"))


def names_can_be_told_again(broker: BrokerProcess) -> None:
    name = b"\xff" * 30_000
    content = struct.pack(">hhihih", 3, 1, LAST_ID, -1, 1, len(name)) + name
    expect(broker, Outcome.ANSWERED, framed(content))


def memory_is_bounded(broker: BrokerProcess, attack: Attack, *, more_bytes: int = 0, seconds: float = 3.0) -> None:
    before = resident_bytes(broker.pid)
    ends = time.monotonic() + seconds
    with contextlib.ExitStack() as attackers:
        attack(address_of(broker), attackers)
        while time.monotonic() < ends:
            growth = resident_bytes(broker.pid) - before
            assert growth < GROWTH_BYTES_MAX + more_bytes, f"memory grew by {growth / MIB:.0f} MiB"
            time.sleep(0.02)
    broker.check()


def requests_take_memory(broker: BrokerProcess) -> None:
    memory_is_bounded(broker, never_ending(900_000, 890_000, 200))


def answers_take_memory(broker: BrokerProcess) -> None:
    memory_is_bounded(broker, slow_readers(100), seconds=10.0)


def others_are_served(broker: BrokerProcess, attack: Attack, *, large: int = 5) -> None:
    address = address_of(broker)
    with Control(address, timeout_s=PATIENCE_S) as control, contextlib.ExitStack() as attackers:
        control.wait_for_large(1)
        attack(address, attackers)
        control.wait_for_large(large)
    broker.check()


def memory_is_given_back(broker: BrokerProcess) -> None:
    others_are_served(broker, lambda address, stack: None, large=50)


def slow_frames_lose_their_memory(broker: BrokerProcess) -> None:
    others_are_served(broker, never_ending(300_000, 290_000, 100))


def memory_behind_long_polls_is_freed(broker: BrokerProcess) -> None:
    with contextlib.ExitStack() as attackers:
        long_polls(100)(address_of(broker), attackers)
        large = struct.pack(">i", 3 * MIB) + PROBE[4:].ljust(3 * MIB, b"\0")
        # The first ones may come before those that get stuck.
        for _ in range(50):
            expect(broker, Outcome.ANSWERED, large)


def _bomb(content: bytes, count: int) -> bytes:
    stored = compress(Compression.ZSTD, content)
    out = bytearray(layout.HEADER_SIZE_BYTES) + stored
    header = layout.read_header(bytes(batch(b"x")) + bytes(len(stored)))._replace(
        size_bytes=len(out), attributes=int(Compression.ZSTD), records_count=count, last_offset_delta=count - 1
    )
    layout.write_header(out, 0, header)
    return bytes(out)


def _refused(client: Client, made: bytes) -> None:
    with contextlib.suppress(RefusedError):
        client.produce("compacted", 0, made)
        raise AssertionError("it was taken")


def bombs_are_refused(broker: BrokerProcess) -> None:
    bomb = _bomb(bytes(BOMB_BYTES), 1)
    with Client(address_of(broker), timeout_s=PATIENCE_S) as client:
        client.create_topic("compacted", 1, {"cleanup.policy": "compact"})
        before = resident_bytes(broker.pid)
        for _ in range(5):
            _refused(client, bomb)
        assert resident_bytes(broker.pid) - before < GROWTH_BYTES_MAX
    broker.check()


def counts_are_not_believed(broker: BrokerProcess) -> None:
    made = batch(b"one")
    header = layout.read_header(made)._replace(records_count=1 << 30, last_offset_delta=(1 << 30) - 1)
    layout.write_header(made, 0, header)
    with Client(address_of(broker), timeout_s=PATIENCE_S) as client:
        client.create_topic("counted", 1)
        try:
            client.produce("counted", 0, made)
        except RefusedError as refused:
            assert refused.code is ErrorCode.INVALID_RECORD
        else:
            raise AssertionError("it was taken")


def sessions_are_bounded(broker: BrokerProcess) -> None:
    request = fetch_all("unknown", 3000, max_wait_ms=0, min_bytes=0)
    request.session_id, request.session_epoch = 0, 0
    with Client(address_of(broker), timeout_s=PATIENCE_S) as client:
        sessions = [client.call(fetch, request, FETCH_VERSION).session_id for _ in range(40)]
    assert sessions[-1] == 0, "there was room for all"


def files_can_be_opened(broker: BrokerProcess) -> None:
    others_are_served(broker, half_open(500), large=20)


def who_says_nothing_is_closed(broker: BrokerProcess) -> None:
    (stranger,) = sent(broker, b"\0\0")
    assert stranger.outcome is Outcome.CLOSED
