"""Random members against the machine: whatever they do, and whenever, the group keeps its promises."""

import random
from dataclasses import dataclass, field

import pytest

from fleuve.engine.groups import codec
from fleuve.engine.groups.commands import Joined, Resume, SaveFailed, Synced
from fleuve.engine.groups.errors import CoordinatorNotAvailable, GroupError
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import Phase
from support.groups import GroupDriver, protocols

CHOICES = (("range",), ("range", "sticky"), ("sticky", "range"), ("cooperative", "range"))


@dataclass
class Client:
    """One consumer: what it knows, and what it waits for."""

    name: str
    instance_id: str | None
    knows: tuple[str, ...]
    member_id: str = ""
    joining: int | None = None
    syncing: int | None = None
    joined: Joined | None = None


@dataclass
class Promises:
    """What was seen, to compare with what is seen later."""

    assignments: dict[tuple[int, str], bytes] = field(default_factory=dict)
    leaders: dict[int, str] = field(default_factory=dict)
    protocol: dict[int, str | None] = field(default_factory=dict)
    generation: int = 0
    commits: int = 0


class World:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        policy = GroupPolicy(
            initial_rebalance_delay_ms=self.random.choice((0, 500, 3_000)), members_max=self.random.choice((3, 100))
        )
        self.driver = GroupDriver(policy)
        self.clients = [
            Client(f"c{n}", f"i{n}" if self.random.random() < 0.3 else None, self.random.choice(CHOICES))
            for n in range(self.random.randint(1, 5))
        ]
        self.seen = Promises()

    def run(self, steps: int) -> None:
        for _ in range(steps):
            act = self.random.choices(
                (self.move, self.time, self.save, self.fail_save, self.leave, self.die, self.restart, self.beat),
                (12, 6, 6, 0.3, 0.7, 0.7, 0.1, 3),
            )[0]
            try:
                act()
            except GroupError:
                pass
            self.observe()
        self.settle()

    # ── what clients do

    def client(self) -> Client:
        return self.random.choice(self.clients)

    def move(self) -> None:
        """A client does what comes next for it."""
        client = self.client()
        if client.joining is not None or client.syncing is not None:
            return
        if client.joined is None or self.random.random() < 0.05:
            self.join(client)
        else:
            self.sync(client)

    def join(self, client: Client) -> None:
        client.joined = None
        if self.random.random() < 0.02:
            client.knows = self.random.choice(CHOICES)
        try:
            client.joining = self.driver.join(
                client.member_id,
                instance_id=client.instance_id,
                protocols=protocols(*client.knows),
                id_required=self.random.random() < 0.7,
                can_skip_assignment=self.random.random() < 0.5,
                session_timeout_ms=self.random.choice((6_000, 10_000)),
                rebalance_timeout_ms=self.random.choice((5_000, 20_000)),
            )
        except GroupError:
            client.member_id = ""
            raise

    def sync(self, client: Client) -> None:
        joined = client.joined
        assert joined is not None
        assignments = {
            str(member.member_id): f"{joined.generation}/{member.member_id}".encode() for member in joined.members
        }
        try:
            client.syncing = self.driver.sync(joined, {} if joined.skip_assignment else assignments)
        except GroupError:
            client.joined = None
            raise

    def beat(self) -> None:
        client = self.client()
        if client.joined is not None and self.driver.heartbeat(client.joined):
            client.joined = None

    def leave(self) -> None:
        client = self.client()
        error = self.driver.leave(client.member_id, client.instance_id)
        if error is None:
            client.joined, client.member_id = None, ""

    def die(self) -> None:
        """The process of a client ends; another one starts in its place."""
        client = self.client()
        for waiter in (client.joining, client.syncing):
            if waiter is not None and self.driver.waits(waiter) and self.random.random() < 0.5:
                self.driver.abandon(waiter)
        client.joining = client.syncing = client.joined = None
        client.member_id = ""

    # ── what else happens

    def time(self) -> None:
        self.driver.advance(self.random.choice((1, 100, 1_000, 4_000, 15_000)))

    def save(self) -> None:
        self.driver.save()

    def fail_save(self) -> None:
        if self.driver.saves:
            save = self.driver.saves.pop(0)
            self.driver.step(SaveFailed(save.ticket, CoordinatorNotAvailable("the disk is full")))

    def restart(self) -> None:
        """The broker dies and reads back what it had stored."""
        stored, driver = self.driver.stored, self.driver
        self.driver = GroupDriver(driver.policy)
        self.driver.now_ms = driver.now_ms
        self.driver._last_id = driver._last_id
        if stored is not None:
            self.driver.group = codec.decode(stored.group_id, codec.encode(stored))
            self.driver.stored = stored
            self.driver.step(Resume())
        for client in self.clients:
            client.joining = client.syncing = None
        # A generation that was never stored may come again, with other members.
        self.seen = Promises(generation=self.driver.group.generation, commits=self.seen.commits)

    # ── what must hold

    def observe(self) -> None:
        group = self.driver.group
        assert group.generation >= self.seen.generation
        self.seen.generation = group.generation
        for client in self.clients:
            self.take_join(client)
            self.take_sync(client)
            if client.joined is not None:
                self.try_commit(client)

    def take_join(self, client: Client) -> None:
        if client.joining is None or self.driver.waits(client.joining):
            return
        reply = self.driver.replies[client.joining]
        client.joining = None
        if isinstance(reply, GroupError):
            client.member_id = client.member_id if reply.member_id is None else str(reply.member_id)
            return
        assert isinstance(reply, Joined)
        client.member_id, client.joined = str(reply.member_id), reply
        assert self.seen.protocol.setdefault(reply.generation, reply.protocol_name) == reply.protocol_name
        if reply.members:
            assert reply.leader_id == reply.member_id
            ids = [member.member_id for member in reply.members]
            assert len(ids) == len(set(ids))
            assert reply.member_id in ids

    def take_sync(self, client: Client) -> None:
        if client.syncing is None or self.driver.waits(client.syncing):
            return
        reply = self.driver.replies[client.syncing]
        client.syncing = None
        if isinstance(reply, GroupError):
            client.joined = None
            return
        assert isinstance(reply, Synced)
        assert client.joined is not None
        generation, member_id = client.joined.generation, str(client.joined.member_id)
        # Whoever gets an assignment belongs to the generation, and there is one per member and generation.
        assert member_id in self.driver.group.members
        assert self.driver.group.generation == generation
        assert reply.assignment
        key = (generation, client.instance_id or member_id)
        assert self.seen.assignments.setdefault(key, reply.assignment) == reply.assignment
        if reply.assignment.startswith(str(generation).encode()):
            assert client.instance_id or reply.assignment.endswith(b"/" + member_id.encode())

    def try_commit(self, client: Client) -> None:
        joined, group = client.joined, self.driver.group
        assert joined is not None
        belongs = joined.member_id in group.members and joined.generation == group.generation
        try:
            self.driver.commit(str(joined.member_id), joined.generation, client.instance_id)
        except GroupError:
            return
        self.seen.commits += 1
        assert belongs, "a fenced member committed"
        assert group.phase in (Phase.STABLE, Phase.PREPARING_REBALANCE)

    def settle(self) -> None:
        """When everybody behaves again, the group becomes stable with everybody that has room in it."""
        for _ in range(200):
            self.driver.save()
            for client in self.clients:
                self.observe()
                try:
                    if client.joining is None and client.syncing is None:
                        if client.joined is None or self.driver.heartbeat(client.joined):
                            self.join(client)
                        elif self.driver.group.phase is not Phase.STABLE:
                            self.sync(client)
                except GroupError:
                    client.joined = None
                    client.member_id = ""
            self.driver.advance(1_000)
            here = [c for c in self.clients if c.joined is not None and c.joining is None and c.syncing is None]
            if self.driver.group.phase is Phase.STABLE and len(here) == self.room():
                self.driver.save()
                return
        raise AssertionError(f"not stable: {self.driver.group}")

    def room(self) -> int:
        return min(len(self.clients), self.driver.policy.members_max)


@pytest.mark.parametrize("first", range(0, 500, 50))
def test_random_members_never_break_a_promise_and_always_settle(first):
    for seed in range(first, first + 50):
        world = World(seed)
        try:
            world.run(150)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
