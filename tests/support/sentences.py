"""A folder's tests as plain functions, for those who ask what of them fails while something is sabotaged."""

from __future__ import annotations

import importlib.util
import inspect
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import pytest

CPU_SECONDS_MAX = 3
SECONDS_MAX = 30
"""A sabotage that lets everybody turn in circles, or wait for ever, is noticed, too. A busy machine is none."""

Sentence = Callable[[], object]


class TooLong(BaseException):
    """Nothing may catch it on the way."""


def load(folder: Path, name: str) -> ModuleType:
    """Return a copy of `test_<name>.py` that nobody else has."""
    spec = importlib.util.spec_from_file_location(f"sentences_{name}", folder / f"test_{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of_files(folder: Path, names: Iterable[str]) -> list[Sentence]:
    """Return the tests of these files that need no fixture."""
    return [
        function
        for name in names
        for test, function in vars(load(folder, name)).items()
        if test.startswith("test_")
        and not hasattr(function, "hypothesis")
        and not inspect.signature(function).parameters
    ]


def _too_long(*_: object) -> None:
    raise TooLong


def failure(sentences: Iterable[Sentence]) -> str | None:
    """Return what fails first, or None if everything holds."""
    alarms = ((signal.ITIMER_PROF, signal.SIGPROF, CPU_SECONDS_MAX), (signal.ITIMER_REAL, signal.SIGALRM, SECONDS_MAX))
    before = [signal.signal(number, _too_long) for _, number, _ in alarms]
    try:
        for sentence in sentences:
            for timer, _, seconds in alarms:
                # Again and again: whoever swallows the first one gets another.
                signal.setitimer(timer, seconds, 0.2)
            try:
                sentence()
            except (Exception, BaseExceptionGroup, TooLong, pytest.fail.Exception) as error:
                return f"{sentence}: {error!r}"
    finally:
        for (timer, number, _), handler in zip(alarms, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
    return None
