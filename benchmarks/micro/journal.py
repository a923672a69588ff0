"""What a durable write to the journal costs, and a read from it: milliseconds and microseconds.

Run it as `python benchmarks/micro/journal.py [DIRECTORY]` in an environment where fleuve is installed; the directory
lies on the disk to be measured (default: here). Latencies are the disk's, and vary from machine to machine and with
what its neighbours do; compare the columns. `device` is a bare write and flush without an event loop or a thread.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from fleuve.adapters.journal.directory import DataDirectory
from fleuve.adapters.journal.store import JournalStore
from fleuve.base.ids import FlushId, Incarnation
from fleuve.ports.store import Placed, Range

SIZES_BYTES = (200, 16 * 1024, 1024 * 1024)
WRITES = 300
WRITES_LARGE = 60
RUN = Incarnation(1)


def quantiles(seconds: list[float]) -> str:
    """Return median and 99th percentile in milliseconds."""
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2] * 1e3:7.3f} {ordered[int(len(ordered) * 0.99)] * 1e3:8.3f}"


def bare(folder: Path, body: bytes, count: int, *, reserved: bool) -> list[float]:
    """Time a write and a flush of a file that grows, or whose space is reserved."""
    path = folder / "bare"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    taken = []
    if reserved:
        os.posix_fallocate(fd, 0, len(body) * count)
        os.fsync(fd)
    for index in range(count):
        began = time.perf_counter()
        os.pwrite(fd, body, index * len(body))
        os.fdatasync(fd)
        taken.append(time.perf_counter() - began)
    os.close(fd)
    path.unlink()
    return taken


async def opened(folder: Path) -> tuple[JournalStore, DataDirectory]:
    """Open a store in a fresh directory."""
    directory = DataDirectory.open(folder)
    store = JournalStore(directory.path)
    store.open(asyncio.get_running_loop())
    await store.begin(RUN)
    return store, directory


async def durable_writes(store: JournalStore, body: bytes, count: int, *, first: int) -> list[float]:
    """Time writes one after the other, each flushed."""
    taken = []
    for number in range(first, first + count):
        began = time.perf_counter()
        await store.write(FlushId(RUN, number), b"header", [body], durable=True)
        taken.append(time.perf_counter() - began)
    return taken


async def latencies(folder: Path) -> None:
    """Print the table of writes."""
    print(f"{'extent':>10} {'device, growing':>18} {'device, reserved':>18} {'journal':>18}   (ms, median and p99)")
    store, directory = await opened(folder / "latencies")
    first = 1
    for size_bytes in SIZES_BYTES:
        body = os.urandom(size_bytes)
        count = WRITES_LARGE if size_bytes >= 1 << 20 else WRITES
        growing = bare(folder, body, count, reserved=False)
        reserved = bare(folder, body, count, reserved=True)
        journal = await durable_writes(store, body, count, first=first)
        first += count
        print(f"{size_bytes:>10} {quantiles(growing):>18} {quantiles(reserved):>18} {quantiles(journal):>18}")
    await store.close()
    directory.close()


async def microseconds(act: Callable[[], Awaitable[object]], count: int) -> float:
    """Return the mean time of one call."""
    began = time.perf_counter()
    for _ in range(count):
        await act()
    return (time.perf_counter() - began) / count * 1e6


async def throughput_and_reads(folder: Path) -> None:
    """Print what many small extents cost, with two under way, and what reading and scanning them costs."""
    store, directory = await opened(folder / "reads")
    count = 5_000
    placed: list[Placed] = []

    async def every_other(start: int) -> None:
        for number in range(start, count + 1, 2):
            place = await store.write(FlushId(RUN, number), b"header", [b"x" * 1024], durable=False)
            placed.append(place)

    began = time.perf_counter()
    # Numbers must ascend: two in turn, each a step behind the other.
    await asyncio.gather(every_other(1), every_other(2))
    print(f"\npage-cache writes of 1 KiB, two under way: {(time.perf_counter() - began) / count * 1e6:.0f} µs each")
    name = placed[0].object_name
    for size_bytes in (1024, 16 * 1024, 64 * 1024):
        inline = await microseconds(lambda size=size_bytes: store.read([Range(name, 512, size)]), 500)  # type: ignore[misc]
        threaded = await microseconds(
            lambda size=size_bytes: store._in_thread(  # type: ignore[misc]
                store._readers, "read", lambda: store._objects.read([Range(name, 512, size)])
            ),
            500,
        )
        print(f"read of {size_bytes:>6} cached bytes: on the loop {inline:6.1f} µs, in a thread {threaded:6.1f} µs")
    began = time.perf_counter()
    found = [extent.flush.number async for extent in store.scan(RUN, after=0)]
    print(f"scan of extents of 1 KiB: {(time.perf_counter() - began) / len(found) * 1e6:.1f} µs each")
    await store.close()
    directory.close()


async def main() -> None:
    """Measure in a directory that goes away."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else ".") as name:
        await latencies(Path(name))
        await throughput_and_reads(Path(name))


if __name__ == "__main__":
    asyncio.run(main())
