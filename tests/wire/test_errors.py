"""Kafka's error codes."""

from __future__ import annotations

from kio.schema.errors import ErrorCode as KioErrorCode

from fleuve.wire.errors import ErrorCode


def test_codes_names_and_retriability_are_kafkas():
    ours = {code.value: (code.name, code.retriable) for code in ErrorCode}
    theirs = {int(code.value): (code.name.upper(), code.retriable) for code in KioErrorCode}
    assert ours == theirs
