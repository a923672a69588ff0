"""Bounds dropped on purpose, one line each: a check must notice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hostile import checks
from hostile.attacks import MIB, SETTINGS
from support.broker_process import BrokerFailed, BrokerProcess
from support.sabotages import Sabotage, broken_broker, each
from support.wire_client import RefusedError

SOUND = (sys.executable, "-c", "import sys; from fleuve.cli.main import main; sys.exit(main())")
Check = Callable[[BrokerProcess], None]
KAFKA, WIRE = "fleuve.kafka", "fleuve.wire"

NOTICED: list[tuple[Sabotage, Check]] = [
    (
        Sabotage("believe any size", f"{WIRE}.framing", "if not 0 <= size <= size_max:", "if False:"),
        checks.sizes_are_bounded,
    ),
    (
        Sabotage("receive any size", f"{WIRE}.framing", "if not 0 <= size <= size_max:", "if not 0 <= size:"),
        checks.sizes_are_bounded,
    ),
    (
        Sabotage(
            "leave nonsense open",
            f"{KAFKA}.connection",
            'this broker serves", str(error))\n        self._end()',
            'this broker serves", str(error))',
        ),
        checks.nonsense_is_closed,
    ),
    (
        Sabotage(
            "read behind the end",
            f"{WIRE}.generated.describe_topic_partitions",
            "raise overrun(at, len(data))\n    return message\n\n\n_REQUEST",
            "pass\n    return message\n\n\n_REQUEST",
        ),
        checks.lengths_are_not_believed,
    ),
    (
        Sabotage(
            "decode any number of elements",
            f"{WIRE}.generated.describe_topic_partitions",
            "budget = min(len(data) - at, ELEMENTS_MAX)\n    message = new(DescribeTopicPartitionsRequest)",
            "budget = 1 << 60\n    message = new(DescribeTopicPartitionsRequest)",
        ),
        checks.elements_are_counted,
    ),
    (
        Sabotage("cut no string", f"{WIRE}.primitives", "if len(raw) > STRING_SIZE_BYTES_MAX:", "if False:"),
        checks.names_can_be_told_again,
    ),
    (
        Sabotage(
            "take no memory",
            f"{KAFKA}.admission",
            "return small_used + size <= self._small_capacity()",
            "return True",
        ),
        checks.requests_take_memory,
    ),
    (
        Sabotage(
            "count no unsent answers",
            f"{KAFKA}.connection",
            "unsent = self._transport.get_write_buffer_size()",
            "unsent = 0",
        ),
        checks.answers_take_memory,
    ),
    (
        Sabotage(
            "give no memory back",
            f"{KAFKA}.connection",
            "self._shared.admission.requests.give_back(size)",
            "pass",
        ),
        checks.memory_is_given_back,
    ),
    (
        Sabotage("let slow frames be", f"{KAFKA}.admission", "if held > allowed_bytes:", "if False:"),
        checks.slow_frames_lose_their_memory,
    ),
    (
        Sabotage(
            "let what is stuck be",
            f"{KAFKA}.connections",
            "if self.admission.requests.waiters:",
            "if False:",
        ),
        checks.memory_behind_long_polls_is_freed,
    ),
    (
        Sabotage(
            "decompress without a limit", "fleuve.records.compression", "if size_bytes >= size_bytes_max:", "if False:"
        ),
        checks.bombs_are_refused,
    ),
    (
        Sabotage(
            "keep what a refusal had", "fleuve.adapters.threads.offload", "link.__traceback__ = None", "error = error"
        ),
        checks.bombs_are_refused,
    ),
    (
        Sabotage(
            "believe the records' count",
            "fleuve.records.batch",
            "or (not attributes & COMPRESSION_MASK and records_count * RECORD_SIZE_BYTES_MIN > size_bytes)",
            "",
        ),
        checks.counts_are_not_believed,
    ),
    (
        Sabotage(
            "remember any number of partitions",
            f"{KAFKA}.sessions",
            "partitions_max = self._slots * PARTITIONS_PER_SLOT",
            "partitions_max = 1 << 60",
        ),
        checks.sessions_are_bounded,
    ),
    (
        Sabotage(
            "leave no descriptors",
            "fleuve.app.surroundings",
            "return allowed - min(OWN_DESCRIPTORS, allowed // 2)",
            "return allowed",
        ),
        checks.files_can_be_opened,
    ),
    (
        Sabotage(
            "close nobody who says nothing",
            f"{KAFKA}.connection",
            "if limits.idle_s is not None and silent_s >= limits.idle_s and not (self._slots or self._lane):",
            "if False:",
        ),
        checks.who_says_nothing_is_closed,
    ),
]
CHECKS = list(dict.fromkeys(check for _, check in NOTICED))
SETTINGS_OF: dict[Check, dict[str, str | int]] = {
    checks.files_can_be_opened: {"fleuve.journal.file.bytes": MIB},
    checks.sessions_are_bounded: {"max.incremental.fetch.session.cache.slots": 100},
    checks.who_says_nothing_is_closed: {"connections.max.idle.ms": 500},
}


def command_for(check: Check, command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command of a broker that the check can be made of."""
    if check is checks.files_can_be_opened:
        return ("sh", "-c", 'ulimit -n 300; exec "$@"', "sh", *command)
    return command


def broker_for(check: Check, directory: Path, command: tuple[str, ...]) -> BrokerProcess:
    settings = {**SETTINGS, **SETTINGS_OF.get(check, {})}
    return BrokerProcess(directory, settings=settings, command=command_for(check, command))


@pytest.mark.sabotage
@pytest.mark.timeout(180)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_without_a_sabotage_each_check_finds_nothing(tmp_path, check):
    with broker_for(check, tmp_path / "broker", SOUND) as broker:
        check(broker)


@pytest.mark.sabotage
@pytest.mark.timeout(180)
@each([sabotage for sabotage, _ in NOTICED])
def test_a_sabotage_is_noticed(tmp_path, sabotage):
    check = dict(NOTICED)[sabotage]
    broker = broker_for(check, tmp_path / "broker", broken_broker(sabotage))
    broker.start()
    try:
        with pytest.raises((AssertionError, OSError, RefusedError, BrokerFailed)):
            check(broker)
    finally:
        broker.kill()
