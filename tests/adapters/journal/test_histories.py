"""Long random histories of one data directory: writes, voids, faults, kills and power cuts, against the promises."""

import asyncio
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from fleuve.ports.errors import StoreUnavailable
from support.faulty_files import CHANGES
from support.journals import History, journal_store, power_cut_files, scanned, scanned_again


class JournalHistories(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.incarnation = 0
        self.settled = {}
        self.context: Any = None

    def run(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    @initialize(seed=st.none() | st.integers(0, 1000))
    def start(self, seed=None):
        self.incarnation += 1
        self.files = power_cut_files(self.root, None if seed is None else random.Random(seed))
        self.history = History(self.incarnation)
        self.context = journal_store(self.root, self.files, incarnation=self.incarnation, journal_file_bytes=3000)
        self.store = self.run(self.context.__aenter__())

    @rule(durable=st.booleans(), size=st.sampled_from([0, 40, 700, 5000]))
    def write(self, durable, size):
        self.run(self.history.write(self.store, durable=durable, size=size))

    @precondition(lambda self: self.history.bodies)
    @rule(back=st.integers(0, 2))
    def void(self, back):
        self.run(self.history.void(self.store, max(1, self.history.number_next - 1 - back)))

    @rule()
    def sync(self):
        self.run(self.history.sync(self.store))

    @rule()
    def seal(self):
        try:
            self.run(self.store.seal(older_than_ms=0, larger_than_bytes=0))
        except StoreUnavailable:
            assert self.files.calls

    @rule(
        kind=st.sampled_from(CHANGES),
        nth=st.integers(1, 4),
        after=st.booleans(),
        torn_bytes=st.none() | st.integers(0, 900),
        then=st.none() | st.sampled_from(["truncate", "sync", "unlink", "datasync"]),
        lasting=st.booleans(),
    )
    def break_something(self, kind, nth, after, torn_bytes, then, lasting):
        torn_bytes = torn_bytes if kind == "write" else None
        self.files.fail(kind, nth=nth, after=after, torn_bytes=torn_bytes, then=then, lasting=lasting)

    @rule()
    def mend(self):
        self.files.recover()

    @rule()
    def read_while_it_runs(self):
        self.run(self.history.check_reads(self.store))
        self.history.check(self.run(scanned(self.store, self.incarnation)), power_cut=False)

    @rule(how=st.sampled_from(["kill", "cut", "close", "kill, scan and cut"]), seed=st.none() | st.integers(0, 1000))
    def end_and_start_again(self, how, seed):
        self.end(how)
        self.start(seed)

    def end(self, how):
        match how:
            case "cut":
                self.files.cut()
            case "close":
                self.files.recover()
            case _:
                self.files.kill()
        self.run(self.context.__aexit__(None, None, None))
        self.context = None
        if how == "close":
            self.history.flushed |= self.history.page_cache
        found = self.run(scanned_again(self.root, self.incarnation))
        self.history.check(found, power_cut=how == "cut")
        self.run(self.history.check_ends(self.root, found))
        if how == "kill, scan and cut":
            self.files.revive()
            assert self.run(self.scanned_then_cut()) == found
            assert self.run(scanned_again(self.root, self.incarnation)) == found
        self.settled[self.incarnation] = found

    async def scanned_then_cut(self):
        async with journal_store(self.root, self.files, incarnation=None) as store:
            found = await scanned(store, self.incarnation)
            self.files.cut()
        return found

    def teardown(self):
        if self.context is not None:
            self.end("kill")
        for incarnation, found in self.settled.items():
            # What one start after a crash has decided by, the next one must see again.
            assert self.run(scanned_again(self.root, incarnation)) == found
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()


TestJournalHistories = JournalHistories.TestCase
TestJournalHistories.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
