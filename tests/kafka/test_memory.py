"""Budgets and recycled buffers."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from fleuve.kafka.memory import Budget, Holding, Slabs


async def test_who_acquires_memory_has_it_alone():
    budget = Budget(10)
    await budget.acquire(10)
    async with asyncio.TaskGroup() as tasks:
        turns = [tasks.create_task(budget.acquire(10)) for _ in range(2)]
        await asyncio.sleep(0)
        budget.give_back(10)
        await asyncio.sleep(0)
        assert [turn.done() for turn in turns] == [True, False]
        budget.give_back(10)
    assert budget.used == 10


async def test_who_is_cancelled_with_its_turn_gives_the_memory_back():
    budget = Budget(10)
    await budget.acquire(10)
    turn = asyncio.get_running_loop().create_task(budget.acquire(5))
    await asyncio.sleep(0)
    budget.give_back(10)
    turn.cancel()
    await asyncio.wait([turn])
    assert turn.cancelled()
    assert budget.used == 0


async def test_whoever_holds_anything_holds_the_least_share_and_the_others_wait():
    budget = Budget(800)
    holdings = [Holding(budget, share_min=1000) for _ in range(12)]
    async with asyncio.TaskGroup() as tasks:
        takes = [tasks.create_task(holding.take(1)) for holding in holdings]
        await asyncio.sleep(0)
        assert budget.used == 800
        assert budget.waiters == 4
        for holding in holdings[:4]:
            holding.end()
    assert {take.result() for take in takes} == {100}


async def test_who_holds_something_does_not_wait_for_more():
    budget = Budget(800)
    holding = Holding(budget, share_min=100)
    assert await holding.take(1000) == 100 + 350
    budget.force(300)
    assert await holding.take(1000) == 0


def test_waiters_are_granted_in_order_and_nobody_overtakes_them():
    budget, granted = Budget(100), []
    assert budget.take(80)
    budget.wait(50, lambda: granted.append("large"))
    budget.wait(1, lambda: granted.append("small"))
    assert not budget.take(1), "others wait already"
    budget.give_back(20)
    assert granted == []
    budget.give_back(60)
    assert granted == ["large", "small"]
    assert budget.used == 51


def test_more_than_the_whole_budget_is_granted_when_nothing_else_is_held():
    budget, granted = Budget(100), []
    assert budget.take(1)
    budget.wait(1000, lambda: granted.append(True))
    budget.give_back(1)
    assert granted == [True]
    assert budget.available == 0


def test_who_stops_waiting_lets_those_behind_pass():
    budget, granted = Budget(100), []

    def never() -> None:
        granted.append("never")

    budget.take(50)
    budget.wait(100, never)
    budget.wait(10, lambda: granted.append("behind"))
    assert budget.stop_waiting(never)
    assert granted == ["behind"]
    assert not budget.stop_waiting(never)


async def test_waiting_for_some_memory_takes_none():
    budget = Budget(10)
    await budget.until_available()
    budget.take(10)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(budget.until_available())
        second = tasks.create_task(budget.until_available())
        await asyncio.sleep(0)
        assert budget.waiters == 2
        first.cancel()
        await asyncio.sleep(0)
        assert budget.waiters == 1
        budget.give_back(10)
        await second
    assert (budget.used, budget.waiters) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from(["take", "wait", "give"]), st.integers(1, 120)), max_size=60))
def test_the_bound_holds_but_for_one_that_is_alone(steps):
    budget = Budget(100)
    held: list[int] = []
    for what, size in steps:
        if what == "take" and budget.take(size):
            held.append(size)
        elif what == "wait" and not budget.take(0) | (budget.used + size <= 100):
            budget.wait(size, lambda size=size: held.append(size))
        elif what == "give" and held:
            budget.give_back(held.pop(0))
        assert budget.used == sum(held)
        assert budget.used <= 100 or len(held) == 1


def test_slabs_are_used_again():
    slabs = Slabs()
    first = slabs.take(200_000)
    assert len(first) == 262_144
    slabs.give_back(first)
    assert slabs.take(150_000) is first
    assert slabs.take(150_000) is not first


def test_no_more_than_the_bound_is_kept():
    slabs = Slabs(kept_max=300_000)
    held = [slabs.take(200_000) for _ in range(3)]
    for slab in held:
        slabs.give_back(slab)
    again = [slabs.take(200_000) for _ in range(2)]
    assert again[0] is held[0]
    assert all(again[1] is not one for one in held)
    huge = slabs.take(5 << 20)
    slabs.give_back(huge)
    assert slabs.take(5 << 20) is not huge
