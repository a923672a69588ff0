"""What clients and operators are told when stored data cannot be read."""

from __future__ import annotations

import asyncio

from fleuve.base.log import SilentLogger
from fleuve.engine.log.errors import StorageFailed
from fleuve.engine.log.reading import LINE_INTERVAL_S, ReadFailures
from fleuve.ports.errors import CatalogUnavailable, CorruptState
from fleuve.simulation.loop import virtually
from support.logs import running_log


class Lines(SilentLogger):
    """Keeps what was logged as errors."""

    def __init__(self):
        self.errors = []

    def error(self, event, /, **fields):
        self.errors.append((event, fields))


async def test_a_catalog_that_does_not_answer_fails_the_fetch_and_is_logged(tmp_path):
    async with running_log(tmp_path) as log:

        async def states(_partition_ids):
            raise CorruptState("a page is damaged")

        lines = log.service._failures._logger = Lines()
        log.service._views._catalog = type("Damaged", (), {"states": staticmethod(states)})()
        result = await log.fetch(0)
        assert isinstance(result.error, StorageFailed)
        ((event, fields),) = lines.errors
        assert event == "stored data cannot be read"
        assert "a page is damaged" in fields["error"]


def test_a_disk_that_fails_every_fetch_is_logged_now_and_then():
    async def fail_for(seconds):
        lines = Lines()
        failures = ReadFailures(lines)
        for _ in range(seconds):
            failures.failed("partition 1", CatalogUnavailable("disk I/O error"))
            await asyncio.sleep(1)
        return lines.errors

    errors = virtually(fail_for(int(3 * LINE_INTERVAL_S)))
    assert [fields["more_since"] for _, fields in errors] == [0, 9, 9]
