"""A budget is never overdrawn, whatever is taken when."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.scripted_vendor import FakeTime
from tributary.http import Budget


@given(
    rate=st.floats(0.5, 50),
    capacity=st.floats(1, 100),
    steps=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 60)), min_size=1, max_size=40),
)
def test_no_window_ever_sees_more_than_the_budget(
    rate: float, capacity: float, steps: list[tuple[float, float]]
) -> None:
    time = FakeTime()
    budget = Budget(rate=rate, capacity=capacity, clock=time.clock, sleep=time.sleep)
    spent: list[tuple[float, float]] = []
    for idle, cost in steps:
        time.now += idle
        budget.take(min(cost, capacity))
        spent.append((time.now, min(cost, capacity)))
    for first in range(len(spent)):
        for last in range(first, len(spent)):
            window = spent[last][0] - spent[first][0]
            total = sum(cost for _, cost in spent[first : last + 1])
            assert total <= (capacity + rate * window) * (1 + 1e-9) + 1e-6


@given(rate=st.floats(0.5, 50), capacity=st.floats(1, 100), costs=st.lists(st.floats(0, 60), min_size=1, max_size=40))
def test_it_waits_no_longer_than_it_must(rate: float, capacity: float, costs: list[float]) -> None:
    time = FakeTime()
    budget = Budget(rate=rate, capacity=capacity, clock=time.clock, sleep=time.sleep)
    for cost in costs:
        budget.take(cost)
    assert time.now == pytest.approx(max(0.0, sum(costs) - capacity) / rate, abs=1e-6)


def test_what_the_vendor_reports_counts() -> None:
    time = FakeTime()
    budget = Budget(rate=100, capacity=2000, clock=time.clock, sleep=time.sleep)
    budget.take(500)
    budget.report(available=40, rate=50, capacity=1000)
    budget.take(540)
    assert time.slept == [pytest.approx(10)]
    time.now += 1_000_000
    budget.take(1000)
    assert time.slept == [pytest.approx(10)], "it fills up to the reported capacity"
    budget.take(1)
    assert time.slept[1:] == [pytest.approx(1 / 50)], "and no further"


def test_threads_share_one_budget() -> None:
    waits: list[float] = []
    budget = Budget(rate=10, capacity=5, clock=lambda: 0.0, sleep=waits.append)
    threads = [threading.Thread(target=budget.take) for _ in range(15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == pytest.approx([n / 10 for n in range(1, 11)])


@pytest.mark.parametrize(("rate", "capacity"), [(0, 1), (1, 0), (-1, 5)])
def test_an_impossible_budget_is_refused(rate: float, capacity: float) -> None:
    with pytest.raises(ValueError, match=f"rate={rate} and capacity={capacity}"):
        Budget(rate=rate, capacity=capacity)
