"""Whole brokers, seed by seed: no invariant is broken, and a seed tells the same story every time.

`FLEUVE_SEEDS` seeds are run, from `FLEUVE_SEED` on; a failure names its seed and the command that shows it.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fleuve.simulation.world import World

SEEDS = int(os.environ.get("FLEUVE_SEEDS", "500"))
SEED_FIRST = int(os.environ.get("FLEUVE_SEED", "1"))
BLOCKS = 20
"""Tests that the seeds are spread over, so that they run beside each other."""
ALWAYS = [
    182,  # A coordinator forgets with its process who has left, as Kafka's does.
    215,  # Retention overtakes a fetch behind the tail.
    1137,  # DeleteRecords does.
    18,  # A fetch behind the tail is overtaken by an append.
    30,  # The catalog cannot be read while a fetch wakes up.
]
"""Seeds that have shown something."""


def run(seed: int) -> World:
    world = World(seed)
    try:
        world.run()
    except BaseException as error:
        error.add_note(f"seed {seed}: python -m fleuve.simulation --seed {seed} --trace")
        raise
    return world


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_invariant_is_broken(block, record_property):
    seeds = range(SEED_FIRST + block, SEED_FIRST + SEEDS, BLOCKS)
    acknowledged = lives = 0
    for seed in seeds:
        world = run(seed)
        acknowledged += world.play.acknowledged
        lives += world.lives
    record_property("ran", f"{len(seeds)} seeds, {lives} lives of brokers, {acknowledged:,} records acknowledged")


@pytest.mark.parametrize("seed", ALWAYS)
def test_a_seed_that_has_shown_something_shows_it_no_more(seed):
    run(seed)


def history(seed: int, hash_seed: str) -> bytes:
    command = [sys.executable, "-m", "fleuve.simulation", "--seed", str(seed), "--trace"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=120).stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [7, 30, 182])
def test_a_seed_tells_the_same_story_in_every_process(seed):
    first, second = history(seed, "1"), history(seed, "2")
    assert first == second
    assert first.count(b"\n") > 300


def test_a_seed_tells_the_same_story_twice_in_one_process():
    assert run(9).history.digest() == run(9).history.digest()
