"""Taxi positions and rides → windowed demand and a surge price by zone, live."""

from __future__ import annotations

import asyncio
import sys

from examples.shared.options import parse, start
from examples.taxis.stream import run

if __name__ == "__main__":
    sys.exit(start(lambda options, stop: asyncio.run(run(options, stop)), parse("taxis", __doc__, "surge", rate=300)))
