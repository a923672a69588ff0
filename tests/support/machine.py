"""What benchmarks need to know about the machine and about a process on it. Linux only."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fleuve import __version__

_TICKS = os.sysconf("SC_CLK_TCK")


def describe_machine() -> str:
    """Return one line about the machine and the versions, for the head of a table."""
    cpus = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = cpus[0].split(":", 1)[1].strip() if cpus else "unknown CPU"
    try:
        loop = f"uvloop {version('uvloop')}"
    except PackageNotFoundError:
        loop = "asyncio's loop"
    return (
        f"fleuve {__version__}, Python {platform.python_version()}, {loop}, {sys.platform} {platform.release()}, "
        f"{os.cpu_count()} × {model}, load {os.getloadavg()[0]:.1f}"
    )


def cpu_seconds(pid: int) -> tuple[float, float]:
    """Return the user and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) / _TICKS, int(fields[12]) / _TICKS


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds, shared pages included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def read_bytes(pid: int) -> int:
    """Return the bytes that a process has read with system calls, from files in the page cache or not."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["rchar"])


def pinned_to(core: int) -> None:
    """Keep this process on one core (−1: the last)."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})


def pinned(core: int, *command: str) -> tuple[str, ...]:
    """Return the command with which a program runs on one core of those that the machine has."""
    return ("taskset", "-c", str(core), *command)
