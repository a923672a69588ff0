"""Sabotages: one line of the source is changed in memory, and the suite that guards the line must notice.

A suite keeps its list of `Sabotage` beside it, and a test marked `sabotage` that applies one at a time and fails unless
something of the suite fails. `sabotaged` is for code that runs in the test's own process; `broken_broker` is the
command of a broker in a process of its own, for `BrokerProcess`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Sabotage:
    """A line of the source, and what it is changed to."""

    promise: str
    """What is broken, in a few words: "acknowledge before the flush"."""
    module: str
    old: str
    """Occurs once in the module's source, inside a function or method."""
    new: str


def line(module: ModuleType, old: str, new: str) -> Sabotage:
    """Return a sabotage that is named after what it changes."""
    home = module.__name__.rpartition(".")[2]
    return Sabotage(f"{home}: {old.strip()[:60]} -> {new.strip()[:40]}", module.__name__, old, new)


def each(sabotages: list[Sabotage]) -> pytest.MarkDecorator:
    """Return the decorator that gives a test the parameter `sabotage`, one after another."""
    promises = [sabotage.promise for sabotage in sabotages]
    assert len(set(promises)) == len(promises), "two sabotages have one name"
    return pytest.mark.parametrize("sabotage", sabotages, ids=promises)


@contextmanager
def sabotaged(sabotage: Sabotage) -> Iterator[None]:
    """Let the body run with the line changed, for whoever has imported it, too."""
    undo = apply(sabotage)
    try:
        yield
    finally:
        for function, code in undo:
            function.__code__ = code


def apply(sabotage: Sabotage) -> list[tuple[FunctionType, CodeType]]:
    """Give the module's functions the code of a changed copy; return them with the code that they had."""
    module = importlib.import_module(sabotage.module)
    source = inspect.getsource(module)
    count = source.count(sabotage.old)
    assert count == 1, (
        f"{sabotage.module} has {sabotage.old!r} {count} times: the sabotage {sabotage.promise!r} is stale"
    )
    copy = ModuleType(module.__name__)
    copy.__file__ = module.__file__
    # Dataclasses look their module up.
    sys.modules[module.__name__] = copy
    try:
        exec(compile(source.replace(sabotage.old, sabotage.new), f"<sabotaged {module.__name__}>", "exec"), vars(copy))
    finally:
        sys.modules[module.__name__] = module
    theirs = dict(_functions(copy))
    undo = []
    for name, function in _functions(module):
        if function.__code__ != theirs[name].__code__:
            undo.append((function, function.__code__))
            function.__code__ = theirs[name].__code__
    assert undo, f"the sabotage {sabotage.promise!r} changes no function"
    return undo


def _functions(owner: ModuleType | type) -> Iterator[tuple[str, FunctionType]]:
    home = owner.__module__ if isinstance(owner, type) else owner.__name__
    for name, found in list(vars(owner).items()):
        for part, function in _bare(found):
            if function.__module__ == home:
                yield f"{name}{part}", function
        if inspect.isclass(found) and isinstance(owner, ModuleType) and found.__module__ == home:
            for inner, function in _functions(found):
                yield f"{name}.{inner}", function


def _bare(found: object) -> Iterator[tuple[str, FunctionType]]:
    """Yield the functions behind a function, a method of any kind, a property, or something that wraps one."""
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    if isinstance(found, property):
        for part in ("fget", "fset"):
            if isinstance(function := getattr(found, part), FunctionType):
                yield f".{part}", function
    wrapped = found
    while hasattr(wrapped, "__wrapped__") and not inspect.isclass(wrapped):
        wrapped = wrapped.__wrapped__
    if isinstance(wrapped, FunctionType):
        yield "", wrapped


def broken_broker(sabotage: Sabotage) -> tuple[str, ...]:
    """Return the command with which `BrokerProcess` runs `fleuve` with the line changed."""
    change = json.dumps([sabotage.promise, sabotage.module, sabotage.old, sabotage.new])
    program = (
        f"import sys; sys.path.append({str(TESTS)!r}); from support.sabotages import main; sys.exit(main({change!r}))"
    )
    return (sys.executable, "-c", program)


def main(change: str) -> int:
    """Run `fleuve` with the change that `broken_broker` wrote down."""
    from fleuve.cli.main import main as fleuve

    apply(Sabotage(*json.loads(change)))
    return fleuve()
