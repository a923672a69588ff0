"""Clients that try to make the broker hold more than its settings say, or to keep others from it.

The bounds are small here, and each attack would take several times what the broker may use. Meanwhile another client
gets its records in and out, small and large ones; how long that took is said, and is nobody's failure. What the broker
may use is the sum of the bounds and, for the process, for its threads' buffers and for what the allocator keeps, as
much again.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

from fleuve.app.surroundings import OFFLOAD_THREADS
from fleuve.engine.log.service import DECODED_BYTES_MAX
from fleuve.wire.generated import fetch
from hostile.attacks import ATTACKS, MIB, SETTINGS, Attack, allow_descriptors, fast_producers, fetch_all, half_open
from hostile.control import LARGE_BYTES, TIMEOUT_S, Control
from support import launch
from support.batches import batch
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.machine import resident_bytes
from support.wire_client import FETCH_VERSION, Client

LARGE_SERVED = 5
"""So many large requests of the other client are waited for."""
GROWTH_BYTES_MAX = 80 * MIB
"""Twice what the settings allow (tails with a half for slow readers, buffer, requests, parts of requests, answers)."""
CONNECTION_BYTES_MAX = 8 << 10
MORE_BYTES = {
    # Each thread that looks into batches may hold one that is decompressed.
    "100 bombs": OFFLOAD_THREADS * DECODED_BYTES_MAX,
    "10,000 half-open connections": 10_000 * CONNECTION_BYTES_MAX,
    # Topics are there to stay.
    "topics by the thousand": 120 * MIB,
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ATTACKS)
def test_others_are_served_and_memory_stays_within_its_bound(tmp_path: Path, name, record_property):
    allow_descriptors()
    with BrokerProcess(tmp_path / "broker", settings=SETTINGS) as broker:
        served, growth = _attacked(broker, ATTACKS[name])
        broker.check()
        assert growth < GROWTH_BYTES_MAX + MORE_BYTES.get(name, 0)
    record_property("ran", f"{name}: {served}, memory grew by {growth / MIB:.0f} MiB")


def _attacked(broker: BrokerProcess, attack: Attack) -> tuple[str, int]:
    """Let the attack go on while others are served; return how they were, and what it took of memory."""
    address = address_of(broker)
    with Control(address) as control:
        control.wait_for_large(LARGE_SERVED)
        before = resident_bytes(broker.pid)
        control.begin_anew()
        with contextlib.ExitStack() as attackers:
            attack(address, attackers)
            control.wait_for_large(LARGE_SERVED)
            growth = resident_bytes(broker.pid) - before
            # One that comes now is served as well.
            with Client(address, timeout_s=TIMEOUT_S) as client:
                value = os.urandom(LARGE_BYTES)
                offset = client.produce("control", 0, batch(value))
                assert value in bytes(client.fetch("control", 0, offset, max_bytes=1)[0])
            growth = max(growth, resident_bytes(broker.pid) - before)
    control.look_again(address)
    return control.summary(), growth


@pytest.mark.timeout(300)
def test_fast_producers_on_a_slow_disk_wait_and_keep_their_connections(tmp_path: Path, record_property):
    disk, environment = launch.command("slow-disk"), launch.environment()
    with BrokerProcess(tmp_path / "broker", settings=SETTINGS, command=disk, environment=environment) as broker:
        address = address_of(broker)
        with Control(address) as control, contextlib.ExitStack() as producers:
            control.wait_for_large(1)
            before = resident_bytes(broker.pid)
            fast_producers(30)(address, producers)
            # Who writes waits for the disk; who reads does not.
            with Client(address, timeout_s=TIMEOUT_S) as client:
                for _ in range(20):
                    client.fetch("control", 0, client.end_offset("control", 0) - 1)
            control.wait_for_large(1)
            growth = resident_bytes(broker.pid) - before
        control.look_again(address)
        assert growth < GROWTH_BYTES_MAX
        assert "connection closed" not in broker.stderr
    record_property("ran", f"30 producers on a slow disk: {control.summary()}, memory grew by {growth / MIB:.0f} MiB")


def limited(bound: str) -> tuple[str, ...]:
    """Return the command of a broker that the shell starts with this bound of open files."""
    return ("sh", "-c", f'ulimit {bound}; exec "$0" -m fleuve "$@"', sys.executable)


def test_connections_leave_descriptors_for_files(tmp_path: Path):
    settings = {**SETTINGS, "fleuve.journal.file.bytes": MIB, "fleuve.merge.interval.ms": 100}
    with BrokerProcess(tmp_path / "broker", settings=settings, command=limited("-n 300")) as broker:
        address = address_of(broker)
        with Control(address) as control, contextlib.ExitStack() as attackers:
            half_open(500)(address, attackers)
            # Several files of the journal are begun, and become segments.
            control.wait_for_large(20)
        control.look_again(address)
        assert "connection refused" in broker.stderr


def test_a_broker_takes_as_many_descriptors_as_it_may_have(tmp_path: Path):
    with BrokerProcess(tmp_path / "broker", settings=SETTINGS, command=limited("-Sn 300")) as broker:
        address = address_of(broker)
        with Control(address) as control, contextlib.ExitStack() as attackers:
            half_open(500)(address, attackers)
            control.wait_for_large(2)
        assert "connection refused" not in broker.stderr


def test_fetch_sessions_of_very_many_partitions(tmp_path: Path):
    settings = {**SETTINGS, "max.incremental.fetch.session.cache.slots": 100}
    with BrokerProcess(tmp_path / "broker", settings=settings) as broker:

        def attack(address, stack):
            client = stack.enter_context(Client(address, timeout_s=TIMEOUT_S))
            request = fetch_all("unknown", 3000, max_wait_ms=0, min_bytes=0)
            request.session_id, request.session_epoch = 0, 0
            sessions = [client.call(fetch, request, FETCH_VERSION).session_id for _ in range(40)]
            # The first ones were remembered; those for which there was no room are served all the same.
            assert sessions[0] > 0
            assert sessions[-1] == 0

        _, growth = _attacked(broker, attack)
        assert growth < GROWTH_BYTES_MAX
