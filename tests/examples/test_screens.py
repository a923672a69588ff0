"""The screens, drawn as text: they fit, nothing is cut, and they keep their height."""

import json
from io import StringIO

import pytest
from examples.recommendations import view as recommendations
from examples.recommendations.recommender import Recommender
from examples.recommendations.shop import ITEMS
from examples.shared.progress import Status
from examples.shared.screen import Screen
from examples.spam import view as spam
from examples.spam.detector import Detector
from examples.taxis import view as taxis
from examples.taxis.city import ZONES
from examples.taxis.demand import Demand
from rich.console import Console
from rich.text import Text

from support.example_programs import EXAMPLES, first_events

SIZES = [(80, 23), (160, 39), (80, 60), (200, 20)]


def models():
    known = {}
    for example in EXAMPLES:
        partition = example.partition()
        for offset, value in enumerate(first_events(example)):
            partition.take(offset, value)
        known[example.name] = partition.model
    return known


@pytest.fixture(scope="module")
def pictures():
    known = models()
    return {
        "recommendations": lambda *size: recommendations.picture([known["recommendations"]], status(), *size),
        "taxis": lambda *size: taxis.picture(known["taxis"].zones, known["taxis"].latest, status(), *size),
        "spam": lambda *size: spam.picture([known["spam"]], status(), *size),
    }


def status(**more):
    many = {"held": [0, 1, 2, 3], "partitions": 4, "made": 1_234_567, "done": 1_234_000, **more}
    return Status(**many, ends={0: 500_000}, places={0: 499_000})


EMPTY = {
    "recommendations": lambda *size: recommendations.picture([Recommender()], status(done=0), *size),
    "taxis": lambda *size: taxis.picture(Demand().zones, 0, status(done=0), *size),
    "spam": lambda *size: spam.picture([Detector()], status(done=0), *size),
}


def drawn(picture, width, height):
    console = Console(width=width, height=height, file=StringIO(), force_terminal=False)
    # One column more than there is: what is too wide must be seen, not folded.
    wide = Console(width=width + 40, height=height, file=StringIO(), force_terminal=False)
    with wide.capture() as capture:
        wide.print(picture(width, height))
    with console.capture() as folded:
        console.print(picture(width, height))
    assert [line.rstrip() for line in capture.get().splitlines()] == [
        line.rstrip() for line in folded.get().splitlines()
    ]
    return folded.get().splitlines()


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_picture_fits_and_nothing_in_its_head_is_cut(pictures, name, width, height):
    lines = drawn(pictures[name], width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert "1,234,000 done · 1,000 behind · partitions 0–3 of 4" in lines[1]
    assert not any("…" in line for line in lines[:4])


@pytest.mark.parametrize("name", ["recommendations", "spam"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_picture_has_its_height_from_the_beginning(pictures, name, width, height):
    assert len(drawn(EMPTY[name], width, height)) == len(drawn(pictures[name], width, height))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_zone_is_on_the_map_with_its_price(pictures, width, height):
    text = "\n".join(drawn(pictures["taxis"], width, height))
    assert [zone for zone in ZONES if f" {zone} " not in text] == []
    assert text.count("×") == len(ZONES)


def test_zones_of_which_nothing_is_known_are_on_the_map_without_a_price():
    text = "\n".join(drawn(EMPTY["taxis"], 80, 23))
    assert [zone for zone in ZONES if zone not in text] == []
    assert "×" not in text


def test_the_table_of_zones_begins_with_the_dearest(pictures):
    rows = [line[78:].split() for line in drawn(pictures["taxis"], 160, 39)[4:]]
    prices = [float(row[-7 if len(row) > 7 else 1]) for row in rows if len(row) > 5 and row[0] in ZONES]
    assert len(prices) > 10
    assert prices == sorted(prices, reverse=True)


def test_what_is_trending_stands_above_what_was_recommended(pictures):
    text = "\n".join(drawn(pictures["recommendations"], 80, 23))
    assert text.index("trending") < text.index("is recommended")
    assert sum(text.count(item) for item in ITEMS) > 20


def test_counts_of_each_kind_stand_above_the_verdicts(pictures):
    lines = drawn(pictures["spam"], 80, 23)
    kinds = [line.split()[0] for line in lines if line.split()]
    assert [kind for kind in kinds if kind in spam.KINDS] == list(spam.KINDS)
    assert any("spam" in line and "follow" in line for line in lines[12:])


@pytest.mark.parametrize("name", EMPTY)
def test_a_generator_alone_shows_its_head_only(name):
    alone = Status(partitions=4, made=10, made_at=1_767_594_600_000)
    picture = {
        "recommendations": lambda *size: recommendations.picture([], alone, *size),
        "taxis": lambda *size: taxis.picture({}, 0, alone, *size),
        "spam": lambda *size: spam.picture([], alone, *size),
    }[name]
    title, numbers = drawn(picture, 80, 23)
    assert "Mon 06:30" in title
    assert numbers == "0/s · 10 made"


def test_without_a_terminal_there_are_lines_and_no_codes():
    output = StringIO()
    with Screen(
        lambda width, height: Text("a picture"),
        lambda: "one line",
        plain=True,
        closed=lambda: None,
        console=Console(file=output, soft_wrap=True, width=20),
    ) as screen:
        screen.say("a line that is longer than twenty columns")
    assert output.getvalue() == "a line that is longer than twenty columns\none line\n"


def test_on_a_terminal_the_last_picture_stays():
    output = StringIO()
    terminal = Console(file=output, force_terminal=True, width=40, height=10)
    with Screen(
        lambda width, height: Text(f"{width} x {height}"),
        lambda: "",
        plain=False,
        closed=lambda: None,
        console=terminal,
    ) as screen:
        screen.say("said")
    assert "said" in output.getvalue()
    # The cursor stands in the line below.
    assert "40 x 9" in output.getvalue().splitlines()[-2]


def test_a_state_draws_the_picture_that_its_model_drew():
    detector = models()["spam"]
    again = Detector(json.loads(json.dumps(detector.state())))
    first, second = (
        drawn(lambda *size, of=of: spam.picture([of], status(), *size), 80, 23) for of in (detector, again)
    )
    assert first == second
