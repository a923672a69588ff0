"""How a client is served while others attack: what its requests take, and what the broker's memory comes to.

    python benchmarks/under_attack.py [--seconds 8] [--only TEXT]

Each attack of `tests/hostile/attacks.py` goes on for a while against a broker with small bounds (8 MiB for requests,
for answers and for the tail). Beside it one client produces a record of 100 B or, every fourth time, of 200 KB, and
fetches it; the time of both together is shown, and the most memory that the broker held. Everything runs on one
machine: what an attack costs in processor time, attackers included, is in the numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hostile.attacks import ATTACKS, MIB, SETTINGS, Attack, allow_descriptors
from hostile.control import Control
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.machine import describe_machine, resident_bytes

HEADINGS = ("served", "small p99", "worst", "large p99", "worst", "MiB before", "MiB most")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", default="", metavar="TEXT", help="only the attacks whose name contains it")
    options = parser.parse_args()
    allow_descriptors()
    print(describe_machine())
    print(f"each attack for {options.seconds} s; times in ms")
    print(f"\n{'':44}" + "".join(f"{heading:>11}" for heading in HEADINGS))
    for name, attack in {"nobody": lambda address, stack: None, **ATTACKS}.items():
        if options.only in name:
            print(f"{name:44}" + "".join(f"{figure:>11,.0f}" for figure in _row(attack, options.seconds)), flush=True)


def _row(attack: Attack, seconds: float) -> tuple[float, ...]:
    with contextlib.ExitStack() as around:
        directory = around.enter_context(tempfile.TemporaryDirectory(prefix="fleuve-benchmark-"))
        broker = around.enter_context(BrokerProcess(Path(directory), settings=SETTINGS))
        control = around.enter_context(Control(address_of(broker)))
        time.sleep(0.5)
        control.begin_anew()
        before = most = resident_bytes(broker.pid)
        deadline = time.monotonic() + seconds
        with contextlib.ExitStack() as attackers:
            attack(address_of(broker), attackers)
            while time.monotonic() < deadline or len(control.large_s) < 3:
                time.sleep(0.05)
                control.check()
                most = max(most, resident_bytes(broker.pid))
        served = len(control.small_s) + len(control.large_s)
        times = [_ms(sorted(taken), share) for taken in (control.small_s, control.large_s) for share in (0.99, 1)]
        return (served, *times, before / MIB, most / MIB)


def _ms(ordered: list[float], share: float) -> float:
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    main()
