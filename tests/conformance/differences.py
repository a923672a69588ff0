"""The differences from Apache Kafka that are meant: `differences.toml`, each with its words on the docs page.

    [[difference]]
    cases = ["produce/null_records"]                        # "*" stands for anything, here and in fields
    api = "Produce"
    fields = ["responses[*].partition_responses[*].error_code"]     # "" is the whole answer
    fleuve = 87                                             # any value if left out; "missing", "default", "closed", …
    asked = "log.flush.interval.ms"                         # may be left out: a piece of the request's text
    page = "No records at all (null) are INVALID_RECORD (Kafka never answers)."

`page` is a piece of docs/differences-from-kafka.md, which has the reason. A difference that none of its cases shows
any more is an error, as is one that no line on the page speaks of.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.comparison import Mismatch

DECLARED = Path(__file__).parent / "differences.toml"
PAGE = Path(__file__).parents[2] / "docs" / "differences-from-kafka.md"
_ANY = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One declared difference."""

    cases: list[str]
    api: str
    fields: list[str]
    page: str
    fleuve: Any = _ANY
    asked: str = ""

    def covers(self, mismatch: Mismatch, case: str, field: str) -> bool:
        """Return whether this case and field of the declaration speak of the mismatch."""
        return (
            _matches(case, mismatch.case)
            and self.api == mismatch.api
            and _matches(field, mismatch.field)
            and (self.fleuve is _ANY or self.fleuve == mismatch.fleuve)
            and self.asked in json.dumps(mismatch.request)
        )


def declared() -> list[Difference]:
    """Return all declared differences."""
    return [Difference(**table) for table in tomllib.loads(DECLARED.read_text()).get("difference", [])]


def judge(topic: str, mismatches: list[Mismatch], differences: list[Difference]) -> tuple[list[Mismatch], list[str]]:
    """Return the mismatches that nobody declared, and the declarations for this topic that did not occur."""
    undeclared = list(mismatches)
    idle = []
    for difference in differences:
        for case in difference.cases:
            if not _matches(case.partition("/")[0], topic):
                continue
            for field in difference.fields:
                covered = [mismatch for mismatch in mismatches if difference.covers(mismatch, case, field)]
                undeclared = [mismatch for mismatch in undeclared if mismatch not in covered]
                if not covered:
                    idle.append(f"{case} {difference.api} {field}: {difference.page}")
    return undeclared, idle


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None
