"""The page's table of limits has the numbers of the code."""

import pytest

from fleuve.app.registry import registry
from fleuve.app.surroundings import OWN_DESCRIPTORS
from fleuve.base.setting import Scope
from fleuve.engine.groups.service import LAG_SERIES_MAX
from fleuve.engine.topics.names import TOPIC_NAME_LENGTH_MAX
from fleuve.engine.topics.requests import PARTITIONS_MAX, PARTITIONS_PER_REQUEST_MAX
from fleuve.kafka.handlers.fetch import FETCH_BYTES_MAX
from support.pages import DOCS

MIB = 1 << 20
DAY_MS = 86_400_000
LINES = (DOCS / "differences-from-kafka.md").read_text().splitlines()


def row_with(words):
    (row,) = [line for line in LINES if line.startswith("| ") and words in line and line.count("|") == 4]
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.parametrize(
    ("setting", "default", "said"),
    [
        ("message.max.bytes", MIB + 12, "1 MiB and 12 bytes"),
        ("socket.request.max.bytes", 100 * MIB, "100 MiB"),
        ("fleuve.connection.requests.max", 1_000, "1,000"),
        ("connections.max.idle.ms", 600_000, "10 minutes"),
        ("fleuve.request.memory.bytes", 128 * MIB, "128 MiB each"),
        ("fleuve.fetch.memory.bytes", 128 * MIB, "128 MiB each"),
        ("fleuve.produce.buffer.bytes", 64 * MIB, "64 MiB"),
        ("fleuve.tail.cache.bytes", 64 * MIB, "64 MiB"),
        ("max.incremental.fetch.session.cache.slots", 1_000, "1,000; clients beyond send whole requests"),
        ("group.min.session.timeout.ms", 6_000, "6 seconds to 30 minutes"),
        ("group.max.session.timeout.ms", 30 * 60_000, "6 seconds to 30 minutes"),
        ("offset.metadata.max.bytes", 4_096, "4 KiB"),
        ("offsets.retention.minutes", 7 * 24 * 60, "7 days"),
        ("producer.id.expiration.ms", DAY_MS, "1 day after its last record"),
    ],
)
def test_defaults_are_what_is_said(setting, default, said):
    (row,) = [row for row in registry().of(Scope.BROKER) if row.name == setting]
    assert row.default == str(default)
    assert row_with(f"`{setting}`")[1] == said


@pytest.mark.parametrize(
    ("what", "number", "said"),
    [
        ("partitions, of all topics together", PARTITIONS_MAX, 200_000),
        ("partitions that one request adds", PARTITIONS_PER_REQUEST_MAX, 10_000),
        ("length of a topic's name", TOPIC_NAME_LENGTH_MAX, 249),
        ("size of an answer to a fetch", FETCH_BYTES_MAX, 55 * MIB),
        ("| connections |", OWN_DESCRIPTORS, 512),
        ("partitions of groups whose lag is in the metrics", LAG_SERIES_MAX, 10_000),
    ],
)
def test_fixed_numbers_are_what_is_said(what, number, said):
    assert number == said
    assert any(words in row_with(what)[1] for words in (f"{said:,}", f"{said // MIB} MiB"))
