"""Every rule of the gate: the fault that breaks it, the check that must say so, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tributary.paths import MART_CONTRACTS, RAW_CONTRACTS
from tributary.quality.contract import read

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-quality.md"
BEGIN, END = "<!-- rules -->", "<!-- end of rules -->"

AURORAS_DAY = "where merchant_id = 'aurora' and date_day = current_date - 5"
AURORAS_ORDER = "where merchant_id = 'aurora' and order_id = '51'"
REVENUES = {
    "fct_orders": "revenue",
    "fct_attributed_orders": "attributed_revenue",
    "fct_attribution_credits": "credited_revenue",
    "fct_customer_journeys": "revenue",
    "fct_channel_daily": "attributed_revenue",
    "fct_daily_metrics": "revenue",
}
"""Where a day's revenue stands, so that the tables still agree when it is another one."""
DIFFERING = """
insert into ops.control_totals (
    merchant_id, channel, date_day, shop_orders, shop_gross_sales, warehouse_orders, warehouse_gross_sales, agrees
)
select 'aurora', 'shopify', current_date - 5, 3, 66, {0}, {1}, false
"""
READ_AGO = """
update ops.checkpoints set read_at = now() - interval '{2} hours'
where merchant_id = 'aurora' and channel = '{0}' and stream = '{1}'
"""
ANOMALY = """
insert into build.daily_anomalies
    (merchant_id, date_day, metric, figure, expected, deviation, lower_bound, upper_bound, verdict)
values ('aurora', current_date - 5, '{0}', 4, 40, 5, 25, 55, 'low')
"""
PII = "No e-mail address or phone number is in the table"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule, and a fault that it is there for."""

    rule: str
    dataset: str
    check: str
    blocks: bool
    faults: tuple[str, ...]
    """SQL that brings it about for aurora, after good data was built."""
    follows: tuple[tuple[str, str], ...] = ()
    """Other checks (dataset and name) that the same fault cannot but trip."""

    @property
    def is_raw(self) -> bool:
        return (RAW_CONTRACTS / f"{self.dataset}.yml").exists()

    @property
    def damaged(self) -> list[str]:
        """The tables that the fault changes."""
        changed = re.compile(r"\b(?:update|insert into|delete from) (\w+[.]\w+)")
        return sorted({table for fault in self.faults for table in changed.findall(fault)})

    @property
    def channel(self) -> str:
        return "#analytics-incidents" if self.blocks else "#analytics-monitoring"

    @property
    def target(self) -> str:
        return "30 minutes" if self.blocks else "same day"

    @property
    def runbook(self) -> str:
        """The runbook that the contract names."""
        folder = RAW_CONTRACTS if self.is_raw else MART_CONTRACTS
        [asked] = [one for one in read([folder / f"{self.dataset}.yml"], {}) if one.name == self.check]
        return str(asked.runbook(warns=not self.blocks))


def markdown(rules: tuple[Rule, ...]) -> str:
    """The rules as the table of docs/data-quality.md."""
    lines = ["| rule | check | dataset | then | channel | response | runbook |", "|---|---|---|---|---|---|---|"]
    for one in rules:
        schema = "raw" if one.is_raw else "marts"
        cells = (
            one.rule,
            one.check,
            f"`{schema}.{one.dataset}`",
            "blocks" if one.blocks else "warns",
            f"`{one.channel}`" + (", PagerDuty" if one.blocks else ""),
            one.target,
            f"[{one.runbook}](runbooks/{one.runbook}.md)",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


BLOCKING = (
    Rule(
        rule="Revenue of a closed day is negative in total, on the order-date clock",
        dataset="fct_daily_metrics",
        check="Revenue of a closed day is not negative",
        blocks=True,
        faults=tuple(f"update build.{table} set {of} = -{of} {AURORAS_DAY}" for table, of in REVENUES.items()),
    ),
    Rule(
        rule="The same order is there twice, as two rows",
        dataset="fct_orders",
        check="No order is there twice",
        blocks=True,
        faults=(
            f"""
            insert into build.fct_orders
            select (jsonb_populate_record(orders, '{{"is_counted": false, "is_new_customer": false}}')).*
            from build.fct_orders as orders {AURORAS_ORDER}
            """,
        ),
    ),
    Rule(
        rule="The same order is there twice, under two ids",
        dataset="fct_orders",
        check="No order is there under two ids",
        blocks=True,
        faults=(
            """
            update build.fct_orders as copies set order_name = orders.order_name, ordered_at = orders.ordered_at
            from build.fct_orders as orders
            where
                copies.merchant_id = 'aurora' and copies.order_id = '52'
                and orders.merchant_id = 'aurora' and orders.order_id = '51'
            """,
        ),
    ),
    Rule(
        rule="An e-mail address is in a table that must hold none",
        dataset="fct_orders",
        check=PII,
        blocks=True,
        faults=(f"update build.fct_orders set order_name = 'of Ann <ann@shop.example.com>' {AURORAS_ORDER}",),
    ),
    Rule(
        rule="A phone number is in a table that must hold none",
        dataset="fct_orders",
        check=PII,
        blocks=True,
        faults=(f"update build.fct_orders set order_name = 'call +4915112345678' {AURORAS_ORDER}",),
    ),
    Rule(
        rule="A required field is NULL in more than 10 %, built",
        dataset="fct_orders",
        check="The payment status of orders is known",
        blocks=True,
        faults=(
            """
            update build.fct_orders set financial_status = null
            where merchant_id = 'aurora' and date_day > current_date - 7
            """,
        ),
    ),
    Rule(
        rule="A required field is NULL in more than 10 %, as it came",
        dataset="shopify_orders",
        check="Less than a tenth of orders lack their total",
        blocks=True,
        faults=(
            """
            update raw.shopify_orders set payload = payload - 'totalPriceSet'
            where merchant_id = 'aurora' and event_at > now() - interval '7 days'
            """,
        ),
    ),
    Rule(
        rule="An order's id is NULL at all, built",
        dataset="fct_orders",
        check="Every order has its id",
        blocks=True,
        faults=(
            f"""
            insert into build.fct_orders
            select (jsonb_populate_record(
                orders, '{{"order_id": null, "is_counted": false, "is_new_customer": false}}'
            )).*
            from build.fct_orders as orders {AURORAS_ORDER}
            """,
        ),
    ),
    Rule(
        rule="An order's id is NULL at all, as it came",
        dataset="shopify_orders",
        check="Every order has its id",
        blocks=True,
        faults=(
            """
            update raw.shopify_orders set payload = payload - 'legacyResourceId'
            where merchant_id = 'aurora' and record_id = '51'
            """,
        ),
    ),
    Rule(
        rule="Orders were not synced for 24 hours",
        dataset="fct_freshness",
        check="No stream is a day beyond its SLA",
        blocks=True,
        faults=(READ_AGO.format("shopify", "orders", 25),),
    ),
    Rule(
        rule="Another stream was not synced for 24 hours beyond its SLA",
        dataset="fct_freshness",
        check="No stream is a day beyond its SLA",
        blocks=True,
        faults=(READ_AGO.format("ga4", "sessions", 27),),
    ),
    Rule(
        rule="The credits of an order do not sum to 1",
        dataset="fct_attribution_credits",
        check="The credits of each order are 1 together by each model",
        blocks=True,
        faults=(
            f"""
            update build.fct_attribution_credits set credit = credit - 0.0000000001
            {AURORAS_ORDER} and model = 'linear'
            """,
        ),
    ),
    Rule(
        rule="The credits of an order do not sum to its revenue",
        dataset="fct_attribution_credits",
        check="The credited revenue of each order is its revenue by each model",
        blocks=True,
        faults=(
            f"""
            update build.fct_attribution_credits set credited_revenue = credited_revenue + 0.000001
            {AURORAS_ORDER} and model = 'linear'
            """,
        ),
    ),
    Rule(
        rule="A touch is credited after its order",
        dataset="fct_attribution_credits",
        check="No touch is credited with an order before it",
        blocks=True,
        faults=(
            """
            update build.fct_attribution_credits set occurred_at = ordered_at + interval '1 second'
            where merchant_id = 'aurora' and order_id = 'T5' and model = 'linear'
            """,
        ),
    ),
    Rule(
        rule="The shop counts another number of orders of a closed day, even after a re-sync",
        dataset="fct_daily_metrics",
        check="The shop's control totals of closed days agree",
        blocks=True,
        faults=(DIFFERING.format(2, 66),),
    ),
    Rule(
        rule="The shop counts other gross sales of a closed day, even after a re-sync",
        dataset="fct_daily_metrics",
        check="The shop's control totals of closed days agree",
        blocks=True,
        faults=(DIFFERING.format(3, 65),),
    ),
)

WARNING = (
    Rule(
        rule="Orders of a closed day are more than 3 times those of the day before",
        dataset="fct_daily_metrics",
        check="Orders of a closed day are at most 3 times those of the day before",
        blocks=False,
        faults=(f"update build.day_over_day set orders = 3 * orders_day_before + 1 {AURORAS_DAY}",),
    ),
    Rule(
        rule="Revenue of a closed day is more than 5 times that of the day before",
        dataset="fct_daily_metrics",
        check="Revenue of a closed day is at most 5 times that of the day before",
        blocks=False,
        faults=(f"update build.day_over_day set revenue = 5.01 * revenue_day_before {AURORAS_DAY}",),
    ),
    Rule(
        rule="Spend of a closed day is more than 2 times that of the day before",
        dataset="fct_ad_spend",
        check="Spend of a closed day is at most 2 times that of the day before",
        blocks=False,
        faults=(f"update build.spend_day_over_day set spend = 2.01 * spend_day_before {AURORAS_DAY}",),
    ),
    Rule(
        rule="Orders of a closed day are outside 3 robust deviations of their weekday",
        dataset="fct_daily_metrics",
        check="Orders of a closed day are what their weekday usually brings",
        blocks=False,
        faults=(ANOMALY.format("orders"),),
    ),
    Rule(
        rule="The average order of a closed day is outside 2 deviations",
        dataset="fct_daily_metrics",
        check="The average order of a closed day is within its usual range",
        blocks=False,
        faults=(ANOMALY.format("aov"),),
    ),
    Rule(
        rule="More than 5 % of customers' e-mails are NULL",
        dataset="shopify_orders",
        check="Less than a twentieth of online orders lack the customer's e-mail",
        blocks=False,
        faults=(
            """
            update raw.shopify_orders set payload = payload - 'email'
            where merchant_id = 'aurora' and event_at > now() - interval '4 days'
            """,
        ),
    ),
    Rule(
        rule="More than 50 % of the touches of a closed day have no `utm_source`",
        dataset="fct_touchpoints",
        check="At least half of the touches of a closed day have a utm_source",
        blocks=False,
        faults=("insert into build.untagged_touches values ('aurora', current_date - 5, 20, 11)",),
    ),
    Rule(
        rule="Less than half of the orders of a closed day are attributed",
        dataset="fct_attributed_orders",
        check="At least half of the orders of a closed day say where they came from",
        blocks=False,
        faults=(
            """
            insert into build.fct_attributed_orders
            select (jsonb_populate_record(
                orders, jsonb_build_object('order_id', 'X' || number, 'attributed_revenue', 0)
            )).*
            from build.fct_attributed_orders as orders cross join generate_series(1, 19) as number
            where orders.merchant_id = 'aurora' and orders.order_id = '51'
            """,
        ),
    ),
    Rule(
        rule="A traffic source is not in the taxonomy",
        dataset="fct_attributed_orders",
        check="Every credited source is in the list of traffic sources",
        blocks=False,
        faults=(
            """
            update build.fct_attributed_orders set in_taxonomy = false where merchant_id = 'aurora' and order_id = 'T5'
            """,
        ),
    ),
    Rule(
        rule="A stream is older than its SLA",
        dataset="fct_freshness",
        check="Every stream was read within its SLA",
        blocks=False,
        faults=(READ_AGO.format("ga4", "sessions", 5),),
    ),
)

RULES = (*BLOCKING, *WARNING)
