"""Member interactions → spam detection with counts per kind, live."""

from __future__ import annotations

import sys

from examples.shared.options import parse, start
from examples.spam.stream import run

if __name__ == "__main__":
    sys.exit(start(run, parse("spam", __doc__, "verdicts", rate=200)))
