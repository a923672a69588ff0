"""What happened between looks at a cluster: pure arithmetic over samples."""

import pytest

from fleuve.cli.client.groups import Group, Progress
from fleuve.cli.client.offsets import Range
from fleuve.cli.top.metrics import BrokerMetrics
from fleuve.cli.top.rates import Course, History
from fleuve.cli.top.sampling import Node, Sample


def sample(at_s, *, ends=None, groups=None, metrics=None):
    """A look at `at_s`: where partition 0 of topics ends, and what groups have committed of 1000 records of t."""
    ends = ends or {}
    return Sample(
        taken_s=at_s,
        time_ms=1_700_000_000_000 + int(at_s * 1000),
        cluster_id="c",
        nodes=[Node(1, "h", 9092, metrics)],
        topics={topic: [(topic, 0)] for topic in ends},
        ends={(topic, 0): end for topic, end in ends.items() if end is not None},
        groups={name: group(name, *state) for name, state in (groups or {}).items()},
    )


def group(name, committed, end):
    progress = {("t", 0): Progress(committed, Range(0, end))} if committed is not None else {}
    return Group(name, "stable", "classic", "range", 1, [], progress)


def view(*samples):
    history = History()
    for one in samples:
        history.add(one)
    return history.view()


def topic_rate(*samples):
    (row,) = view(*samples).topics
    return row.records_per_s


def course(*samples):
    (row,) = view(*samples).groups
    return row.course, row.records_per_s, row.catch_up_s


def test_a_topic_takes_in_what_its_end_moves_by_in_the_last_interval():
    assert topic_rate(sample(0, ends={"t": 0}), sample(5, ends={"t": 1000}), sample(7, ends={"t": 1100})) == 50


def test_the_first_look_knows_no_rate():
    assert topic_rate(sample(0, ends={"t": 5})) is None


def test_a_topic_that_is_new_or_does_not_answer_has_no_rate():
    assert topic_rate(sample(0), sample(2, ends={"t": 5})) is None
    assert topic_rate(sample(0, ends={"t": 5}), sample(2, ends={"t": None})) is None


def test_a_topic_that_was_made_anew_does_not_run_backwards():
    assert topic_rate(sample(0, ends={"t": 500}), sample(2, ends={"t": 3})) == 0


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((1000, 1000), (1100, 1100), (Course.CAUGHT_UP, 10, None)),
        ((1000, 1040), (1100, 1140), (Course.KEEPING_UP, 10, None)),
        ((1000, 2000), (1200, 2100), (Course.CATCHING_UP, 20, 90)),
        ((1000, 2000), (1100, 2100), (Course.STANDING_STILL, 10, None)),
        ((1000, 2000), (1100, 2200), (Course.FALLING_BEHIND, 10, None)),
        ((1000, 2000), (1000, 2200), (Course.FALLING_BEHIND, 0, None)),
        ((2000, 2000), (500, 2000), (Course.FALLING_BEHIND, 0, None)),
        ((None, 0), (None, 0), (Course.UNKNOWN, 0, None)),
    ],
)
def test_a_groups_course_is_told_by_its_lag_and_what_it_commits(before, after, expected):
    assert course(sample(0, groups={"g": before}), sample(10, groups={"g": after})) == expected


def test_a_group_that_has_not_come_to_its_next_commit_is_not_judged():
    assert course(sample(0, groups={"g": (10, 100)}), sample(2, groups={"g": (10, 200)}))[0] is Course.UNKNOWN


def test_a_groups_rate_is_over_several_commits_and_what_is_older_is_forgotten():
    looks = [sample(at, groups={"g": (min(at, 40) * 10, 2000)}) for at in range(0, 60, 5)]
    assert course(*looks[:9])[:2] == (Course.CATCHING_UP, 10)
    assert course(*looks)[:2] == (Course.STANDING_STILL, 0)


def test_a_broker_that_began_again_has_no_rate_until_the_next_look():
    def told(requests):
        return BrokerMetrics(connections=3, requests=requests, received_bytes=requests * 10, sent_bytes=0)

    looks = [sample(0, metrics=told(100)), sample(2, metrics=told(120)), sample(4, metrics=told(6)), sample(6)]
    (broker,) = view(*looks[:2]).brokers
    assert (broker.connections, broker.requests_per_s, broker.received_bytes_per_s) == (3, 10, 100)
    (broker,) = view(*looks[:3]).brokers
    assert (broker.connections, broker.requests_per_s) == (3, None)
    (broker,) = view(*looks).brokers
    assert (broker.connections, broker.requests_per_s) == (None, None)
