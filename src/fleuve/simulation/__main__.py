"""Run simulations: `python -m fleuve.simulation --seed 1234 --trace` shows what happens with a seed."""

from __future__ import annotations

import argparse
import sys
import traceback

from fleuve.simulation.world import World


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; return 1 if an invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m fleuve.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds, one after another")
    parser.add_argument("--trace", action="store_true", help="write the history, line by line")
    asked = parser.parse_args(arguments)
    failed = 0
    for seed in range(asked.seed, asked.seed + asked.count):
        world = World(seed, write=_write if asked.trace else None)
        try:
            world.run()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed += 1
            traceback.print_exc()
            _write(f"seed {seed} FAILED at {world.loop.now:.6f} s: {error}")
        _write(world.summary())
    return 1 if failed else 0


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
