"""What a campaign's day brought, and how a platform comes to know it: claims come late, some are taken back again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from sandbox.business.ads_plans import RESTATED_DAYS, UNIT

if TYPE_CHECKING:
    from datetime import date

    from sandbox.business.ads_plans import Plan
    from sandbox.business.order import Order

DAY = 86_400
WHOLE = 1_000_000
"""One conversion, or one unit of a currency."""
ABROAD = {"USD/CAD": 1_370_000, "EUR/USD": 1_085_000}
"""What platforms make of an order's value in the currency of the account, in millionths."""
OVERCHARGED = (3, 3, 2, 1)
"""Thirds of what is charged too much on each of the first days; the rest is given back later."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An order that a platform says is its own; times are seconds since the day began."""

    since: int
    until: int | None
    """When it is taken back, if ever."""
    weight: int
    """How much of it, in millionths: some platforms share an order between their campaigns."""
    value: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A campaign's whole day as it will look in the end, and what is different about it before."""

    spend: int
    impressions: int
    clicks: int
    views: tuple[Claim, ...]
    """Claims for people who only saw an advertisement: no order is told from them."""
    overcharge: int
    """Per thousand of the spend, at first."""
    late: int
    """Per thousand of the spend that is given back last."""
    late_until: int
    since: int
    """From when on the day can be seen at all."""
    until: int | None
    """When all of it turns out to be nothing, if ever."""

    def charged(self, elapsed: int) -> tuple[int, int]:
        """The thousandths of the spend and of the clicks that can be seen so long after the day began."""
        thirds = OVERCHARGED[elapsed // DAY] if elapsed < DAY * len(OVERCHARGED) else 0
        over = self.overcharge * thirds // 3
        return 1000 + over + (self.late if elapsed < self.late_until else 0), 1000 + over


def draw(seed: int, platform: str, plan: Plan, day: date) -> Drawn:
    """A day of a campaign; nothing changes any more when the platform's days of restatement are over."""
    rng = Random(f"{seed}/ads/{plan.campaign_id}/{day.isoformat()}")  # noqa: S311 (a simulation)
    end = _end(platform)
    clicks = int(plan.clicks * rng.lognormvariate(0, 0.25)) + 1
    spend = clicks * rng.randint(350_000, 1_400_000) // UNIT[platform] * UNIT[platform]
    impressions = clicks * rng.randint(25, 60) + rng.randrange(25)
    seen = int(clicks * rng.uniform(0.01, 0.04) + rng.random()) if plan.claims else 0
    views = tuple(claim(rng, platform, rng.randrange(DAY), rng.randint(1_500, 18_000) * 10_000) for _ in range(seen))
    fate = rng.random()
    return Drawn(
        spend,
        impressions,
        clicks,
        views,
        overcharge=rng.randint(3, 30),
        late=rng.randint(-4, 8),
        late_until=rng.randrange(4 * DAY, end),
        since=rng.randrange(DAY, 20 * DAY) if 0.03 <= fate < 0.05 else 0,
        until=rng.randrange(2 * DAY, end) if fate < 0.03 else None,
    )


def order_claim(seed: int, platform: str, order: Order, second: int, currency: str) -> Claim:
    """What a platform claims of an order that came in so long after its day began."""
    rng = Random(f"{seed}/ads/claim/{order.id}")  # noqa: S311 (a simulation)
    rate = ABROAD.get(f"{order.merchant.currency}/{currency}", WHOLE)
    return claim(rng, platform, second, order.original_total * rate // 100)


def claim(rng: Random, platform: str, second: int, value: int) -> Claim:
    """Most orders are claimed within hours, some weeks later; some are taken back."""
    end = _end(platform)
    delay = rng.randrange(4 * 3600) if rng.random() < 0.7 else int(rng.expovariate(1 / (4 * DAY)))
    since = min(second + delay, end - 1)
    until = min(since + rng.randrange(DAY, 20 * DAY), end) if rng.random() < 0.08 else None
    weight = rng.choice((WHOLE, WHOLE, WHOLE // 2, WHOLE // 3)) if platform == "google" else WHOLE
    unit = UNIT[platform]
    return Claim(since, until, weight, value * weight // WHOLE // unit * unit)


def _end(platform: str) -> int:
    """Two hours before the platform's days are over, because a day in them may have 23 hours."""
    return RESTATED_DAYS[platform] * DAY - 2 * 3600
