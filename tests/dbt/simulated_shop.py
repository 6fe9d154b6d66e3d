"""Half a year of a shop's days as its figures would be: weekdays, growth, noise, holidays, promotions.

Nothing is wrong with it. A shop is its seed, whatever day the half year ends on. Orders vary more than by chance alone,
and a good day is followed by a good one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

DAYS = 180
PROMOTION_DAYS = 4


@dataclass(frozen=True, slots=True)
class Day:
    """What a shop's row of `fct_daily_metrics` says, and whether something was on."""

    on: date
    orders: int
    revenue: float
    refunds: float
    spend: float
    is_declared: bool
    is_undeclared: bool


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant's half year; of promotions the first days."""

    merchant_id: str
    usual_orders: float
    days: tuple[Day, ...]
    declared: tuple[date, ...]
    undeclared: tuple[date, ...]


def shop(seed: int, last_day: date, usual_orders: tuple[float, float]) -> Shop:
    """The shop of a seed, that in its middle has about so many orders a day."""
    rng = Random(seed)
    level = math.exp(rng.uniform(*map(math.log, usual_orders)))
    growth = rng.uniform(math.log(0.6), math.log(1.8)) / DAYS
    weekdays = [math.exp(rng.gauss(0, 0.2)) for _ in range(7)]
    spread = rng.uniform(0.03, 0.07)
    basket, basket_growth = rng.uniform(30, 150), rng.gauss(0, 0.05) / DAYS
    basket_weekdays = [math.exp(rng.gauss(0, 0.03)) for _ in range(7)]
    basket_spread, order_spread = rng.uniform(0.01, 0.03), rng.uniform(0.5, 0.9)
    budget, spend_spread = rng.uniform(0.05, 0.25), rng.uniform(0.05, 0.15)
    first_day = last_day - timedelta(days=DAYS - 1)
    # Three promotions, apart from one another: people tell of two of them.
    starts = [rng.randrange(first, first + 30) for first in (35, 80, 125)]
    undeclared = rng.choice(starts)
    holidays = {rng.randrange(DAYS): rng.choice((0.6, 0.75, 1.3)) for _ in range(4)}
    lifts = {start: 3.0 if start == undeclared else rng.uniform(1.5, 3.0) for start in starts}
    mood, days = 0.0, []
    for number in range(DAYS):
        on = first_day + timedelta(days=number)
        start = next((start for start in starts if start <= number < start + PROMOTION_DAYS), None)
        lift = lifts[start] if start is not None else 1.0
        mood = 0.3 * mood + rng.gauss(0, spread * math.sqrt(1 - 0.3**2))
        mean = level * weekdays[number % 7] * math.exp(growth * (number - DAYS / 2) + mood)
        orders = _poisson(rng, mean * lift * holidays.get(number, 1))
        average = basket * basket_weekdays[number % 7] * math.exp(basket_growth * number)
        average *= math.exp(rng.gauss(0, basket_spread)) * (1 + rng.gauss(0, order_spread) / math.sqrt(max(orders, 1)))
        sales = orders * max(average, 1) * (0.85 if start is not None else 1)
        refunds = sales * rng.uniform(0, 0.08) * min(1, (DAYS - number) / 30)
        spend = mean / math.sqrt(weekdays[number % 7]) * basket * budget
        spend *= math.exp(rng.gauss(0, spend_spread)) * math.sqrt(lift)
        is_declared = start is not None and start != undeclared
        days.append(Day(on, orders, sales - refunds, refunds, spend, is_declared, start == undeclared))
    told = tuple(first_day + timedelta(days=start) for start in starts if start != undeclared)
    return Shop(f"shop-{seed}", level, tuple(days), told, (first_day + timedelta(days=undeclared),))


def _poisson(rng: Random, mean: float) -> int:
    """How many of events with this mean: by the times between few of them, by the bell curve of many."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, waited = 0, rng.expovariate(1)
    while waited < mean:
        count, waited = count + 1, waited + rng.expovariate(1)
    return count
