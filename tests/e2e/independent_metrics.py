"""A second opinion on every metric: what the marts must hold of a merchant, computed from what the vendors tell.

It shares nothing with the project but the definitions: no import, no query, no SQL. Money is exact, and rounded once.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.e2e.independent_channels import advertising, channels, reconciliation
from tests.e2e.independent_clicks import attributed, touchpoints
from tests.e2e.independent_cohorts import cohorts, people
from tests.e2e.independent_credits import credits_by_model
from tests.e2e.independent_funnel import funnel
from tests.e2e.independent_journeys import journeys, ledger
from tests.e2e.independent_money import amount, decimal, median, quotient, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tests.e2e.independent_business import Business
    from tests.e2e.independent_claims import Claim
    from tests.e2e.independent_orders import Order, Refund

Row = dict[str, Any]
Table = dict[tuple[Any, ...], Row]
"""Key -> columns."""

KEYS = {
    "fct_attributed_orders": ("sales_channel", "order_id"),
    "fct_touchpoints": ("touchpoint_id",),
    "fct_attribution_ledger": ("sales_channel", "order_id", "touchpoint_id"),
    "fct_attribution_credits": ("sales_channel", "order_id", "model", "step"),
    "fct_customer_journeys": ("sales_channel", "order_id"),
    "fct_daily_metrics": ("date_day",),
    "fct_roas": ("date_day", "channel"),
    "fct_cac": ("date_day", "channel"),
    "fct_channel_daily": ("date_day", "channel"),
    "fct_reconciliation": ("date_day", "claimant"),
    "fct_funnel": ("date_day", "channel", "stage"),
    "dim_customers": ("first_sales_channel", "first_order_id"),
    "fct_cohorts": ("date_day", "first_channel", "month_number"),
}
"""What tells the rows of a mart apart, besides the merchant."""


def tables(business: Business) -> dict[str, Table]:
    """What each mart must hold."""
    roas, cac = advertising(business)
    return {
        "fct_attributed_orders": attributed(business),
        "fct_touchpoints": touchpoints(business),
        "fct_attribution_ledger": ledger(business),
        "fct_attribution_credits": credits_by_model(business),
        "fct_customer_journeys": journeys(business),
        "fct_daily_metrics": daily(business),
        "fct_roas": roas,
        "fct_cac": cac,
        "fct_channel_daily": channels(business),
        "fct_reconciliation": reconciliation(business),
        "fct_funnel": funnel(business),
        "dim_customers": people(business),
        "fct_cohorts": cohorts(business),
    }


def daily(business: Business) -> Table:
    """Both clocks, customers, advertising and margin of each day with an order, a refund or spend."""
    back: dict[date, list[tuple[Order, Refund]]] = defaultdict(list)
    for order in business.orders:
        for refund in order.refunds:
            back[business.day(refund.at)].append((order, refund))
    spent: dict[date, list[Claim]] = defaultdict(list)
    for (day, _), claim in business.spent().items():
        spent[day].append(claim)
    return {
        (day,): _day(business, day, back[day], spent[day]) for day in {*business.placed, *back, *spent}
    }  # fmt: skip


def _day(business: Business, on: date, back: list[tuple[Order, Refund]], spent: list[Claim]) -> Row:
    placed, counted = business.placed.get(on, []), business.counted(on)
    sums = {
        name: total(order.figures[name] for order in counted)
        for name in ("gross_sales", "discounts", "shipping", "tax", "duties", "tips")
    }
    charged = sums.pop("tax")
    revenue, net = business.revenue(counted), total(order.net for order in counted)
    refunds = total(order.refunded for order in counted)
    refunds_cash = total(refund.amount for order, refund in back if order.is_counted)
    tax = charged - total(refund.tax for order in counted for refund in order.refunds)
    tax_cash = charged - total(refund.tax for order, refund in back if order.is_counted)
    fees = [order.fees for order in counted if order.fees is not None]
    costs = [cost for order in counted for cost in _costs(business, order, on)]
    cost = total(price for price, _ in costs)
    spend = total(Fraction(claim.spend) for claim in spent if claim.spend is not None)
    paid = [order for order in counted if business.credits[order.key].channel.is_paid]
    found = [order for order in counted if business.credits[order.key].rule != "direct"]
    known = [order for order in counted if any(one.is_on_the_way for one in business.judged[order.key])]
    new = [order for order in counted if business.customers.is_new(order)]
    returning = [order for order in counted if business.customers.is_returning(order)]
    return {
        "currency": business.settings.currency,
        "orders": len(counted),
        **{name: amount(exact) for name, exact in sums.items()},
        "refunds": amount(refunds),
        "tax": amount(tax),
        "revenue": amount(revenue),
        "refunds_cash": amount(refunds_cash),
        "tax_cash": amount(tax_cash),
        "revenue_cash": amount(net - refunds_cash + (tax_cash if business.settings.includes_tax else 0)),
        "fees": amount(total(fees)) if fees else None,
        "aov": quotient(revenue, len(counted), 2),
        "median_order_value": median([business.revenue([order]) for order in counted]),
        "new_customers": len(new),
        "new_revenue": amount(business.revenue(new)),
        "returning_customers": len({order.identity for order in returning}),
        "returning_orders": len(returning),
        "returning_revenue": amount(business.revenue(returning)),
        "refund_rate": quotient(refunds, revenue + refunds),
        "discount_rate": quotient(sums["discounts"], sums["gross_sales"]),
        "repeat_rate": quotient(len(returning), len(counted)),
        "spend": decimal(spend, 6),
        "attributed_orders": len(paid),
        "attributed_revenue": amount(business.revenue(paid)),
        "roas": quotient(business.revenue(paid), spend),
        "mer": quotient(revenue, spend),
        "cac": quotient(spend, len(new), 2),
        "cost_of_goods": amount(cost) if costs else None,
        "cost_coverage": quotient(total(sales for _, sales in costs), sums["gross_sales"]),
        "contribution_margin": decimal(revenue - cost - total(fees) - spend, 2),
        "attribution_rate": quotient(len(found), len(counted)),
        "attribution_coverage": quotient(len(known), len(counted)),
        "is_merchant_day": all(claim.is_merchant_day for claim in spent),
        "is_final": all(order.is_final for order in placed)
        and all(refund.is_final for _, refund in back)
        and all(claim.is_final for claim in spent),
    }


def _costs(business: Business, order: Order, on: date) -> Iterator[tuple[Fraction, Fraction]]:
    """What the lines cost whose cost is known, and what they were sold for."""
    for line in order.lines:
        unit = business.settings.unit_cost(line.sku, on)
        if unit is not None:
            yield Fraction(decimal(unit * line.quantity, 2)), line.gross_sales


def differences(mart: str, rows: Sequence[Row], theirs: Table) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Where a mart's rows are not what they must be: by key and column, what is there and what should be."""
    ours = {tuple(row[name] for name in KEYS[mart]): row for row in rows}
    assert len(ours) == len(rows), f"{mart} has more than one row of {KEYS[mart]}"
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for key in ours.keys() | theirs.keys():
        row, wanted = ours.get(key), theirs.get(key)
        if row is None or wanted is None:
            found[key] = {"row": "is missing" if row is None else "should not be there"}
        elif wrong := {name: (row[name], value) for name, value in wanted.items() if row[name] != value}:
            found[key] = wrong
    return found
