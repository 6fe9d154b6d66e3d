"""A second opinion on people: everybody since their first order, and what those who were new on a day did later.

It shares nothing with the project but the definitions: no import, no query, no SQL.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.e2e.independent_money import amount, total

if TYPE_CHECKING:
    from datetime import date

    from tests.e2e.independent_business import Business
    from tests.e2e.independent_orders import Order

Table = dict[tuple[Any, ...], dict[str, Any]]


def people(business: Business) -> Table:
    """Everybody who ever ordered, on the day of their first order that is no test."""
    found: Table = {}
    for who, placed in business.customers.orders.items():
        first = business.customers.first(who)
        if first is None:
            continue
        counted = [order for order in placed if order.is_counted]
        credit, day = business.credits.get(first.key), business.day(first.at)
        found[first.key] = {
            "date_day": day,
            "first_ordered_at": first.at,
            "is_new_customer": business.customers.is_new(first),
            "first_channel": credit.channel.name if credit else None,
            "first_source": credit.origin.source if credit else None,
            "first_medium": credit.origin.medium if credit else None,
            "first_campaign": credit.origin.campaign if credit else None,
            "cohort_month": day.replace(day=1),
            "orders": len(counted),
            "revenue": amount(business.revenue(counted)),
            "refunds": amount(total(order.refunded for order in counted)),
            "last_ordered_at": max((order.at for order in counted), default=None),
            "currency": business.settings.currency,
        }
    return found


def cohorts(business: Business) -> Table:
    """New customers by the day and the channel of their first order, and what they did month after month."""
    members: dict[tuple[date, str], list[str]] = defaultdict(list)
    for who in business.customers.orders:
        first = business.customers.first(who)
        if first is not None and business.customers.is_new(first):
            members[business.day(first.at), business.credits[first.key].channel.name].append(who)
    found: Table = {}
    for (day, channel), everybody in members.items():
        months: dict[int, list[tuple[str, Order]]] = defaultdict(list)
        for who in everybody:
            for order in business.customers.orders[who]:
                if order.is_counted:
                    on = business.day(order.at)
                    months[(on.year - day.year) * 12 + on.month - day.month].append((who, order))
        for number, bought in months.items():
            found[day, channel, number] = {
                "cohort_month": day.replace(day=1),
                "currency": business.settings.currency,
                "new_customers": 0 if number else len(everybody),
                "active_customers": len({who for who, _ in bought}),
                "orders": len(bought),
                "revenue": amount(business.revenue(order for _, order in bought)),
            }
    return found
