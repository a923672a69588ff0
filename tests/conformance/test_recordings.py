"""The recordings are what Apache Kafka answers today: recorded anew, they are the same bytes."""

from __future__ import annotations

import difflib

import pytest

from conformance.brokers import SETTINGS
from conformance.recorder import record_all, topics
from conformance.recording import RECORDINGS, read, text_of
from support.apache_kafka import started

DIFF_LINES_MAX = 200


@pytest.mark.compat
@pytest.mark.timeout(300)
def test_kafka_answers_as_it_was_recorded(record_property):
    with started(SETTINGS) as kafka:
        recorded = record_all(kafka.address, topics())
    record_property("ran", f"{sum(text.count(' < ') for text in recorded.values())} answers of Apache Kafka")
    differing = []
    for topic, text in recorded.items():
        was = text_of(read(RECORDINGS / f"{topic}.txt")).splitlines()
        differing += difflib.unified_diff(was, text.splitlines(), f"{topic}.txt", "recorded now", lineterm="", n=1)
    assert not differing, "\n".join(differing[:DIFF_LINES_MAX])
