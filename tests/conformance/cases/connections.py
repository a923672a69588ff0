"""What becomes of a connection on which something is wrong."""

from __future__ import annotations

from conformance.requests import append, fetched, looked_up, numbered, produced
from conformance.scenario import Kafka, case
from fleuve.wire.apis import APIS
from fleuve.wire.generated import fetch, find_coordinator, list_offsets, metadata, produce


@case
def apis_that_there_are_not(kafka: Kafka) -> None:
    """Keys that no broker has, or only brokers among themselves."""
    for key in 93, 999, 32767, -1, 4, 5, 6, 7, 52, 58, 70:
        a = kafka.connect()
        a.send_bytes(key, 0, b"\x00" * 20)
        a.receive()


@case
def versions_that_there_are_not(kafka: Kafka) -> None:
    """One version too many, and one too few, of every API."""
    for api in APIS.values():
        if api.key in {0, 18}:
            continue
        for version in api.version_max + (2 if api.name == "InitProducerId" else 1), api.version_min - 1:
            a = kafka.connect()
            a.send_bytes(api.key, version, b"\x00" * 20)
            a.receive()


@case
def frames(kafka: Kafka) -> None:
    """A size that is negative, 0, too small for a header, too large."""
    for raw in (
        (-1).to_bytes(4, signed=True),
        (0).to_bytes(4),
        (1).to_bytes(4) + b"\x00",
        (9).to_bytes(4) + b"\x00" * 9,
        (104_857_601).to_bytes(4) + b"\x00" * 10,
        (2**31 - 1).to_bytes(4),
        b"GET / HTTP/1.1\r\n\r\n",
        bytes.fromhex("16030100c8010000c40303") + b"\x00" * 60,
    ):
        a = kafka.connect()
        a.send_frame(raw)
        a.receive()


@case
def headers(kafka: Kafka) -> None:
    """A client id that is cut off or no text; tags where there are none; a header without its tags."""
    plain, flexible = "0001 67 00000000 0001 6d", "0267 00000000 026d 00 00"
    for header in (
        "000c 0000 00000001 0010 61",
        f"000c 0000 00000001 0002 c328 {plain}",
        f"000c 0000 00000001 fffe {plain}",
        "000c 0004 00000001 ffff",
        f"000c 0004 00000001 ffff 00 {flexible}",
        f"000c 0004 00000001 ffff 01 00 01 61 {flexible}",
        f"000c 0004 00000001 ffff 02 00 01 61 00 01 61 {flexible}",
        f"000c 0004 00000001 ffff 02 05 01 61 01 01 61 {flexible}",
        f"000c 0004 00000001 ffff 01 00 7f 61 {flexible}",
    ):
        a = kafka.connect()
        raw = bytes.fromhex(header)
        a.send_frame(len(raw).to_bytes(4) + raw)
        a.receive()


@case
def an_absurd_number_of_tags(kafka: Kafka) -> None:
    """A header that says it has 2³²−1 tagged fields."""
    a = kafka.connect()
    raw = bytes.fromhex("000c 0004 00000001 ffff ffffffff0f 0267 00000000 026d 00 00")
    a.send_frame(len(raw).to_bytes(4) + raw)
    a.receive()


@case
def bodies(kafka: Kafka) -> None:
    """Bodies that end too early, go on too long, or say absurd lengths."""
    for body in (
        "",
        "00",
        "00000001",
        "00000001 0001",
        "7fffffff",
        "fffffffe",
        "00000000 ffff",
        "00000001 ffff",
        "00000001 7fff 61",
        "00000001 0001 ff",
        "00000000 00000000",
    ):
        a = kafka.connect()
        a.send_bytes(metadata, 1, bytes.fromhex(body))
        a.receive()
    for body in "00", "01 01 00", "02 00", "ffffffff0f", "8080808001", "01 01 01 00", "01 00 00 01 00 01 61":
        a = kafka.connect()
        a.send_bytes(metadata, 9, bytes.fromhex(body))
        a.receive()


@case
def tags_that_nobody_knows(kafka: Kafka) -> None:
    """Tagged fields in a body that no version has."""
    a = kafka.connect()
    a.send_bytes(find_coordinator, 3, bytes.fromhex("0261 00 01 07 02 6162"))
    a.receive()
    a.send_bytes(find_coordinator, 3, bytes.fromhex("0261 00 00"))
    a.receive()


@case
def text_that_is_none(kafka: Kafka) -> None:
    """A name that is not UTF-8."""
    a = kafka.connect()
    a.send_bytes(metadata, 4, bytes.fromhex("00000001 0002 c328 00"))
    a.receive()


@case
def a_connection_goes_with_its_requests(kafka: Kafka) -> None:
    """Requests before a bad one on the same connection are answered."""
    a = kafka.connect()
    a.send(metadata, metadata.MetadataRequest(topics=[]), 4)
    a.send_bytes(999, 0, b"")
    a.receive()
    a.receive()


@case
def answers_keep_the_order_of_requests(kafka: Kafka) -> None:
    """Many kinds of requests at once; those behind a fetch that waits, wait as well."""
    topic = kafka.topic()
    a, b = kafka.connect(), kafka.connect()
    a.send(produce, produced(topic, {0: numbered(0, 1)}, 9), 9)
    a.send(list_offsets, looked_up(topic, {0: -1}), 4)
    a.send(produce, produced(topic, {0: numbered(1, 1)}, 9), 9)
    a.send(fetch, fetched(topic, {0: 0}), 12)
    a.send(metadata, metadata.MetadataRequest(topics=[]), 4)
    a.send(fetch, fetched(topic, {0: 2}, min_bytes=1, max_wait_ms=20_000), 12)
    a.send(produce, produced(topic, {0: numbered(9, 1)}, 9, acks=1), 9)
    a.send(list_offsets, looked_up(topic, {0: -1}), 4)
    for _ in range(5):
        a.receive()
    a.waits()
    append(b, topic, numbered(2, 1))
    for _ in range(3):
        a.receive()


@case
def a_connection_reads_what_it_wrote(kafka: Kafka) -> None:
    """Records of every kind of acknowledgement are there for the requests behind them."""
    topic = kafka.topic()
    a = kafka.connect()
    for number in range(4):
        for acks in 0, 1, -1:
            a.send(produce, produced(topic, {0: numbered(number, 1)}, 9, acks=acks), 9, answered=acks != 0)
            a.send(list_offsets, looked_up(topic, {0: -1}), 4)
            if acks:
                a.receive()
            a.receive()
