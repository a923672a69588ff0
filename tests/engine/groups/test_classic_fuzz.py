"""Nonsense against the machine: any command in any state either changes the group soundly or is refused."""

import random

import pytest

from fleuve.base.ids import MemberId
from fleuve.engine.groups.commands import (
    Abandon,
    Commit,
    Delete,
    Heartbeat,
    Join,
    Leave,
    LeavingMember,
    Resume,
    Saved,
    SaveFailed,
    Sync,
    Tick,
)
from fleuve.engine.groups.errors import CoordinatorNotAvailable, GroupError
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import Phase
from support.groups import GroupDriver, protocols


class Fuzz:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.driver = GroupDriver(
            GroupPolicy(initial_rebalance_delay_ms=self.random.choice((0, 50)), members_max=4, pending_members_max=3)
        )
        self.asked = set()
        self.waiter = 0

    def member_id(self):
        known = [*self.driver.group.members, *self.driver.group.pending]
        return MemberId(self.random.choice(["", "", "x", *known]))

    def instance_id(self):
        return self.random.choice([None, None, "i", "j"])

    def generation(self):
        return self.driver.group.generation + self.random.choice([0, 0, 0, 1, -1, -10])

    def command(self):
        pick = self.random.choice
        who = {"member_id": self.member_id(), "instance_id": self.instance_id()}
        self.waiter += 1
        names = self.random.choices(["a", "b", "c"], k=self.random.randint(0, 3))
        kind = pick([Join, Join, Join, Sync, Sync, Heartbeat, Commit, Leave, Abandon, Tick, Saved, SaveFailed, Resume])
        if kind is Join:
            self.asked.add(self.waiter)
            return Join(
                waiter=self.waiter,
                new_member_id=MemberId(f"n{self.waiter}"),
                session_timeout_ms=pick([10, 100]),
                rebalance_timeout_ms=pick([10, 200]),
                protocol_type=pick(["consumer", "consumer", "connect", ""]),
                protocols=protocols(*names, metadata=pick([b"", b"?"])),
                id_required=pick([True, False]),
                can_skip_assignment=pick([True, False]),
                **who,
            )
        if kind is Sync:
            self.asked.add(self.waiter)
            ids = [self.member_id() for _ in range(3)]
            return Sync(
                waiter=self.waiter,
                generation=self.generation(),
                protocol_type=pick([None, "consumer"]),
                protocol_name=pick([None, "a"]),
                assignments=dict.fromkeys(ids, b"!"),
                **who,
            )
        if kind in (Heartbeat, Commit):
            return kind(generation=self.generation(), **who)
        if kind is Leave:
            other = LeavingMember(member_id=self.member_id(), instance_id=self.instance_id())
            return Leave((LeavingMember(**who), other)[: pick([1, 1, 2])])
        if kind is Abandon:
            waiter = self.random.randint(1, self.waiter)
            self.asked.discard(waiter)
            return Abandon(waiter)
        if kind is Saved:
            return Saved(self.random.randint(0, self.driver.group.tickets))
        if kind is SaveFailed:
            return SaveFailed(self.random.randint(0, self.driver.group.tickets), CoordinatorNotAvailable("disk"))
        return kind()

    def run(self, steps):
        for _ in range(steps):
            self.driver.now_ms += self.random.choice([0, 1, 20])
            command = self.command()
            before = self.driver.group
            snapshot = repr(before)
            try:
                self.driver.step(command)
            except GroupError:
                assert self.driver.group is before
                if isinstance(command, Join | Sync):
                    self.asked.discard(command.waiter)
            assert repr(before) == snapshot, "a step changed the group it was given"
        self.end()

    def end(self):
        """Let time pass until nothing is left: whoever waited has been answered."""
        for _ in range(50):
            while self.driver.saves:
                self.driver.step(Saved(self.driver.saves.pop(0).ticket))
            self.driver.advance(400_000)
        assert self.driver.group.phase is Phase.EMPTY
        assert self.driver.group.next_deadline() is None
        assert self.asked <= self.driver.replies.keys()
        if self.driver.group.exists:
            self.driver.step(Delete())
            assert str(self.driver.group.phase) == "Dead"


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_nonsense_is_refused_or_answered_and_never_breaks_the_group(first):
    for seed in range(first, first + 50):
        try:
            Fuzz(seed).run(150)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
