"""A second opinion on channels: what they cost and claim, beside the orders that they were clicked last for.

It shares nothing with the project but the definitions: no import, no query, no SQL.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.e2e.independent_credits import credited
from tests.e2e.independent_money import amount, decimal, quotient, total

if TYPE_CHECKING:
    from datetime import date

    from tests.e2e.independent_business import Business

Table = dict[tuple[Any, ...], dict[str, Any]]
NOBODYS = "website"
"""The website is where all clicks lead; it is nobody's last one."""


def advertising(business: Business) -> tuple[Table, Table]:
    """Return and cost of acquisition of every channel that was paid, or that is and was clicked last."""
    roas: Table = {}
    cac: Table = {}
    spent = business.spent()
    paid = {
        key for key, orders in business.clicked.items() if business.credits[orders[0].key].channel.is_paid
    }  # fmt: skip
    for key in paid | spent.keys():
        orders, claim = business.clicked.get(key, []), spent.get(key)
        spend = None if claim is None or claim.spend is None else Fraction(claim.spend)
        earned, new = business.revenue(orders), business.new(orders)
        shared = {
            "currency": business.settings.currency,
            "spend": None if spend is None else decimal(spend, 6),
            "is_final": claim is not None and claim.is_final,
            "is_merchant_day": claim is None or claim.is_merchant_day,
        }
        roas[key] = shared | {
            "attributed_orders": len(orders),
            "attributed_revenue": amount(earned),
            "roas": quotient(earned, spend),
        }
        cac[key] = shared | {"new_customers": new, "cac": None if spend is None else quotient(spend, new, 2)}
    return roas, cac


def channels(business: Business) -> Table:
    """What each channel did and claims, and what its last clicks brought."""
    found: Table = {}
    for day, channel in business.clicked.keys() | business.claims.keys():
        claim = business.claims.get((day, channel))
        found[day, channel] = _credited(business, day, channel) | {
            "impressions": claim.impressions if claim else None,
            "engagements": claim.engagements if claim else None,
            "clicks": claim.clicks if claim else None,
            "spend": claim.spend if claim else None,
            "claimed_orders": claim.orders if claim else None,
            "claimed_value": claim.value if claim else None,
            "claimed_currency": claim.currency if claim else None,
            "new_customers": None if channel == NOBODYS else business.new(business.clicked.get((day, channel), ())),
            "is_final": claim.is_final if claim else all(order.is_final for order in business.placed[day]),
        }
    return found


def reconciliation(business: Business) -> Table:
    """Every claim beside what the shops sold."""
    claimed: dict[date, Fraction] = {}
    for (day, channel), claim in business.claims.items():
        if channel != NOBODYS and claim.orders is not None:
            claimed[day] = claimed.get(day, Fraction(0)) + Fraction(claim.orders)
    found: Table = {}
    by_models = credited(business)
    for (day, channel), claim in business.claims.items():
        counted, direct = business.counted(day), len(business.clicked.get((day, "direct"), ()))
        overlap = max(claimed.get(day, Fraction(0)) - len(counted), Fraction(0))
        by_model = by_models[day, channel]
        found[day, channel] = _credited(business, day, channel) | {
            **(dict.fromkeys(by_model) if channel == NOBODYS else by_model),
            "claimed_orders": claim.orders,
            "claimed_value": claim.value,
            "claimed_currency": claim.currency,
            "orders": len(counted),
            "revenue": amount(business.revenue(counted)),
            "claimed_share": None if claim.orders is None else quotient(Fraction(claim.orders), len(counted)),
            "unattributed_orders": direct,
            "unattributed_share": quotient(direct, len(counted)),
            "overlap_orders": decimal(overlap, 6),
            "overlap_share": quotient(overlap, len(counted)),
            "is_final": claim.is_final,
        }
    return found


def _credited(business: Business, day: date, channel: str) -> dict[str, Any]:
    orders = business.clicked.get((day, channel), [])
    return {
        "currency": business.settings.currency,
        "attributed_orders": None if channel == NOBODYS else len(orders),
        "attributed_revenue": None if channel == NOBODYS else amount(total([business.revenue(orders)])),
    }
