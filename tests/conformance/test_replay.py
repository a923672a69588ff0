"""Fleuve answers as Apache Kafka did: the recordings played against a broker, field by field."""

from __future__ import annotations

import re

import pytest

from conformance.brokers import FLEUVE_SETTINGS
from conformance.comparison import summary
from conformance.differences import PAGE, declared, judge
from conformance.recorder import topics
from conformance.recording import RECORDINGS, read
from conformance.replay import Replay
from support.broker_thread import BrokerThread


@pytest.mark.timeout(300)
@pytest.mark.parametrize("topic", topics())
def test_fleuve_answers_as_kafka_does(topic, tmp_path, record_property):
    with BrokerThread(tmp_path, FLEUVE_SETTINGS) as broker:
        replays = [Replay(broker.address, recorded).run() for recorded in read(RECORDINGS / f"{topic}.txt")]
    mismatches = [mismatch for replay in replays for mismatch in replay.mismatches]
    undeclared, idle = judge(topic, mismatches, declared())
    compared = sum(replay.compared for replay in replays)
    record_property("ran", f"{compared} answers in {len(replays)} cases, {len(mismatches)} fields different on purpose")
    assert not undeclared, summary(undeclared)
    assert not idle, "declared, and not so any more:\n" + "\n".join(idle)


def test_every_recording_has_its_cases():
    assert sorted(path.stem for path in RECORDINGS.glob("*.txt")) == topics()


def test_every_declared_difference_is_on_the_docs_page():
    page = " ".join(re.sub(r"[*`]", "", PAGE.read_text()).split())
    missing = [one.page for one in declared() if " ".join(re.sub(r"[*`]", "", one.page).split()) not in page]
    assert missing == []
