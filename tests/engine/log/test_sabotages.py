"""The log room's tests would notice if a rule broke: one line of the source is changed, and something must fail.

The line is changed in memory. What is asked is the sentences of this folder that need no fixture, reads against their
model, and some seeds of the simulation.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import signal
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

from fleuve.engine.log import catch_up, decide, fetch, flush, partition, recovery, service
from support.virtual_time import virtually

HERE = Path(__file__).parent
SEEDS = 40
SECONDS_MAX = 3
"""A sabotage that lets everybody wait for ever is noticed, too."""

SABOTAGES: list[tuple[ModuleType, str, str]] = [
    # What is decided
    (decide, "            offset += batch.last_offset_delta + 1\n", "            offset += 1\n"),
    (decide, "return Duplicate(entry.base_offset, entry.append_time_ms)", "return Duplicate(offset, -1)"),
    (decide, "        if first != expected:", "        if first > expected + 5:"),
    (decide, "elif batch.producer_epoch < state.epoch:", "elif False:"),
    (decide, "decision.producers.get(key) or states", "states"),
    (decide, "key in circumstances.unsettled or not", "not"),
    (decide, "(*entries, entry)[-ENTRIES_MAX:]", "(entry,)"),
    (decide, "position + batch.size, -1", "position, -1"),
    # Flushes
    (flush, "batches.sort(key=_partition_id)", "batches.sort(key=lambda b: (b.partition_id, -b.sequence))"),
    (flush, "durable=any(batch.sync_after_messages <= 1 for batch in batches)", "durable=False"),
    (flush, "            await flush.written\n", ""),
    (flush, "await self._void_doomed(flush)", "pass"),
    (flush, "        flush.unsettled = self._unsettled_of(batches)\n", ""),
    (flush, "if not await self._catalog.void(flush.flush_id):", "if await self._catalog.void(flush.flush_id) is None:"),
    (flush, "        if self._unresolved is not None:\n", "        if False:\n"),
    (flush, "            await self._resolve(flush)\n            return\n", "            return\n"),
    (service, "        patch(batch.slab.view, batch.start, outcome, view.leader_epoch)\n", "        pass\n"),
    (service, "self._note_refused(partition_id, records)", "pass"),
    (service, "            view.wake()", "            pass"),
    # Recovery
    (recovery, "after=number)", "after=number + 1)"),
    (recovery, "                await self._catalog.void(FlushId(unfinished.incarnation, number))\n", ""),
    (recovery, "count = 0 if self._catalog.produce_commits_durable else", "count = 0 if True else"),
    (recovery, "filled += await self._fill(incarnation)", "filled += 0"),
    (recovery, "batch.max_timestamp if is_log_append_time(batch.attributes) else -1", "-1"),
    (recovery, "set(header.unsettled)", "set()"),
    # Reads
    (partition, "        self.high_watermark = offset_end\n", ""),
    (partition, "if base_offset + last_offset_delta >= offset:", "if base_offset >= offset:"),
    (fetch, "            await self._views.refresh(want.partition_id)", "            pass"),
    (catch_up, "                if last_offset < offset:", "                if False:"),
    (catch_up, "        patch(data, position, offset, run.leader_epoch)", "        pass"),
    (catch_up, "leftover=buffers[0])", "leftover=buffers[0][1:])"),
    (catch_up, "cursor.object_name == stored.object_name and", ""),
]


def _sabotage_id(sabotage: tuple[ModuleType, str, str]) -> str:
    module, old, new = sabotage
    return f"{module.__name__.rpartition('.')[2]}: {old.strip()[:60]} -> {new.strip()[:40]}"


def _functions(module: ModuleType | type) -> Iterator[tuple[str, FunctionType]]:
    for name, found in vars(module).items():
        if getattr(found, "__module__", None) != (module.__module__ if isinstance(module, type) else module.__name__):
            continue
        if isinstance(found, FunctionType):
            yield name, found
        elif inspect.isclass(found) and isinstance(module, ModuleType):
            for inner, function in _functions(found):
                yield f"{name}.{inner}", function


@contextmanager
def sabotaged(module: ModuleType, old: str, new: str) -> Iterator[None]:
    """Give the module's functions the code of a changed copy: whoever imported them has it, too."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{module.__name__} has {old!r} {source.count(old)} times"
    copy = ModuleType(module.__name__)
    exec(compile(source.replace(old, new), f"<sabotaged {module.__name__}>", "exec"), vars(copy))
    theirs = dict(_functions(copy))
    undo: list[tuple[FunctionType, CodeType]] = []
    try:
        for name, function in _functions(module):
            undo.append((function, function.__code__))
            function.__code__ = theirs[name].__code__
        yield
    finally:
        for function, code in undo:
            function.__code__ = code


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sabotaged_{name}", HERE / f"test_{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _with_a_directory(name: str) -> list[Callable[[Path | None], Coroutine[None, None, None]]]:
    return [
        function
        for test, function in vars(_load(name)).items()
        if test.startswith("test_") and list(inspect.signature(function).parameters) == ["tmp_path"]
    ]


def _in_memory(function: Callable[[Path | None], Coroutine[None, None, None]]) -> None:
    virtually(asyncio.wait_for(function(None), 300))


def _in_a_directory(function: Callable[[Path | None], Coroutine[None, None, None]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(asyncio.wait_for(function(Path(directory)), SECONDS_MAX))


@pytest.fixture(scope="module")
def sentences() -> list[Callable[[], object]]:
    found: list[Callable[[], object]] = []
    for name in ("flush", "catch_up", "decide"):
        for test, function in vars(_load(name)).items():
            if not test.startswith("test_"):
                continue
            if hasattr(function, "hypothesis") or not inspect.signature(function).parameters:
                found.append(function)
    found += [partial(_in_memory, function) for function in _with_a_directory("service")]
    found += [partial(_in_a_directory, function) for function in _with_a_directory("recovery")]
    reads, simulation = _load("catch_up"), _load("simulation")
    found += [partial(reads.test_any_read_returns_whole_batches_in_order, seed) for seed in range(1, 9)]
    found += [partial(simulation.simulate, seed) for seed in range(SEEDS)]
    return found


class TooLong(BaseException):
    """Nobody may catch it."""


def _too_long(*_: object) -> None:
    raise TooLong


def failure(sentences: list[Callable[[], object]]) -> str | None:
    """Return what fails first, or None if everything holds."""
    before = signal.signal(signal.SIGALRM, _too_long)
    try:
        for sentence in sentences:
            signal.setitimer(signal.ITIMER_REAL, SECONDS_MAX, 0.2)
            try:
                sentence()
            except (Exception, BaseExceptionGroup, TooLong, pytest.fail.Exception) as error:
                return f"{sentence}: {error!r}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return None


def test_without_a_sabotage_everything_holds(sentences):
    assert failure(sentences) is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sabotage", SABOTAGES, ids=_sabotage_id)
def test_a_sabotage_is_noticed(sabotage, sentences):
    with sabotaged(*sabotage):
        assert failure(sentences) is not None
