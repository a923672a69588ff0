"""Who is taken for a spammer, and who is not."""

import dataclasses
import json

from examples.spam.detector import MINUTE_MS, Detector, fingerprint
from examples.spam.events import Interaction, read

from support.example_programs import EXAMPLES, first_events

SECOND = 1000
BEGIN = 1000 * MINUTE_MS
SPAM = next(example for example in EXAMPLES if example.name == "spam")


def do(kind, at, member="mia", **more):
    return Interaction(number=0, at=BEGIN + at, kind=kind, member=member, **more)


def verdicts(*events):
    detector = Detector()
    told = [result for event in events for _, result in detector.apply(event) if result["type"] == "verdict"]
    return {result["member"]: (result["verdict"], result["rules"]) for result in told}


def test_somebody_who_does_a_little_of_everything_is_nothing():
    kinds = ["message", "like", "follow"] * 10
    assert verdicts(*(do(kind, each * 20 * SECOND, text=chr(97 + each)) for each, kind in enumerate(kinds))) == {}


def test_a_friend_who_greets_everybody_in_the_same_words_is_a_suspect_and_no_spammer():
    greetings = [do("message", each * 20 * SECOND, text="Good morning!") for each in range(8)]
    assert verdicts(*greetings) == {"mia": ("suspect", ["same text"])}


def test_the_same_words_with_another_link_each_time_are_the_same_text():
    assert fingerprint("Win 100 at http://a.example/1!") == fingerprint("win 7 at https://b.example/xyz")


def test_a_link_that_several_members_write_again_and_again_is_a_campaign():
    told = verdicts(
        *(
            do("message", each * 10 * SECOND, f"bot{each % 3}", text=f"Claim prize {each}: http://p{each}.example")
            for each in range(24)
        )
    )
    assert told["bot2"] == ("spam", ["same text", "link campaign"])


def test_a_new_member_who_follows_many_at_once_is_a_spammer_and_an_old_one_is_not():
    follows = [do("follow", 60 * SECOND + each * 4 * SECOND) for each in range(14)]
    assert verdicts(do("join", 0), *follows) == {"mia": ("spam", ["mass follows", "fast start"])}
    assert verdicts(*follows) == {}


def test_twenty_likes_in_a_minute_are_too_many():
    assert verdicts(*(do("like", each * 2 * SECOND) for each in range(20))) == {"mia": ("suspect", ["rate"])}


def test_three_members_must_report_and_one_who_does_it_often_is_one():
    assert verdicts(*(do("report", each * SECOND, by="noah") for each in range(9))) == {}
    assert verdicts(*(do("report", each * SECOND, by=f"m{each}") for each in range(3))) == {
        "mia": ("suspect", ["reported"])
    }


def test_after_an_hour_a_member_is_forgotten():
    detector = Detector()
    for event in (do("like", 0), do("like", 61 * MINUTE_MS, "noah")):
        detector.apply(event)
    assert list(detector.state()["members"]) == ["noah"]


def test_the_label_changes_no_result():
    labelled, blank = Detector(), Detector()
    for value in first_events(SPAM):
        event = read(value)
        assert labelled.apply(event) == blank.apply(dataclasses.replace(event, label="human"))
    assert labelled.score != blank.score


def test_each_interaction_is_counted_in_one_minute():
    detector = Detector()
    told = [result for value in first_events(SPAM) for _, result in detector.apply(read(value))]
    minutes = [result for result in told if result["type"] == "counts"]
    assert [each["window_start"] for each in minutes] == sorted({each["window_start"] for each in minutes})
    in_minutes = sum(kind["all"] for each in minutes for kind in each["counts"].values())
    still_open = sum(every for every, _ in detector.state()["counting"].values())
    assert in_minutes + still_open == len(first_events(SPAM))


def test_a_whole_morning_wrongs_nobody_and_finds_most_bots():
    detector = Detector()
    for value in first_events(SPAM):
        detector.apply(read(value))
    assert json.loads(json.dumps(detector.score)) == detector.score
    assert detector.score["wrong"] == 0
    assert detector.score["found"] > detector.score["bots"] / 2 > 2
