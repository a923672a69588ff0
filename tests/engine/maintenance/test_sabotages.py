"""The maintenance room's tests would notice if a rule broke: a line of the source is changed, and something must fail.

The line is changed in memory. What is asked is the sentences of this folder, over rows and a store in memory.
"""

from __future__ import annotations

import asyncio
import inspect
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fleuve.engine.maintenance import copying, garbage, merging, planning, service, writing
from support.maintained import world
from support.sabotages import each, line, sabotaged
from support.sentences import Sentence, failure, load, of_files

HERE = Path(__file__).parent

SABOTAGES = [
    # What is deleted, and when
    line(
        garbage, "await self._catalog.garbage(before_ms=now - grace_ms)", "await self._catalog.garbage(before_ms=now)"
    ),
    line(garbage, "for row in candidates if growing is None or row.name != growing.name]", "for row in candidates]"),
    line(
        garbage,
        "growing = await self._store.growing()\n        await self._flushes.flushes_settled()\n",
        "growing = await self._store.growing()\n",
    ),
    line(
        garbage,
        "infos = await self._store.list()\n        await self._flushes.flushes_settled()\n",
        "infos = await self._store.list()\n",
    ),
    line(garbage, "if not info.growing and info.name not in known", "if info.name not in known"),
    line(garbage, "info.name not in known and", ""),
    line(garbage, "if now - since >= grace_ms]", "]"),
    line(garbage, "self._orphans_since.get(name, now)", "now"),
    line(garbage, "            await self._catalog.forget_objects(some)\n", ""),
    line(garbage, "            await self._store.delete(some)\n", ""),
    line(service, "while swept:", "while False:"),
    line(service, "offset = page[count - 1].run.offset_end", "offset = page[count - 1].run.offset_end + 1"),
    line(service, "self._policy().producer_expiration_ms", "0"),
    # Retention
    line(planning, "if now_ms - youngest <= retention.time_ms:", "if now_ms - youngest < retention.time_ms:"),
    line(planning, "left - run.length >= retention.size_bytes", "left >= retention.size_bytes"),
    line(planning, "        left -= run.length\n", ""),
    line(planning, "written_ms.get(object_name, now_ms)", "0"),
    # Merges
    line(planning, "            or current[-1].run.offset_end != run.offset_first\n", ""),
    line(planning, "is None or damage_key(stored) in damaged:", "is None:"),
    line(planning, "if len(levels[level]) >= FANOUT:", "if len(levels[level]) >= FANOUT**2:"),
    line(copying, "                patch(data, position, base_offset, run.leader_epoch)\n", ""),
    line(copying, "if crc32c(data[position + ATTRIBUTES_POSITION : position + size]) != crc:", "if False:"),
    line(writing, "index.add(batch.base_offset, position, batch.max_timestamp)", "pass"),
    line(merging, "self.writing.discard(object_name)", "pass"),
]


def _over_memory(function: Callable[..., Coroutine[Any, Any, None]], policy: Any, **named: Any) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with world(Path(directory), policy=policy) as log:
                await function(log, **named)

    asyncio.run(run())


def _in_a_directory(function: Callable[..., Coroutine[Any, Any, None]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(function(Path(directory)))


def _with(tests: Any, *parameters: str) -> list[Callable[..., Coroutine[Any, Any, None]]]:
    return [
        function
        for name, function in vars(tests).items()
        if name.startswith("test_") and list(inspect.signature(function).parameters) == list(parameters)
    ]


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    garbage, alone, beside = (
        load(HERE, name) for name in ("garbage", "maintenance_service", "maintenance_beside_a_log")
    )
    return [
        *of_files(HERE, ("planning",)),
        *(partial(_over_memory, function, garbage.POLICY) for function in _with(garbage, "log")),
        *(partial(_over_memory, function, alone.POLICY) for function in _with(alone, "log")),
        *(partial(_over_memory, function, alone.POLICY, seed=1) for function in _with(alone, "log", "seed")),
        *(partial(_in_a_directory, function) for function in _with(beside, "tmp_path")),
        *(
            partial(
                _in_a_directory, partial(alone.test_a_damaged_batch_stays_where_it_is_and_holds_up_nobody, large=large)
            )
            for large in (False, True)
        ),
    ]


def test_without_a_sabotage_everything_holds(sentences):
    assert failure(sentences) is None


@pytest.mark.sabotage
@pytest.mark.filterwarnings("ignore")
@each(SABOTAGES)
def test_a_sabotage_is_noticed(sabotage, sentences):
    with sabotaged(sabotage):
        assert failure(sentences) is not None
