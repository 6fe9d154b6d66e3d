"""A second opinion on what each model credits an order's touches with: shares of it that are exactly one together.

It shares nothing with the project: no import, no query, no SQL.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.e2e.independent_money import decimal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tests.e2e.independent_business import Business
    from tests.e2e.independent_orders import Order
    from tests.e2e.independent_touches import Touch

Table = dict[tuple[Any, ...], dict[str, Any]]

MODELS = ("last_click", "first_click", "linear", "position_based", "time_decay")
HALF_LIFE = timedelta(hours=168)
FIRST, MIDDLE, LAST = Fraction(2, 5), Fraction(1, 5), Fraction(2, 5)


class Share(NamedTuple):
    """A step's share of an order; of one that nothing led to, the only step has all."""

    order: Order
    model: str
    step: int
    touch: Touch | None
    credit: Decimal
    revenue: Decimal

    @property
    def channel(self) -> str:
        return self.touch.channel.name if self.touch else "direct"


def weights(model: str, times: Sequence[datetime]) -> list[Fraction]:
    """What each step weighs, in the order of their times."""
    number = len(times)
    if model == "last_click":
        return [Fraction(step == number - 1) for step in range(number)]
    if model == "first_click":
        return [Fraction(step == 0) for step in range(number)]
    if model == "time_decay":
        return [_decayed(times[-1] - at) for at in times]
    if model == "linear" or number == 1:
        return [Fraction(1)] * number
    return [FIRST, *[MIDDLE / max(number - 2, 1)] * (number - 2), LAST]


def _decayed(age: timedelta) -> Fraction:
    """A half for every half-life, to 15 decimals."""
    weight = 2.0 ** max(-(age / HALF_LIFE), -60.0)
    return Fraction(Decimal(weight).quantize(Decimal("1e-15"), ROUND_HALF_UP))


def divided(whole: Fraction, shares: Sequence[Fraction], places: int) -> list[Decimal]:
    """The whole by these shares, each rounded; the last one has what is left over."""
    parts = [decimal(whole * share, places) for share in shares[:-1]]
    return [*parts, decimal(whole - sum(map(Fraction, parts), Fraction(0)), places)]


def shares(business: Business) -> list[Share]:
    """All steps that have any share of a counted order."""
    found = []
    for order in business.orders:
        if not order.is_counted:
            continue
        kept = [one.touch for one in business.judged[order.key] if one.is_kept]
        for model in MODELS:
            steps: list[Touch | None] = [*kept] or [None]
            weighed = weights(model, [touch.at for touch in kept]) if kept else [Fraction(1)]
            parts = divided(Fraction(1), [weight / sum(weighed) for weight in weighed], 10)
            revenues = divided(business.revenue([order]), list(map(Fraction, parts)), 6)
            for step, (touch, credit, revenue) in enumerate(zip(steps, parts, revenues, strict=True), 1):
                if credit:
                    found.append(Share(order, model, step, touch, credit, revenue))
    return found


def credits_by_model(business: Business) -> Table:
    """Every share of every counted order."""
    return {
        (*share.order.key, share.model, share.step): {
            "date_day": business.day(share.order.at),
            "touchpoint_id": touch.id if touch else None,
            "occurred_at": touch.at if touch else None,
            "source": touch.origin.source if touch else "direct",
            "medium": touch.origin.medium if touch else "none",
            "campaign": touch.origin.campaign if touch else None,
            "channel": share.channel,
            "is_paid": touch is not None and touch.channel.is_paid,
            "credit": share.credit,
            "credited_revenue": share.revenue,
            "is_new_customer": business.customers.is_new(share.order),
            "currency": business.settings.currency,
            "ordered_at": share.order.at,
        }
        for share in business.shares
        for touch in [share.touch]
    }


def credited(business: Business) -> dict[tuple[date, str], dict[str, Decimal]]:
    """By day and channel: how many orders each model but last click credits it with, and what they are worth."""
    none = {f"{model}_{what}": Decimal(0) for model in MODELS[1:] for what in ("orders", "revenue")}
    found: dict[tuple[date, str], dict[str, Decimal]] = defaultdict(lambda: dict(none))
    for share in business.shares:
        if share.model != "last_click":
            sums = found[business.day(share.order.at), share.channel]
            sums[f"{share.model}_orders"] += share.credit
            sums[f"{share.model}_revenue"] += share.revenue
    for sums in found.values():
        sums.update({name: decimal(Fraction(exact), 6) for name, exact in sums.items()})
    return found
