"""Cuts the power of a broker at every place in its history, and lets the next one recover.

One life is lived first, with everything in it that a broker does: batches of plain and idempotent producers, with both
promises, several at once; offset commits; topics that come and go; configs; deleted records; rolls of the journal,
merges, retention, garbage, checkpoints of the catalog. Its disk remembers every change. Then the power is cut at each
place, in several ways (`losses`); each time a broker starts on what is left, and must show what was told by then.
Clients send again what had no answer, and go on; and that life can be cut itself, its start included.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleuve.base.clock import ManualClock
from fleuve.base.errors import FleuveError
from support.batches import NOW_MS
from support.disk import SECTORS, Change, Device, Flush, KeepsOnly, KeepsUpTo, Loss, Shuffled, Write, write_tree
from support.lives import Life, living
from support.told import Partition, Producer, Told

TOPICS: dict[str, tuple[int, dict[str, str]]] = {
    "orders": (3, {}),
    "clicks": (2, {"flush.messages": "7"}),
    "recent": (1, {"retention.bytes": "6000"}),
}
PARTITIONS: list[Partition] = [(name, index) for name, (count, _) in TOPICS.items() for index in range(count)]
SIZES = (0, 0, 30, 300, 3000)
AGAIN = 0.1
"""How many of the lives after a cut are cut themselves."""
FRAME_BYTES = {24, 4096}
DEPTH_MAX = 3
"""So many cuts one after another."""


@dataclass
class Lived:
    """A life that is over: the disk as it was before, what changed, and what was told."""

    before: Device
    history: Sequence[Change]
    told: Told
    ready: int
    """The place at which the broker served."""

    @property
    def end(self) -> int:
        """The last place."""
        return self.before.count + len(self.history)

    def telling(self) -> list[int]:
        """Return the places just behind what is no frame of the -wal: most changes are, and they are much alike."""
        places = []
        for place, change in enumerate(self.history, self.before.count + 1):
            if not isinstance(change, Write):
                places.append(place)
            elif len(change.content) not in FRAME_BYTES:
                # What can be torn is cut oftener.
                places += [place] * (6 if len(change.content) > SECTORS[0] else 2)
        return places

    def devices(self, places: Iterable[int]) -> Iterator[Device]:
        """Yield the disk as it was at each of these places, which ascend; it is one and the same device."""
        device = self.before.copy()
        for place in places:
            while device.count < place:
                device.apply(self.history[device.count - self.before.count])
            yield device


@dataclass
class Report:
    """What was cut, and what was found."""

    cuts: int = 0
    again: int = 0
    """Cuts in the life after a cut."""
    findings: list[str] = field(default_factory=list)


async def rehearse(root: Path, seed: int, *, turns: int, failures: bool = False) -> Lived:
    """Live a life; return it. With `failures` writes and flushes fail in it, one at a time."""
    chance = random.Random(seed)
    told = Told(page_cache={"clicks"})
    clock = ManualClock(NOW_MS)
    async with living(root, told, clock=clock) as life:
        before, ready = Device({}), life.now
        for name, (count, overrides) in TOPICS.items():
            await life.create(name, count, overrides)
        producers = [await life.new_producer() for _ in range(3)]
        for turn in range(turns):
            if failures and chance.random() < 0.4:
                _break_something(life, chance)
            await _produce(life, chance, producers, failures=failures)
            with contextlib.suppress(*([FleuveError] if failures else [])):
                await _something_else(life, chance, turn)
        life.recover()
        await life.answer_all()
        findings = await life.findings()
        assert findings == [], findings
    assert life.disk.history is not None
    return Lived(before, life.disk.history, told, ready)


async def _produce(life: Life, chance: random.Random, producers: Sequence[Producer], *, failures: bool) -> None:
    sending = []
    for _ in range(chance.randrange(1, 6)):
        partition, producer = chance.choice(PARTITIONS), chance.choice([None, *producers])
        number = sum(len(one.values) for one in life.told.batches)
        size = chance.choice(SIZES)
        values = [b"%d-%s" % (number + index, b"." * size) for index in range(chance.randrange(1, 4))]
        sending.append(life.send(life.new_batch(partition, values, producer)))
        if chance.random() < 0.2:
            await sending[-1]
    for answer in sending:
        result = await answer
        assert failures or not isinstance(result, FleuveError), result
    await life.answer_all()


def _break_something(life: Life, chance: random.Random) -> None:
    kind = chance.choice(["write", "datasync", "sync", "truncate", "sync_directory", "open_new", "catalog", "catalog"])
    if kind == "catalog":
        life.fail_catalog(chance.choice(["write", "flush"]), chance.randrange(1, 20))
    else:
        then = chance.choice([None, "truncate", "datasync", "sync"])
        torn_bytes = chance.choice([None, 60, 700]) if kind == "write" else None
        life.files.fail(kind, nth=chance.randrange(1, 5), after=chance.random() < 0.5, torn_bytes=torn_bytes, then=then)


async def _something_else(life: Life, chance: random.Random, turn: int) -> None:
    partition = chance.choice(PARTITIONS)
    name = f"passing-{turn // 9}"
    match turn % 9:
        case 0:
            await life.create(name, 2, {"retention.ms": "100000"})
            await life.send(life.new_batch((name, 1), [b"passing-%d" % turn]))
        case 1 | 4:
            await life.commit("readers", partition, turn)
        case 2:
            await life.read(partition)
        case 3:
            await life.configure("orders", "max.message.bytes", str(100_000 + turn))
        case 5:
            partition = ("orders", turn % 3)
            log = await life.read(partition)
            if log.end - log.start > 2 and chance.random() < 0.5:
                await life.delete_records(partition, chance.randrange(log.start + 1, log.end))
        case 6:
            await life.seal()
            if life.broker.rooms.topics.get(name) is not None:
                await life.delete(name)
        case 7:
            await life.maintain()
            life.clock.advance(2000)
        case _:
            # What was marked as garbage goes.
            await life.maintain()


# ---------------------------------------------------------------- how the power can go


def losses(device: Device, chance: random.Random, *, thorough: bool) -> Iterator[tuple[str, Loss | None]]:
    """Yield what a power cut may do to a device, each with a name; None where the process alone is killed."""
    yield "the process is killed", None
    yield "nothing unflushed survives", Loss()
    place = device.count
    unflushed = device.unflushed()
    if not unflushed:
        return
    yield "everything but the last change survives, of that some sectors", KeepsUpTo(place - 1, torn_sectors=1)
    sector = chance.choice([512, 4096])
    if torn := [(at, size) for at, size in device.writes() if size > SECTORS[0]]:
        at, size = torn[-1]
        loss = KeepsUpTo(at - 1, torn_sectors=chance.randrange(1, -(-size // SECTORS[0])))
        yield f"the write at {at} is torn, everything before it survives", loss
    upto = chance.choice(unflushed)[0]
    yield f"everything up to {upto} survives", KeepsUpTo(upto - 1, torn_sectors=chance.randrange(9), sector=sector)
    wal = [at for at, path in unflushed if _is_catalog(path)]
    if wal:
        for upto in wal if thorough else [chance.choice(wal)]:
            for torn_sectors in (0, chance.randrange(1, 8)) if thorough else (chance.randrange(8),):
                loss = _CatalogUpTo(upto - 1, torn_sectors=torn_sectors)
                yield f"the catalog survives up to {upto} and {torn_sectors} sectors, and all else", loss
        yield "the catalog alone survives", KeepsOnly(_is_catalog, place=place, names=chance.random() < 0.5)
    yield "the store alone survives", KeepsOnly(_is_store, place=place, names=chance.random() < 0.5)
    for _ in range(3 if thorough else 1):
        seed = chance.randrange(1 << 30)
        yield f"sectors survive as they like ({seed})", Shuffled(random.Random(seed))


class _CatalogUpTo(KeepsUpTo):
    """All survives but the end of the catalog's files."""

    def survivors(self, path, pending):  # type: ignore[no-untyped-def]
        if _is_catalog(path):
            yield from super().survivors(path, pending)
        else:
            yield from (change for _, change in pending)

    def keeps_names(self, place, change):  # type: ignore[no-untyped-def]
        return True


