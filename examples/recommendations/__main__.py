"""Clicks in a shop → what is trending, and what to recommend to each visitor, live."""

from __future__ import annotations

import sys

from examples.shared.options import parse, start

if __name__ == "__main__":
    sys.exit(start("recommendations", parse("recommendations", __doc__, "offers", rate=200)))
