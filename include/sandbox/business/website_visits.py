"""What a day brings to a merchant's website besides its orders: visitors and advertising, drawn from (seed, day)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sandbox.business.merchants import DIRECT

if TYPE_CHECKING:
    from datetime import date

    from sandbox.business.merchants import Merchant, Source
    from sandbox.business.order import Order

Key = tuple[str, ...]
"""What tells one row of a table from the others."""
Figures = dict[str, int]

STEPS = (
    "sessions", "engaged_sessions", "users", "new_users", "key_events", "view_item", "add_to_cart", "begin_checkout",
)  # fmt: skip
"""What is counted of visitors, besides orders."""
NOT_SET = "(not set)"
UNKNOWN: Key = (NOT_SET, NOT_SET, NOT_SET, NOT_SET)
PAID = ("cpc", "paid_social")
UNTAGGED = {"organic": "(organic)", "referral": "(referral)", "social": "(referral)"}
"""What stands for the campaign of a medium that has none."""


@dataclass(frozen=True, slots=True)
class Visitors:
    """One row of visitors: source, medium, campaign, landing page, and the figures without orders."""

    key: Key
    figures: Figures
    told_late: bool
    """Whether it takes days until the source of all of them is known."""


@dataclass(frozen=True, slots=True)
class Visited:
    """What the website saw of an order."""

    order: Order
    key: Key
    revenue: int
    chance: int
    """0 to 99, by the order's id: the lowest are told late, others first without their source."""

    def figures(self) -> Figures:
        """The visit that ordered, and some that landed on the same page and did not."""
        others = self.chance % 7
        return {
            **dict.fromkeys(STEPS, 1),
            "sessions": 1 + others,
            "engaged_sessions": 1 + others // 2,
            "users": 1 + others,
            "new_users": others // 2,
            "view_item": 1 + others // 2,
            "orders": 1,
            "revenue": self.revenue,
        }


def source_key(source: Source) -> Key:
    """Source, medium and campaign as analytics tools write them."""
    if source is DIRECT:
        return "(direct)", "(none)", "(direct)"
    return source.source, source.medium, source.campaign or UNTAGGED.get(source.medium, NOT_SET)


def landing_page(order: Order) -> str:
    return urlsplit(order.visits[-1].landing_page).path


def visitors(merchant: Merchant, seed: int, day: date) -> list[Visitors]:
    """The day's visitors by where they came from and where they landed."""
    rng = Random(f"{seed}/website/{merchant.merchant_id}/{day.isoformat()}")  # noqa: S311 (a simulation)
    pages = ["/", "/collections/all", "/pages/trail-notes"]
    pages += [f"/products/{product.sku.lower()}" for product in merchant.products]
    found = []
    for source, weight in zip(merchant.sources, merchant.source_weights, strict=True):
        volume = int(weight * 14 * rng.lognormvariate(0, 0.2))
        for number, page in enumerate(rng.sample(pages, rng.randint(2, 4))):
            found.append(_row(rng, (*source_key(source), page), (volume >> (number + 1)) + 1))
    if rng.random() < 0.5:
        found.append(_row(rng, UNKNOWN, rng.randint(1, 12)))
    if rng.random() < 0.3:
        found.append(_row(rng, ("", "", "", ""), rng.randint(1, 4)))
    return found


def _row(rng: Random, key: Key, sessions: int) -> Visitors:
    engaged = int(sessions * rng.uniform(0.45, 0.7))
    users = sessions - int(sessions * rng.uniform(0.02, 0.12))
    views = int(sessions * rng.uniform(0.35, 0.6))
    carts = int(views * rng.uniform(0.1, 0.25))
    figures = {
        "sessions": sessions,
        "engaged_sessions": engaged,
        "users": users,
        "new_users": int(users * rng.uniform(0.3, 0.8)),
        "key_events": int(engaged * rng.uniform(0, 0.06)),
        "view_item": views,
        "add_to_cart": carts,
        "begin_checkout": int(carts * rng.uniform(0.2, 0.5)),
    }
    return Visitors(key, figures, rng.random() < 0.5)


def advertising(merchant: Merchant, seed: int, day: date) -> dict[Key, Figures]:
    """What the day's advertising cost, in cents, by source, medium and campaign."""
    rng = Random(f"{seed}/advertising/{merchant.merchant_id}/{day.isoformat()}")  # noqa: S311 (a simulation)
    paid: dict[Key, Figures] = {}
    for source, weight in zip(merchant.sources, merchant.source_weights, strict=True):
        if source.medium in PAID:
            clicks = int(weight * 12 * rng.lognormvariate(0, 0.2))
            cost = sum(rng.randint(35, 140) for _ in range(clicks))
            paid[source_key(source)] = {"cost": cost, "clicks": clicks, "impressions": clicks * rng.randint(25, 60)}
    return paid
