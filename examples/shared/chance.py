"""Chance, as a world needs it."""

from __future__ import annotations

from math import exp
from random import Random


def bump(hour: float, at: float, width: float) -> float:
    """Return how near an hour is to another, 1 to 0, around midnight too."""
    away = min(abs(hour - at), 24 - abs(hour - at))
    return exp(-((away / width) ** 2))


def poisson(chance: Random, mean: float) -> int:
    """Return a number of independent things of which there are `mean`: the gaps between them are exponential."""
    count, passed = 0, chance.expovariate(1)
    while passed < mean:
        count += 1
        passed += chance.expovariate(1)
    return count
