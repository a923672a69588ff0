"""What is recommended, and what is learnt from whom."""

import pytest
from examples.recommendations.events import Click
from examples.recommendations.recommender import FAST_MS, ON_OFFER, VISIT_GAP_MS, Fading, Recommender
from examples.recommendations.shop import ITEMS
from hypothesis import given
from hypothesis import strategies as st

SECOND = 1000


def click(at, user, item, kind="view"):
    return Click(number=0, at=at, user=user, kind=kind, item=item)


def learn(recommender, *paths):
    for number, path in enumerate(paths):
        for step, item in enumerate(path):
            recommender.apply(click(number * 60 * SECOND + step * 10 * SECOND, f"teacher-{number}", item))


def offers(recommender, at, user, *items):
    told = [
        result for step, item in enumerate(items) for result in recommender.apply(click(at + step * 9000, user, item))
    ]
    return told[-1][1]["recommended"] if told else None


def test_what_is_left_halves_with_each_half_life():
    fading = Fading(8, 1000)
    assert [fading.now(1000 + lives * FAST_MS, FAST_MS) for lives in range(4)] == [8, 4, 2, 1]


def test_what_others_looked_at_together_is_offered():
    recommender = Recommender()
    learn(recommender, *[["Tent", "Sleeping bag"]] * 5, *[["Guitar", "Strings"]] * 5)
    assert offers(recommender, 700 * SECOND, "me", "Tent")[0] == "Sleeping bag"
    assert offers(recommender, 700 * SECOND, "you", "Guitar")[0] == "Strings"


def test_where_nothing_is_known_the_popular_is_offered():
    recommender = Recommender()
    learn(recommender, ["Desk"], ["Desk"], ["Tent"])
    assert offers(recommender, 300 * SECOND, "me", "Seeds") == ["Desk", "Tent"]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(ITEMS[:9])), max_size=60))
def test_offers_are_few_different_and_never_what_was_just_looked_at(clicks):
    recommender = Recommender()
    paths = {}
    for step, (user, item) in enumerate(clicks):
        paths.setdefault(user, []).append(item)
        for key, result in recommender.apply(click(step * 10 * SECOND, f"user-{user}", item)):
            offer = result["recommended"]
            assert key == result["user"] == f"user-{user}"
            assert len(offer) == len(set(offer)) <= ON_OFFER
            assert item not in offer


def test_the_same_offer_is_not_told_twice():
    recommender = Recommender()
    learn(recommender, ["Tent", "Sleeping bag"])
    assert len(recommender.apply(click(100 * SECOND, "me", "Tent"))) == 1
    assert recommender.apply(click(101 * SECOND, "me", "Tent")) == []


def test_after_a_pause_a_visit_begins_anew():
    recommender = Recommender()
    learn(recommender, *[["Tent", "Sleeping bag"]] * 3)
    offers(recommender, 300 * SECOND, "me", "Tent")
    assert "Tent" in offers(recommender, 400 * SECOND + VISIT_GAP_MS, "me", "Sleeping bag")


def test_a_robot_is_offered_nothing_and_teaches_nothing_more():
    recommender = Recommender()
    for step, item in enumerate(ITEMS):
        told = recommender.apply(click(step * SECOND, "robot", item))
    assert told == []
    assert recommender.score["robots"] == 1
    assert ITEMS[-1] not in recommender.slow


def test_somebody_who_looks_slowly_at_many_things_is_no_robot():
    recommender = Recommender()
    learn(recommender, list(ITEMS))
    assert recommender.score["robots"] == 0


@pytest.mark.parametrize(("item", "hits"), [("Sleeping bag", 1), ("Guitar", 0)])
def test_it_is_counted_whether_the_next_item_was_on_offer(item, hits):
    recommender = Recommender()
    learn(recommender, *[["Tent", "Sleeping bag"]] * 3, *[[other] for other in ITEMS[6:12]] * 2)
    before = dict(recommender.score)
    offers(recommender, 2000 * SECOND, "me", "Tent", item)
    assert recommender.score["asked"] - before["asked"] == 1
    assert recommender.score["hits"] - before["hits"] == hits
