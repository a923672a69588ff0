"""Runs `fleuve` as on another system: what that system lacks is missing, and what it refuses is refused.

Fleuve's own modules get stand-ins for the modules that tell systems apart; everything else (Python, SQLite, the HTTP
stack) stays as it is. Windows: no fcntl, resource and uvloop; no reading and writing at a position, no fdatasync; a
file that is open cannot be deleted or renamed, a directory cannot be opened; an event loop without readers and signal
handlers, as the proactor; the lock by `msvcrt`, over Linux's own record locks. macOS: F_FULLFSYNC, which the kernel
here does not know and so refuses as a network file system does there; no fdatasync; 10,240 descriptors at most.
"""

from __future__ import annotations

import asyncio
import builtins
import errno
import fcntl
import importlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

TESTS = Path(__file__).parents[1]
EXIT_UNUSED = 3
"""The broker ended well, but never came to what it was to be tried with."""
BREAK = signal.SIGUSR1
"""Stands for Windows' Ctrl-Break."""

_LINUX_ONLY = ("fdatasync", "posix_fallocate", "RWF_NOWAIT")
_POSIX_ONLY = ("pwritev", "preadv", "pwrite", "pread", "sysconf", "sysconf_names", "statvfs", "SEEK_HOLE", "SEEK_DATA")


class StandIn(ModuleType):
    """A module with some names changed and some missing."""

    def __init__(self, real: ModuleType, *, without: tuple[str, ...] = (), **changed: Any) -> None:
        super().__init__(real.__name__)
        self.__real = real
        self.__without = without
        vars(self).update(changed)

    def __getattr__(self, name: str) -> Any:
        if name in self.__without:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} here")
        return getattr(self.__real, name)


def command(system: str) -> tuple[str, ...]:
    """Return the command with which `BrokerProcess` runs `fleuve` as on "win32" or "darwin"."""
    program = (
        f"import sys; sys.path.append({str(TESTS)!r}); from support.elsewhere import main; sys.exit(main({system!r}))"
    )
    # Whoever leaves the encoding of a file to the system writes one that other systems cannot read.
    return (sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning", "-c", program)


def become(system: str) -> set[str]:
    """Be on that system from now on; return what collects a word when the broker used what only that one has."""
    # The HTTP stack looks at the system, too, and would believe neither.
    importlib.import_module("uvicorn")
    used: set[str] = set()
    give_stand_ins({"win32": windows, "darwin": macos}[system](used))
    return used


def main(system: str) -> int:
    """Run `fleuve` as on that system."""
    used = become(system)
    code = int(importlib.import_module("fleuve.cli.main").main())
    return code if code or used else EXIT_UNUSED


def give_stand_ins(stand_ins: Mapping[str, ModuleType | None]) -> None:
    """Let Fleuve's modules import these in place of the real ones; None: there is no such module."""
    imported = builtins.__import__

    def importing(name: str, globals: Any = None, *arguments: Any, **named: Any) -> Any:  # noqa: A002 - Python's name.
        ours = globals is not None and str(globals.get("__name__", "")).startswith("fleuve")
        if not ours or name not in stand_ins:
            return imported(name, globals, *arguments, **named)
        stand_in = stand_ins[name]
        if stand_in is None:
            raise ImportError(f"there is no {name} here", name=name)
        return stand_in

    assert not any(name == "fleuve" or name.startswith("fleuve.") for name in sys.modules)
    builtins.__import__ = importing


# ---------------------------------------------------------------- Windows


def windows(used: set[str]) -> dict[str, ModuleType | None]:
    """Return the stand-ins for Windows; `used` gets a word when the directory was locked."""
    sys.addaudithook(_refuse_what_is_open)
    vars(asyncio.events)["new_event_loop"] = ProactorLike

    def locking(fd: int, mode: int, count: int) -> None:
        used.add("locking")
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, count, 0, os.SEEK_CUR)
        except OSError as error:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from error

    msvcrt = ModuleType("msvcrt")
    vars(msvcrt).update(locking=locking, LK_NBLCK=2)

    def open_(path: Any, flags: int, mode: int = 0o777) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return os.open(path, flags, mode)

    return {
        "fcntl": None,
        "resource": None,
        "uvloop": None,
        "msvcrt": msvcrt,
        "os": StandIn(os, without=_LINUX_ONLY + _POSIX_ONLY, name="nt", open=open_),
        "sys": StandIn(sys, platform="win32"),
        "signal": StandIn(signal, SIGBREAK=BREAK),
        "socket": StandIn(socket, without=("SO_REUSEPORT", "SO_REUSEADDR"), SO_EXCLUSIVEADDRUSE=socket.SO_KEEPALIVE),
    }


def _refuse_what_is_open(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"os.remove", "os.rename"}:
        for path in arguments[: 2 if event == "os.rename" else 1]:
            if str(path) in _open_files():
                raise PermissionError(errno.EACCES, "The process cannot access the file: it is open", str(path))


def _open_files() -> set[str]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):  # noqa: PTH208 - no other file is opened on the way.
        try:
            found.add(os.readlink(f"/proc/self/fd/{fd}"))  # noqa: PTH115
        except OSError:
            continue
    return found


def _not_here(*_: Any) -> Any:
    raise NotImplementedError


class ProactorLike(asyncio.SelectorEventLoop):
    """An event loop without what Windows' proactor lacks."""

    add_reader = remove_reader = add_writer = remove_writer = _not_here  # type: ignore[assignment]
    add_signal_handler = remove_signal_handler = _not_here  # type: ignore[assignment]


# ---------------------------------------------------------------- macOS


def macos(used: set[str]) -> dict[str, ModuleType | None]:
    """Return the stand-ins for macOS; `used` gets a word when F_FULLFSYNC was asked for."""
    full_fsync = 51

    def control(fd: int, request: int, *arguments: int) -> int:
        if request == full_fsync:
            used.add("F_FULLFSYNC")
        return fcntl.fcntl(fd, request, *arguments)

    def setrlimit(which: int, limits: tuple[int, int]) -> None:
        if limits[0] == resource.RLIM_INFINITY or limits[0] > 10_240:
            raise ValueError("current limit exceeds maximum limit")
        resource.setrlimit(which, limits)

    def getrlimit(which: int) -> tuple[int, int]:
        return 256, resource.RLIM_INFINITY

    infinite: Callable[..., Any] = getrlimit
    return {
        "fcntl": StandIn(fcntl, fcntl=control, F_FULLFSYNC=full_fsync),
        "resource": StandIn(resource, setrlimit=setrlimit, getrlimit=infinite),
        "os": StandIn(os, without=_LINUX_ONLY),
        "sys": StandIn(sys, platform="darwin"),
        "socket": StandIn(socket, without=("SO_REUSEPORT",)),
    }
