"""Taxi positions and rides → windowed demand and a surge price by zone, live."""

from __future__ import annotations

import sys

from examples.shared.options import parse, start

if __name__ == "__main__":
    sys.exit(start("taxis", parse("taxis", __doc__, "surge", rate=300)))
