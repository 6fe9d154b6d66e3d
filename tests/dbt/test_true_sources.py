"""An order whose true source the vendors show is credited to that; every other one has a reason, and is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from sandbox.world import Settings
from tests.channels import ga4_road
from tests.dbt.true_sources import VISIBLE, Case, Credit, Vendors, words
from tests.dbt.whole_merchant import whole_merchant
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.dbt.conftest import Dbt, Rows
    from tests.dbt.true_sources import Order

FIRST_DAY = date(2026, 10, 19)
NOW = datetime(2026, 11, 18, 19, 7, 11, tzinfo=UTC)
MERCHANTS = ("aurora", "nordlicht")
STREAMS = ("orders", "profiles", "events", "transactions")
"""All that tells who ordered, and what led to it."""
PAGE = ROOT / "docs" / "attribution.md"


@dataclass(frozen=True)
class Judged:
    """A counted order, its case, every credit that would be right, and the one that was given."""

    order: Order
    case: Case
    right: set[Credit]
    given: Credit

    @property
    def is_right(self) -> bool:
        """A campaign that the truth does not know may be called anything."""
        unnamed = replace(self.given, words=(*self.given.words[:2], None))
        return not self.right.isdisjoint({self.given, unnamed})

    @property
    def is_true(self) -> bool:
        return self.given.words[:2] == words(self.order)[:2]

    def __str__(self) -> str:
        return (
            f"order {self.order['id']} ({self.case}): {self.given} instead of {self.right}; the truth is {self.order}"
        )


@pytest.fixture(scope="module")
def judged(module_warehouse_url: str, dbt: Dbt, dbt_target: Path, rows: Rows) -> dict[str, list[Judged]]:
    """Every counted order of both merchants after a month of business."""
    manifest = dbt_target / "build" / "manifest.json"
    with whole_merchant(module_warehouse_url, dbt, manifest, FIRST_DAY, NOW) as aurora:
        aurora.sync(SHOPIFY, TIKTOK_SHOP, KLAVIYO, ga4_road.Road.channel, only=STREAMS)
        replace(aurora, name="nordlicht").sync(SHOPIFY, only=STREAMS)
        aurora.build("+fct_attributed_orders")
        return {
            merchant: judge(
                Vendors(aurora.sandbox, merchant, NOW),
                rows("select * from build.fct_attributed_orders where merchant_id = %s", merchant),
            )
            for merchant in MERCHANTS
        }


def judge(vendors: Vendors, credited: Iterable[Order]) -> list[Judged]:
    given = {(row["sales_channel"], row["order_id"]): Credit(words(row), row["occurred_at"]) for row in credited}
    counted = {(order["sales_channel"], order["id"]): order for order in vendors.orders if order["is_counted"]}
    assert given.keys() == counted.keys()
    return [Judged(order, *vendors.case(order), given[key]) for key, order in counted.items()]


def table(judged: dict[str, list[Judged]]) -> str:
    """How often it is right, in Markdown."""
    shown = {merchant: [one for one in orders if one.case in VISIBLE] for merchant, orders in judged.items()}
    others = {merchant: [one for one in orders if one.case not in VISIBLE] for merchant, orders in judged.items()}

    def row(title: str, part: Callable[[Judged], bool], of: dict[str, list[Judged]] = judged) -> str:
        counts = [(sum(map(part, of[merchant])), len(of[merchant])) for merchant in MERCHANTS]
        return " | ".join([f"| {title}", *(f"{count:,} | {count / whole:.1%}" for count, whole in counts)]) + " |"

    def cases(of: dict[str, list[Judged]]) -> list[str]:
        counted = Counter(one.case for orders in of.values() for one in orders)
        return [row(f"- {case}", lambda one, case=case: one.case == case) for case, _ in counted.most_common()]

    return "\n".join(
        [
            "| | " + " | ".join(f"{merchant} | share" for merchant in MERCHANTS) + " |",
            "|---|" + "---:|---:|" * len(MERCHANTS),
            row("counted orders", lambda one: True),
            row("**the vendors show the true source**", lambda one: one.case in VISIBLE),
            *cases(shown),
            row("**of these, credited to it**", lambda one: one.is_true, shown),
            row("**no true click to be seen, or another one counts**", lambda one: one.case not in VISIBLE),
            *cases(others),
            row("**of these, credited as the reason says**", lambda one: one.is_right, others),
            row("credited to the true source, all orders together", lambda one: one.is_true),
        ]
    )


@pytest.mark.parametrize("merchant", MERCHANTS)
def test_what_the_vendors_show_is_credited_as_it_truly_was(judged: dict[str, list[Judged]], merchant: str) -> None:
    shown = [one for one in judged[merchant] if one.case in VISIBLE]
    assert len(shown) > 800
    assert [str(one) for one in shown if not (one.is_true and one.is_right)] == []


@pytest.mark.parametrize("merchant", MERCHANTS)
def test_every_other_order_is_credited_as_its_reason_says(judged: dict[str, list[Judged]], merchant: str) -> None:
    assert [str(one) for one in judged[merchant] if not one.is_right] == []


def test_every_reason_occurs(judged: dict[str, list[Judged]]) -> None:
    assert {one.case for orders in judged.values() for one in orders} == set(Case)


def test_the_page_says_how_often_it_is_right(
    judged: dict[str, list[Judged]], record_property: Callable[[str, object], None]
) -> None:
    figures = table(judged)
    about = f"from {FIRST_DAY} to {NOW:%Y-%m-%d} (seed {Settings().seed})"
    record_property("figures", f"How often orders are credited to their true source, {about}:\n{figures}")
    _, _, part = PAGE.read_text().partition("## How often it is right\n")
    assert about in part
    told = [line for line in part.partition("\n## ")[0].splitlines() if line.startswith("|")]
    assert told == figures.splitlines(), figures
