"""Is the broker alive, is it ready: asked of its parts, each for itself.

A part is a name and a check, which returns None if all is well, else one sentence saying what is wrong. Checks are
synchronous and look at memory only: a probe must answer while a disk hangs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Check = Callable[[], str | None]


class Verdict(NamedTuple):
    """What the checks say together."""

    is_well: bool
    parts: dict[str, str]
    """For each part `ok`, or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Health:
    """The checks behind `/livez` and `/readyz`.

    `live` fails only if a restart of the process would help; `ready` fails while clients should go elsewhere.
    """

    live: Mapping[str, Check] = field(default_factory=dict)
    ready: Mapping[str, Check] = field(default_factory=dict)


def judge(checks: Mapping[str, Check]) -> Verdict:
    """Ask every part; all is well if each one says so."""
    wrongs = {name: check() for name, check in checks.items()}
    return Verdict(not any(wrongs.values()), {name: wrong or "ok" for name, wrong in wrongs.items()})
