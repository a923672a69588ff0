"""Journals under test: opening one over a directory, a history of what was promised, and checks that hold for all."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fleuve.adapters.journal.files import Files
from fleuve.adapters.journal.store import JournalStore
from fleuve.base.ids import FlushId, Incarnation
from fleuve.base.log import Logger
from fleuve.ports.errors import CorruptState, StoreUnavailable
from fleuve.ports.store import Placed, Range
from support.disk import Disk
from support.faulty_files import CHANGES, FaultyFiles, PowerCutFiles

FIRST = Incarnation(1)


def flush_id(number: int, incarnation: int = FIRST) -> FlushId:
    return FlushId(Incarnation(incarnation), number)


def body_of(number: int, size: int = 300) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


def make_folders(root: Path) -> None:
    for folder in ("journal", "segments"):
        (root / folder).mkdir(parents=True, exist_ok=True)


def power_cut_files(root: Path, chance: random.Random | None = None) -> PowerCutFiles:
    """Return files below `root` on a disk whose power can be cut."""
    make_folders(root)
    return PowerCutFiles(Disk(root), chance)


@asynccontextmanager
async def journal_store(
    root: Path,
    files: Files | None = None,
    *,
    incarnation: int | None = FIRST,
    journal_file_bytes: int = 64 << 20,
    preallocate_bytes: int = 4096,
    logger: Logger | None = None,
) -> AsyncIterator[JournalStore]:
    """Open a store over a directory, and close it however its disk is."""
    make_folders(root)
    store = JournalStore(
        root, files=files, journal_file_bytes=journal_file_bytes, preallocate_bytes=preallocate_bytes, logger=logger
    )
    store.open(asyncio.get_running_loop())
    try:
        if incarnation is not None:
            await store.begin(Incarnation(incarnation))
        yield store
    finally:
        with suppress(StoreUnavailable):
            await store.close()


async def scanned(store: JournalStore, incarnation: int = FIRST, *, after: int = 0) -> dict[int, bytes]:
    """Return the bodies that a scan yields, by flush number, in its order."""
    return {
        extent.flush.number: bytes(extent.body) async for extent in store.scan(Incarnation(incarnation), after=after)
    }


async def scanned_again(root: Path, incarnation: int = FIRST, *, after: int = 0) -> dict[int, bytes]:
    """Return what a scan yields to a broker that is started after this one."""
    async with journal_store(root, incarnation=None) as store:
        return await scanned(store, incarnation, after=after)


class History:
    """What was promised to whoever wrote one incarnation's extents."""

    def __init__(self, incarnation: int = FIRST) -> None:
        self.incarnation = incarnation
        self.bodies: dict[int, bytes] = {}
        self.placed: dict[int, Placed] = {}
        self.flushed: set[int] = set()
        """Must be there."""
        self.page_cache: set[int] = set()
        """Must be there unless the power was cut."""
        self.unknown: set[int] = set()
        """Failed, and nothing has succeeded since."""
        self.gone: set[int] = set()
        """Must not be there."""

    @property
    def number_next(self) -> int:
        return len(self.bodies) + 1

    async def write(self, store: JournalStore, *, durable: bool, size: int = 300) -> bool:
        number = self.number_next
        body = self.bodies[number] = body_of(number, size)
        header = number.to_bytes(2, "big")
        try:
            placed = await store.write(flush_id(number, self.incarnation), header, [body], durable=durable)
        except StoreUnavailable:
            self.unknown.add(number)
            return False
        self.placed[number] = placed
        self.page_cache.add(number)
        self._something_succeeded(durable=durable)
        return True

    async def void(self, store: JournalStore, number: int) -> bool:
        for promised in (self.flushed, self.page_cache):
            promised.discard(number)
        self.placed.pop(number, None)
        try:
            await store.void(flush_id(number, self.incarnation))
        except StoreUnavailable:
            return False
        self.gone.add(number)
        self._something_succeeded(durable=True)
        return True

    async def sync(self, store: JournalStore) -> bool:
        try:
            await store.sync()
        except StoreUnavailable:
            return False
        self._promise_flushed()
        return True

    def _something_succeeded(self, *, durable: bool) -> None:
        self.gone |= self.unknown
        self.unknown.clear()
        if durable:
            self._promise_flushed()

    def _promise_flushed(self) -> None:
        self.flushed |= self.page_cache
        self.page_cache.clear()

    def check(self, found: dict[int, bytes], *, power_cut: bool) -> None:
        """Raise AssertionError if a scan's result breaks a promise."""
        assert list(found) == sorted(found)
        assert all(self.bodies[number] == body for number, body in found.items())
        missing = self.flushed - set(found)
        assert not missing, f"flushed and lost: {missing}"
        if not power_cut:
            missing = self.page_cache - set(found)
            assert not missing, f"acknowledged and lost: {missing}"
        risen = self.gone & set(found)
        assert not risen, f"failed or voided, and there: {risen}"

    async def check_ends(self, root: Path, found: dict[int, bytes]) -> None:
        """Raise AssertionError unless an object's end tells the extents that are there from those that were lost."""
        async with journal_store(root, incarnation=None) as store:
            for number, placed in self.placed.items():
                if number in self.gone:
                    continue
                end = placed.position + len(self.bodies[number])
                assert (end <= await store.valid_end(placed.object_name)) == (number in found)

    async def check_reads(self, store: JournalStore) -> None:
        """Raise AssertionError if what was acknowledged cannot be read while the broker runs."""
        for number in sorted(self.flushed | self.page_cache):
            placed = self.placed[number]
            (found,) = await store.read([Range(*placed, len(self.bodies[number]))])
            assert bytes(found) == self.bodies[number]


