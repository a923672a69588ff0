"""The table of error codes, and what is said of clients' faults."""

from __future__ import annotations

import importlib
import pkgutil

import fleuve.engine
from fleuve.base.errors import FleuveError
from fleuve.engine.brokers.service import BrokerFenced
from fleuve.kafka.codes import CODES, Refused, code_of
from fleuve.kafka.complaints import LINES_MAX, WINDOW_S, Complaints
from fleuve.records.errors import CorruptStoredBatch, InvalidTimestamp, UnsupportedMagic
from fleuve.wire.errors import ErrorCode
from support.edge import RecordingLogger

NEVER_ANSWERED = {BrokerFenced}
"""The broker stops on them."""


def test_every_error_of_the_engine_has_a_code():
    raised = {
        value
        for module in pkgutil.walk_packages(fleuve.engine.__path__, "fleuve.engine.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, type) and issubclass(value, FleuveError) and hasattr(value, "verdict")
    }
    assert {kind for kind in raised if CODES.keys().isdisjoint(kind.__mro__)} == NEVER_ANSWERED


def test_an_error_without_its_own_row_has_its_bases_code():
    assert code_of(UnsupportedMagic("v1")) is ErrorCode.INVALID_RECORD
    assert code_of(InvalidTimestamp("old")) is ErrorCode.INVALID_TIMESTAMP
    assert code_of(CorruptStoredBatch("bits")) is ErrorCode.CORRUPT_MESSAGE


def test_a_refusal_brings_its_code():
    assert code_of(Refused(ErrorCode.INVALID_REQUIRED_ACKS)) is ErrorCode.INVALID_REQUIRED_ACKS


def test_an_error_that_nobody_knows_is_a_server_error():
    class Unknown(FleuveError): ...

    assert code_of(Unknown()) is ErrorCode.UNKNOWN_SERVER_ERROR


def test_complaints_are_few_and_tell_how_many_were_left_out():
    logger = RecordingLogger()
    complaints = Complaints(logger)
    for _ in range(LINES_MAX + 5):
        complaints.complain("bad", now=0.0, address="a", client_id="c", reason="r")
    assert len(logger.lines) == LINES_MAX
    complaints.complain("bad", now=WINDOW_S, address="a", client_id="c", reason="r")
    assert logger.of("warning")[-1] == ("bad", {"address": "a", "client_id": "c", "reason": "r", "left_out": 5})
