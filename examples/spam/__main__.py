"""Member interactions → spam detection with counts per kind, live."""

from __future__ import annotations

import sys

from examples.shared.options import parse, start

if __name__ == "__main__":
    sys.exit(start("spam", parse("spam", __doc__, "verdicts", rate=200)))
