"""Demand in windows, and what it makes of prices."""

from examples.taxis.demand import GRACE_MS, PRICE_MAX, WINDOW_MS, Demand, price
from examples.taxis.events import TaxiEvent
from hypothesis import given
from hypothesis import strategies as st

BEGIN = 100 * WINDOW_MS


def request(at, zone="Centre"):
    return TaxiEvent(number=0, at=at, kind="request", zone=zone, ride="R1", to="Airport")


def position(at, taxi, *, free=True, zone="Centre"):
    return TaxiEvent(number=0, at=at, kind="position", zone=zone, taxi=taxi, free=free)


def results(events):
    demand = Demand()
    return [result for event in events for _, result in demand.apply(event)]


def test_a_window_is_closed_when_an_event_is_as_late_as_its_grace():
    demand = Demand()
    demand.apply(request(BEGIN))
    assert demand.apply(request(BEGIN + WINDOW_MS + GRACE_MS - 1)) == []
    [(key, result)] = demand.apply(request(BEGIN + WINDOW_MS + GRACE_MS))
    assert key == "Centre"
    assert (result["window_start"], result["window_end"], result["requests"]) == (BEGIN, BEGIN + WINDOW_MS, 1)


@given(st.data())
def test_within_the_grace_the_order_of_arrival_changes_nothing(data):
    times = data.draw(st.lists(st.integers(0, 4 * WINDOW_MS), min_size=1, max_size=40))
    delays = data.draw(st.lists(st.integers(0, GRACE_MS), min_size=len(times), max_size=len(times)))
    end = request(BEGIN + 10 * WINDOW_MS)
    in_order = [request(BEGIN + at) for at in sorted(times)]
    arrived = [
        request(BEGIN + at) for _, at in sorted((at + delay, at) for at, delay in zip(times, delays, strict=True))
    ]
    assert results([*arrived, end]) == results([*in_order, end])


@given(st.lists(st.integers(0, 6 * WINDOW_MS), max_size=60))
def test_each_request_is_counted_once_or_told_to_be_late(times):
    told = results(
        [*(request(BEGIN + at) for at in times), request(BEGIN + 20 * WINDOW_MS), request(BEGIN + 30 * WINDOW_MS)]
    )
    assert sum(result["requests"] + result["late"] for result in told) == len(times) + 1


def test_what_comes_for_a_closed_window_is_late_and_left_out():
    told = results([request(BEGIN), request(BEGIN + 2 * WINDOW_MS), request(BEGIN), request(BEGIN + 4 * WINDOW_MS)])
    assert [(result["requests"], result["late"]) for result in told] == [(1, 0), (1, 1)]


def test_a_taxi_that_reports_twice_is_one_taxi_and_a_busy_one_is_none():
    told = results(
        [
            position(BEGIN, "T1"),
            position(BEGIN + 60_000, "T1"),
            position(BEGIN, "T2"),
            position(BEGIN, "T3", free=False),
            request(BEGIN + 2 * WINDOW_MS),
        ]
    )
    assert [result["taxis"] for result in told] == [2]


def test_the_price_of_a_zone_where_nothing_happens_goes_down_again():
    busy = [request(BEGIN + each) for each in range(20)]
    later = [request(BEGIN + window * WINDOW_MS, zone="Airport") for window in range(1, 12)]
    prices = [result["surge"] for result in results([*busy, *later]) if result["zone"] == "Centre"]
    assert prices[0] > 1
    assert prices == sorted(prices, reverse=True)
    assert prices[-1] == 1


@given(before=st.floats(1, PRICE_MAX), requests=st.integers(0, 1000), taxis=st.integers(0, 500))
def test_a_price_stays_within_its_bounds_and_goes_in_steps(before, requests, taxis):
    after = price(before, requests, taxis)
    assert 1 <= after <= PRICE_MAX
    assert before - 0.33 <= after <= before + 0.53


@given(requests=st.integers(0, 100), taxis=st.integers(0, 100))
def test_more_requests_never_make_it_cheaper_nor_more_taxis_dearer(requests, taxis):
    assert price(1.5, requests + 1, taxis) >= price(1.5, requests, taxis)
    assert price(1.5, requests, taxis + 1) <= price(1.5, requests, taxis)
