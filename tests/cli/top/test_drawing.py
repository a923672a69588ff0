"""The screen of `fleuve top` in windows of any size."""

import io

import pytest
from rich.console import Console

from cli.top.test_rates import group
from fleuve.cli.client.partitions import Partition
from fleuve.cli.top.drawing import Shown, drawn
from fleuve.cli.top.rates import History
from fleuve.cli.top.sampling import Node, Sample

LONG = "com.example.shipments.label-printed-events.v2." + "x" * 200


def shown(topics=3, groups=2, nodes=1):
    names = [f"topic-{number:04}" for number in range(topics - 1)] + [LONG]
    partitions: dict[str, list[Partition]] = {name: [(name, 0)] for name in names}

    def sample(at_s):
        ends = {(name, 0): int(at_s) * number for number, name in enumerate(names)}
        members = {f"группа-组-{number}": group(f"группа-组-{number}", number, 10_000) for number in range(groups)}
        told = [Node(number, "broker.example", 9092, None) for number in range(nodes)]
        return Sample(at_s, 1_700_000_000_000, "c" * 22, told, partitions, ends, members)

    history = History()
    history.add(sample(0.0))
    history.add(sample(20.0))
    return Shown(interval_s=2.0, view=history.view())


def lines(what, width, height):
    out = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    return ["".join(part.text for part in line) for line in out.render_lines(drawn(what, width, height), pad=False)]


@pytest.mark.parametrize("width", [20, 40, 80, 160, 300])
@pytest.mark.parametrize("height", [4, 10, 24, 60])
@pytest.mark.parametrize("size", [(1, 0, 1), (3, 2, 1), (2000, 500, 40)], ids=str)
def test_the_screen_fits_its_window_with_the_keys_at_the_bottom(width, height, size):
    screen = lines(shown(*size), width, height)
    assert len(screen) == height
    assert max(map(len, screen)) <= width
    assert screen[-1].startswith(" q ")


def test_the_busiest_topics_and_the_groups_furthest_behind_come_first_and_the_rest_is_counted():
    rows = [line.split() for line in lines(shown(topics=100, groups=100), 80, 24)]
    # The longest name is the busiest topic's: it ends in an ellipsis.
    busiest = rows.index(["TOPIC", "PARTITIONS", "RECORDS/S"]) + 1
    assert rows[busiest][0].startswith("com.example.shipments")
    assert rows[busiest][0].endswith("…")
    assert rows[busiest + 1] == ["topic-0098", "1", "98"]
    assert sum(row[-1:] == ["rate"] for row in rows) == 1
    assert ["группа-组-0", "stable", "0", "10,000", "0", "standing", "still"] in rows


def test_groups_stand_beside_topics_where_there_is_room():
    (heading,) = [line for line in lines(shown(), 160, 24) if line.startswith("TOPIC")]
    assert "GROUP" in heading
    assert not any("TOPIC" in line and "GROUP" in line for line in lines(shown(), 100, 24))


def test_keys_change_the_order_and_halt_the_screen():
    def first_topic():
        screen = [line.split() for line in lines(what, 80, 24)]
        return screen[screen.index(["TOPIC", "PARTITIONS", "RECORDS/S"]) + 2][0]

    what = shown(topics=50)
    assert first_topic() == "topic-0048"
    what.take("t")
    assert first_topic() == "topic-0000"
    what.take(" ")
    what.view = shown(topics=2).view
    assert "50 topics" in lines(what, 80, 24)[0]
    assert "halted" in lines(what, 80, 24)[1]
    what.take(" ")
    assert "2 topics" in lines(what, 80, 24)[0]


def test_trouble_is_said_above_what_was_seen_last():
    what = shown()
    what.trouble = "no broker answers at localhost:9092 (the default)"
    screen = lines(what, 100, 24)
    assert "seen last at" in screen[1]
    assert what.trouble in screen[1]
    assert any(line.startswith("topic-0000") for line in screen)