async def busy_hour(store: JournalStore, history: History) -> None:
    """Do a little of everything."""
    await history.write(store, durable=True)
    await history.write(store, durable=False)
    await history.write(store, durable=False, size=1200)
    await history.write(store, durable=True, size=2000)
    await history.void(store, 2)
    await history.write(store, durable=False)
    with suppress(StoreUnavailable):
        await store.seal(older_than_ms=0, larger_than_bytes=0)
    await history.write(store, durable=True)
    await history.write(store, durable=False)
    await history.sync(store)
    await history.write(store, durable=True)
    await history.void(store, history.number_next - 1)
    await history.write(store, durable=False)


async def _lived_through(root: Path, files: FaultyFiles) -> History:
    history = History()
    async with journal_store(root, files, journal_file_bytes=4000) as store:
        await busy_hour(store, history)
        await history.check_reads(store)
        history.check(await scanned(store), power_cut=False)
        if isinstance(files, PowerCutFiles):
            files.cut()
        else:
            files.kill()
    return history


async def check_promises_under_faults(root: Path) -> None:
    """Let each call that changes something fail once, and the cut after it, and look at what is promised each time."""
    rehearsal = FaultyFiles()
    await _lived_through(root / "rehearsal", rehearsal)
    kinds = [kind for kind in CHANGES if rehearsal.calls[kind]]
    numbers = itertools.count()
    for kind in kinds:
        for nth in range(1, rehearsal.calls[kind] + 1):
            for how in ({}, {"after": True}, {"torn_bytes": 100}):
                if "torn_bytes" in how and kind != "write":
                    continue
                # The cut may fail as well, where there is one.
                for then in (None, "truncate", "sync") if kind in ("write", "datasync") else (None,):
                    for make in (None, power_cut_files, lambda at, nth=nth: power_cut_files(at, random.Random(nth))):
                        directory = root / str(next(numbers))
                        files = make(directory) if make else FaultyFiles()
                        files.fail(kind, nth=nth, then=then, **how)
                        history = await _lived_through(directory, files)
                        power_cut = isinstance(files, PowerCutFiles)
                        found = await scanned_again(directory)
                        history.check(found, power_cut=power_cut)
                        await history.check_ends(directory, found)
                        rest = {number: body for number, body in found.items() if number > 4}
                        assert await scanned_again(directory, after=4) == rest