def _is_catalog(path: Path | int) -> bool:
    return isinstance(path, Path) and path.name.startswith("catalog.sqlite")


def _is_store(path: Path) -> bool:
    return not _is_catalog(path)


# ---------------------------------------------------------------- cutting


class Cutter:
    """Cuts lives, each image once."""

    def __init__(self, root: Path, seed: int) -> None:
        self.report = Report()
        self._root = root
        self._chance = random.Random(seed)
        self._done: set[int] = set()

    async def cut_everywhere(self, lived: Lived) -> None:
        """Cut a life at every place, in every way; and now and then the next life, too."""
        for device in lived.devices(range(lived.before.count, lived.end + 1)):
            following = device.count - lived.before.count
            thorough = following < len(lived.history) and isinstance(lived.history[following], Flush)
            for how, loss in losses(device, self._chance, thorough=thorough):
                await self._cut(lived, device, how, loss, again=self._goes_on(loss))

    async def kill_the_start(self, lived: Lived) -> None:
        """Kill a life at each place before it serves, and cut the power of the one that follows."""
        for device in lived.devices(range(lived.before.count, lived.ready + 1)):
            await self._cut(lived, device, "the process is killed", None, again=True)

    async def cut_somewhere(self, lived: Lived, cuts: int) -> None:
        """Cut a life so many times, spread over it."""
        telling = lived.telling()
        places = [self._chance.choice(telling) for _ in range(cuts // 2)]
        places += [self._chance.randrange(lived.before.count, lived.end + 1) for _ in range(cuts - cuts // 2)]
        for device in lived.devices(sorted(places)):
            how, loss = self._chance.choice(list(losses(device, self._chance, thorough=False)))
            await self._cut(lived, device, how, loss, again=self._goes_on(loss))
            if self.report.findings:
                return

    def _goes_on(self, loss: Loss | None) -> bool:
        """Say whether to cut the next life, too: most of all if not everything is on the device that it starts on."""
        return self._chance.random() < (AGAIN if loss else 6 * AGAIN)

    async def _cut(
        self, lived: Lived, device: Device, how: str, loss: Loss | None, *, again: bool, depth: int = 0
    ) -> None:
        """Let a broker recover from a cut, and look at it; with `again`, cut that life, too."""
        place = device.count
        tree = device.cut(loss) if loss else device.shown()
        told = lived.told.until(place, killed=loss is None)
        image = hash((tuple(tree.items()), len(told.batches), len(told.settings), len(told.seen), depth, loss is None))
        if image in self._done:
            return
        self._done.add(image)
        if depth:
            self.report.again += 1
        else:
            self.report.cuts += 1
        directory = self._root / "image"
        where = f"{'again, ' * depth}cut at {place} of {lived.end}, {how}: "
        try:
            write_tree(directory, tree)
            after = Device(tree) if loss else device.copy()
            next_life, findings = await self._live_on(directory, after, told, maintain=self._chance.random() < 0.2)
        except (FleuveError, AssertionError) as error:
            trace = "".join(traceback.format_tb(error.__traceback__))
            self.report.findings.append(f"{where}{error!r}\n{trace}")
            return
        finally:
            shutil.rmtree(directory)
        self.report.findings += [where + finding for finding in findings]
        if again and not findings:
            await self._cut_again(next_life, depth + 1)

    async def _cut_again(self, lived: Lived, depth: int) -> None:
        """Cut a life that began with a recovery: while it starts, and a little later."""
        first = lived.before.count + 1
        places = [self._chance.randrange(first, lived.ready + 1) for _ in range(2 if depth == 1 else 0)]
        places.append(self._chance.randrange(first, lived.end + 1))
        for device in lived.devices(sorted(places)):
            how, loss = self._chance.choice(list(losses(device, self._chance, thorough=False)))
            await self._cut(lived, device, how, loss, again=depth < DEPTH_MAX, depth=depth)

    async def _live_on(self, directory: Path, device: Device, told: Told, *, maintain: bool) -> tuple[Lived, list[str]]:
        before = device.copy()
        clock = ManualClock(NOW_MS + 60_000)
        async with living(directory, told, clock=clock, device=device) as life:
            ready = life.now
            findings = await life.findings()
            if not findings:
                findings += await life.finish()
                findings += await life.findings(finished=True)
            if maintain and not findings:
                await life.seal()
                for _ in range(2):
                    await life.maintain()
                    clock.advance(2000)
                findings += await life.findings(finished=True)
        assert life.disk.history is not None
        return Lived(before, life.disk.history, told, ready), findings
