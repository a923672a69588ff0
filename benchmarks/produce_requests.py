"""Produce requests over the wire: how many, how fast answered, at what price. Every record is flushed before its ack.

Run it as `python benchmarks/produce_requests.py [--seconds 5] [--runs 3] [--setting NAME=VALUE] [--only NAME]` in an
environment where fleuve is installed; `--setting log.flush.interval.messages=1000000` shows the page-cache promise.
The broker has the first core for itself, the load (`tests/support/load.py`) the second; on a machine that others use,
the CPU time per request is what can be compared. Goal: 40,000 small requests per second on the one core.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.broker_process import BrokerProcess
from support.kills import address_of
from support.load import Measured, Shape, run_load
from support.machine import cpu_seconds, describe_machine, pinned, pinned_to
from support.wire_client import Client

PARTITIONS = 4
WARM_UP_S = 0.5
SHAPES = (
    Shape(name="1 record of 100 B, one in flight", value_bytes=100, connections=1, depth=1),
    Shape(name="1 record of 100 B, 4 × 64 in flight", value_bytes=100),
    Shape(name="1 record of 100 B, 4 × 256 in flight", value_bytes=100, depth=256),
    Shape(name="1 record of 100 B, 64 × 1 in flight", value_bytes=100, connections=64, depth=1),
    Shape(name="16 KiB batches, 4 × 16 in flight", value_bytes=1000, records=16, depth=16),
    Shape(name="1 MiB batches, 4 × 2 in flight", value_bytes=1000, records=1030, depth=2),
)
HEADINGS = ("requests/s", "MB/s", "p50 ms", "p99 ms", "CPU", "user s/M", "system s/M", "s/GB")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the rows whose name contains it")
    options = parser.parse_args()
    settings = dict(setting.split("=", 1) for setting in options.setting)
    print(describe_machine())
    print(f"medians of {options.runs} runs of {options.seconds} s, {PARTITIONS} partitions", end="; ")
    print(f"settings: {settings or 'defaults'}")
    print(f"\n{'':38}" + "".join(f"{heading:>11}" for heading in HEADINGS))
    pinned_to(-1)
    with tempfile.TemporaryDirectory(prefix="fleuve-benchmark-") as directory:
        broker = BrokerProcess(Path(directory), settings=settings, command=pinned(0, sys.executable, "-m", "fleuve"))
        with broker:
            with Client(address_of(broker)) as client:
                client.create_topic("load", PARTITIONS)
            for shape in SHAPES:
                if options.only in shape.name:
                    rows = [_row(broker, shape, options.seconds) for _ in range(options.runs)]
                    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
                    print(f"{shape.name:38}" + "".join(f"{median:>11,.2f}" for median in medians), flush=True)


def _row(broker: BrokerProcess, shape: Shape, seconds: float) -> tuple[float, ...]:
    address = address_of(broker)
    run_load(address, "load", PARTITIONS, shape, seconds=WARM_UP_S)
    user, system = cpu_seconds(broker.pid)
    measured = run_load(address, "load", PARTITIONS, shape, seconds=seconds)
    user_after, system_after = cpu_seconds(broker.pid)
    return _figures(measured, user_after - user, system_after - system)


def _figures(measured: Measured, user: float, system: float) -> tuple[float, ...]:
    return (
        measured.requests / measured.seconds,
        measured.request_bytes / measured.seconds / 1e6,
        measured.latency_ms(0.5),
        measured.latency_ms(0.99),
        (user + system) / measured.seconds,
        user / measured.requests * 1e6,
        system / measured.requests * 1e6,
        (user + system) / measured.request_bytes * 1e9,
    )


if __name__ == "__main__":
    assert hasattr(os, "sched_setaffinity"), "pinning to cores needs Linux"
    main()