async def check_what_a_scan_yielded_stays(root: Path) -> None:
    """Kill the broker in a flush, or after one that failed; let the next one scan; cut the power: all is there."""
    for kind, nth in (("datasync", 3), ("datasync", 4), ("sync", 1), ("sync_directory", 1)):
        for durable in (True, False):
            directory = root / f"{kind}-{nth}-{durable}"
            files = power_cut_files(directory)
            history = History()
            async with journal_store(directory, files) as store:
                files.fail(kind, nth=nth, lasting=True)
                files.fail("truncate", lasting=True)
                for _ in range(3):
                    await history.write(store, durable=durable)
                files.kill()
            files.revive()
            async with journal_store(directory, files, incarnation=None) as store:
                found = await scanned(store)
                files.cut()
            assert await scanned_again(directory) == found


async def check_torn_end(root: Path) -> None:
    """Cut the last extent's file at each of its bytes, and put rubbish there too: the ones before stay, it goes."""
    history = History()
    files = FaultyFiles()
    async with journal_store(root, files) as store:
        for _ in range(3):
            await history.write(store, durable=True, size=40)
        name = history.placed[3].object_name
        whole_end = await store.valid_end(name)
        files.kill()
    path = root / name
    whole = path.read_bytes()[:whole_end]
    # Behind the body of the second, where the third begins.
    start = history.placed[2].position + len(history.bodies[2])
    expected = {number: history.bodies[number] for number in (1, 2)}
    assert await scanned_again(root) == {**expected, 3: history.bodies[3]}
    for cut in range(start, whole_end):
        for tail in (b"", bytes(whole_end - cut), bytes([whole[cut] ^ 0x41]) + whole[cut + 1 :]):
            path.write_bytes(whole[:cut] + tail)
            assert await scanned_again(root) == expected, f"cut at byte {cut}, {len(tail)} bytes behind it"


async def check_damage_is_told(root: Path) -> None:
    """Change each byte of an extent that something later proves acknowledged: a scan refuses, and never guesses."""
    history = History()
    files = FaultyFiles()
    async with journal_store(root, files) as store:
        for _ in range(3):
            await history.write(store, durable=True, size=40)
        end = await store.valid_end(history.placed[3].object_name)
        files.kill()
    path = root / history.placed[1].object_name
    whole = path.read_bytes()[:end]
    for position in range(history.placed[1].position + 40, history.placed[2].position + 40):
        damaged = bytearray(whole)
        damaged[position] ^= 0x41
        path.write_bytes(damaged)
        try:
            found = await scanned_again(root)
        except CorruptState:
            continue
        raise AssertionError(f"byte {position} is damaged, and a scan yields {sorted(found)}")


async def check_failed_write_is_cut_at_once(root: Path) -> None:
    """Let a write and a flush fail: nothing of the extent stays in its file, even before anything else is written."""
    for kind in ("write", "datasync"):
        files = FaultyFiles()
        history = History()
        async with journal_store(root / kind, files) as store:
            await history.write(store, durable=True)
            size = (await store.list())[0].size_bytes
            files.fail(kind, after=True)
            assert not await history.write(store, durable=True)
            (info,) = await store.list()
            assert info.size_bytes == size
            assert not info.growing
            assert await scanned(store) == {1: history.bodies[1]}


async def check_sync_now(root: Path) -> None:
    """Flush from another thread what was acknowledged with the page-cache promise, then cut the power."""
    files = power_cut_files(root)
    history = History()
    async with journal_store(root, files) as store:
        await history.write(store, durable=False)
        await asyncio.to_thread(store.sync_now)
        files.cut()
    assert await scanned_again(root) == history.bodies


CHECKS: tuple[Callable[[Path], Awaitable[None]], ...] = (
    check_sync_now,
    check_failed_write_is_cut_at_once,
    check_what_a_scan_yielded_stays,
    check_torn_end,
    check_damage_is_told,
    check_promises_under_faults,
)
