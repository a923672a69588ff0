"""The cuts of `test_power.py` and the campaigns of `test_kill.py`, tried on brokers that break a promise in one line.

Each must be noticed. What a cut of one life in this process can see is left to the cuts: a campaign takes longer.
"""

from __future__ import annotations

import pytest

from fleuve.adapters.journal import appender, files, scan, segments, store
from fleuve.adapters.sqlite import database, groups, producers, topics
from fleuve.adapters.sqlite import log as catalog
from fleuve.engine.log import catch_up, decide, recovery
from fleuve.engine.maintenance import copying, garbage
from support.cuts import Cutter, rehearse
from support.kills import kill_again_and_again
from support.sabotages import Sabotage, each, line, sabotaged

TURNS = 40
CUTS = 30
ROUNDS_MAX = 20

CUT: list[Sabotage] = [
    # The journal
    line(appender, "        self._files.datasync(current.fd)\n", "        pass\n"),
    line(appender, "            self._files.sync_directory(self._root / JOURNAL)\n", "            pass\n"),
    line(store, "header, body), durable=durable)", "header, body), durable=False)"),
    line(scan, "    if not body_sound(body, fixed):", "    if False:"),
    line(scan, "    if durable_end < last.end:", "    if False:"),
    # Segments and folders
    line(segments, "        self._files.sync(fd)\n", "        pass\n"),
    line(segments, "            self._files.sync_directory(path.parent)\n", "            pass\n"),
    line(segments, "                self._files.sync_directory(folder.parent)\n", "                pass\n"),
    # The catalog
    line(database, "durable = any(work.durable for work in group)", "durable = False"),
    line(database, "if durable and self._before_durable is not None:", "if False:"),
    line(database, "'FULL' if full else 'NORMAL'", "'NORMAL'"),
    line(database, "={'FULL' if full else 'NORMAL'}\"", '=OFF"'),
    line(catalog, "        if decision.producers:", "        if False:"),
    line(catalog, "        if decision.runs:", "        if False:"),
    # Recovery
    line(recovery, "count = 0 if self._catalog.produce_commits_durable else", "count = 0 if True else"),
    line(recovery, "batches = list(_batches(found, header))", "batches = list(_batches(found, header))[:1]"),
    line(recovery, "filled += await self._fill(incarnation)", "filled += 0"),
    # Garbage
    line(
        garbage,
        "await self._catalog.garbage(before_ms=now - grace_ms)",
        "[row.name for row in await self._catalog.objects(segments=False)][:-1]",
    ),
]


@pytest.mark.sabotage
@pytest.mark.faults
@pytest.mark.timeout(400)
@each(CUT)
async def test_cuts_notice(sabotage, tmp_path):
    with sabotaged(sabotage):
        assert await _findings(tmp_path)


async def _findings(root):
    try:
        lives = [
            await rehearse(root / f"life-{failures}", 1, turns=TURNS, failures=failures) for failures in (False, True)
        ]
    except Exception as error:
        return [repr(error)]
    for number in range(ROUNDS_MAX):
        cutter = Cutter(root, number)
        await cutter.cut_somewhere(lives[number % 2], CUTS)
        if cutter.report.findings:
            return cutter.report.findings
    return []


# ---------------------------------------------------------------- campaigns on a process

KILLED: list[Sabotage] = [
    line(
        files,
        "return os.pwritev(fd, buffers, position)",
        "return __import__('threading').Timer(0.05, os.pwritev, (fd, [bytes(b) for b in buffers], position)).start()"
        " or sum(map(len, buffers))",
    ),
    line(decide, "outcome = _sequenced(batch, log, states, decision, offset, circumstances)", "outcome = offset"),
    line(catch_up, "            patch(data, position, offset, run.leader_epoch)\n", "            pass\n"),
    line(copying, "                patch(data, position, base_offset, run.leader_epoch)\n", "                pass\n"),
    line(groups, 'lambda connection: _run_many(connection, "commit_offset", rows)', "lambda connection: None"),
    line(topics, "[_delete(connection, id_) for id_ in topic_ids]", "[() for _ in topic_ids]"),
    line(producers, "return ProducerId(await self._database.write(take))", "return ProducerId(7000)"),
]
"""What `kill -9` brings to light."""
UNPLUGGED: list[Sabotage] = [
    line(appender, "        self._files.datasync(current.fd)\n", "        pass\n"),
    line(database, "durable = any(work.durable for work in group)", "durable = False"),
]
"""What takes a power cut."""


@pytest.mark.sabotage
@pytest.mark.faults
@pytest.mark.timeout(400)
@each(KILLED)
def test_kills_notice(sabotage, tmp_path):
    assert kill_again_and_again(tmp_path, kills=12, seed=5, sabotage=sabotage, real_clients=False).findings


@pytest.mark.sabotage
@pytest.mark.faults
@pytest.mark.timeout(400)
@each(UNPLUGGED)
def test_power_cuts_of_a_process_notice(sabotage, tmp_path):
    report = kill_again_and_again(tmp_path, kills=20, seed=5, power=True, sabotage=sabotage, real_clients=False)
    assert report.findings
