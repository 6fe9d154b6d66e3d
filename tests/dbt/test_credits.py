"""What the models credit, and the journeys: hundreds of random orders beside a computation with exact fractions.

The marts behind them are filled directly, so that only the two are built.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows

SCHEMA = "credited"
MODELS = ("last_click", "first_click", "linear", "position_based", "time_decay")
AT = datetime(2026, 9, 10, 12, tzinfo=UTC)
CHANNELS = ("google_ads", "email", "organic_search", "tiktok_shop")
PLACES = {"first": Fraction(2, 5), "middle": Fraction(1, 5), "last": Fraction(2, 5)}
CHOICE = (3, {"first": Fraction(1), "middle": Fraction(2), "last": Fraction(4)})
"""Another half life, by which old touches have no part of ten decimals, and other weights."""


class Touch(NamedTuple):
    """A row of the ledger that is kept, or on the way at least."""

    at: datetime
    priority: int
    touchpoint_id: str
    channel: str
    rule: str

    @property
    def is_kept(self) -> bool:
        return self.rule == "click"


class Sale(NamedTuple):
    """An order and all that the ledger says of it, the earliest touch first."""

    order_id: str
    revenue: Decimal
    touches: list[Touch]

    @property
    def kept(self) -> list[Touch]:
        return [touch for touch in self.touches if touch.is_kept]


def sale(chance: random.Random, number: int) -> Sale:
    """None to five touches, or many; some in the same second; any amount, the negative and nothing among them."""
    many = chance.choice([0, 1, 2, 3, 4, 5, chance.randint(6, 40)]) if number else 400
    touches = []
    for touch in range(many):
        # whole hours, so that there are ties, and any time
        ago = chance.choice([3_600 * chance.randint(0, 168), chance.randint(0, 168 * 3_600)])
        rule = chance.choice(["click", "click", "click", "direct", "excluded_channel", "same_visit"])
        channel = "direct" if rule == "direct" else chance.choice(CHANNELS)
        name = f"{chance.choice('aB')}{number}/{touch}"
        touches.append(Touch(AT - timedelta(seconds=ago), chance.randint(1, 3), name, channel, rule))
    # the latest last: by its time, its priority and its id, of which the first one wins
    touches.sort(key=lambda touch: touch.touchpoint_id, reverse=True)
    touches.sort(key=lambda touch: (touch.at, -touch.priority))
    amount = chance.choice([0, 1, -1, chance.randint(-500, 500), chance.randint(1, 10_000_000)])
    return Sale(f"{number}", Decimal(amount) / 100, touches)


SALES = [sale(random.Random(number), number) for number in range(300)]


def rounded(exact: Fraction, places: int) -> Decimal:
    """Half away from zero, as the database rounds."""
    unit = Decimal(1).scaleb(-places)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(unit, ROUND_HALF_UP)


def weights(model: str, times: Sequence[datetime], half_life: int, places: dict[str, Fraction]) -> list[Fraction]:
    """What each touch weighs, the earliest first."""
    last = len(times) - 1
    if model == "last_click":
        return [Fraction(step == last) for step in range(last + 1)]
    if model == "first_click":
        return [Fraction(step == 0) for step in range(last + 1)]
    if model == "linear" or (model == "position_based" and not last):
        return [Fraction(1)] * (last + 1)
    if model == "position_based":
        return [places["first"], *[places["middle"] / max(last - 1, 1)] * (last - 1), places["last"]]
    ages = [(times[-1] - at).total_seconds() / 3_600 for at in times]
    doubles = [2.0 ** -min(age / half_life, 60) for age in ages]
    return [rounded_double(weight) for weight in doubles]


def rounded_double(weight: float) -> Fraction:
    return Fraction(Decimal(f"{weight:.15g}").quantize(Decimal("1e-15"), ROUND_HALF_UP))


def divided(whole: Fraction, shares: dict[int, Fraction], places: int) -> dict[int, Decimal]:
    """The whole by these shares, each rounded; the latest has what is left."""
    parts = {step: rounded(whole * share, places) for step, share in shares.items()}
    latest = max(parts)
    parts[latest] = rounded(
        whole - sum((Fraction(parts[step]) for step in parts if step < latest), Fraction(0)), places
    )
    return parts


def expected(half_life: int = 168, places: dict[str, Fraction] = PLACES) -> set[tuple[Any, ...]]:
    """Every row of credits: order, model, step, touch, credit and revenue."""
    found = set()
    for one in SALES:
        kept = one.kept
        for model in MODELS:
            weighed = weights(model, [touch.at for touch in kept] or [AT], half_life, places)
            shares = {step: weight / sum(weighed) for step, weight in enumerate(weighed, 1) if weight}
            credited = divided(Fraction(1), shares, 10)
            revenue = divided(Fraction(one.revenue), {step: Fraction(part) for step, part in credited.items()}, 6)
            for step, credit in credited.items():
                if credit:
                    touch = kept[step - 1].touchpoint_id if kept else None
                    found.add((one.order_id, model, step, touch, credit, revenue[step]))
    return found


def fill(conn: Connection, mart: str, rows: list[dict[str, Any]]) -> None:
    conn.execute(
        f"insert into {SCHEMA}.{mart} select (jsonb_populate_recordset(null::{SCHEMA}.{mart}, %s)).*",  # type: ignore[arg-type]
        (json.dumps(rows, default=str),),
    )


def orders_of(merchant_id: str) -> list[dict[str, Any]]:
    return [
        {
            "merchant_id": merchant_id,
            "date_day": AT.date(),
            "sales_channel": "shopify",
            "order_id": one.order_id,
            "is_counted": True,
            "is_new_customer": False,
            "revenue": one.revenue,
            "attributed_revenue": one.revenue,
            "rule": "last_click" if one.kept else "direct",
            "currency": "USD",
            "ordered_at": AT,
        }
        for one in SALES
    ]


def ledger_of(merchant_id: str) -> Iterable[dict[str, Any]]:
    for one in SALES:
        for touch in one.touches:
            yield {
                "merchant_id": merchant_id,
                "date_day": AT.date(),
                "sales_channel": "shopify",
                "order_id": one.order_id,
                "touchpoint_id": touch.touchpoint_id,
                "priority": touch.priority,
                "occurred_at": touch.at,
                "ordered_at": AT,
                "source": f"of {touch.channel}",
                "medium": "m",
                "channel": touch.channel,
                "is_paid": touch.channel == "google_ads",
                "is_kept": touch.is_kept,
                "rule": touch.rule,
                "step": one.kept.index(touch) + 1 if touch.is_kept else None,
                "steps": len(one.kept) if touch.is_kept else None,
            }


@pytest.fixture(scope="module")
def filled(conn: Connection, dbt: Dbt) -> Connection:
    """One merchant's orders in their order; the same of another, shuffled; and a third's, with touches of its own."""
    manifest = dbt("parse", build_schema=SCHEMA).result
    conn.execute(f"create schema {SCHEMA}")  # type: ignore[arg-type]
    for mart in ("fct_orders", "fct_attributed_orders", "fct_attribution_ledger"):
        columns = manifest.nodes[f"model.tributary.{mart}"].columns.values()
        types = ", ".join(f"{column.name} {column.data_type}" for column in columns)
        conn.execute(f"create table {SCHEMA}.{mart} ({types})")  # type: ignore[arg-type]
    for merchant_id in ("aurora", "nordlicht", "withtax"):
        orders, touches = orders_of(merchant_id), list(ledger_of(merchant_id))
        if merchant_id == "nordlicht":
            random.Random(8).shuffle(orders)
            random.Random(8).shuffle(touches)
        if merchant_id == "withtax":
            touches = [
                touch | {"touchpoint_id": f"own/{touch['order_id']}", "step": 1, "steps": 1}
                for touch in touches
                if touch["step"] == 1
            ]
        fill(conn, "fct_orders", orders)
        fill(conn, "fct_attributed_orders", orders)
        fill(conn, "fct_attribution_ledger", touches)
    conn.commit()
    return conn


def build(dbt: Dbt, *options: str) -> None:
    result = dbt("run", "--select", "fct_attribution_credits fct_customer_journeys", *options, build_schema=SCHEMA)
    assert result.success, result.exception or [r.message for r in result.result]


def credited(rows: Rows, merchant_id: str = "aurora") -> set[tuple[Any, ...]]:
    found = rows(
        f"select order_id, model, step, touchpoint_id, credit, credited_revenue "
        f"from {SCHEMA}.fct_attribution_credits where merchant_id = %s",
        merchant_id,
    )
    told = {tuple(row.values()) for row in found}
    assert len(told) == len(found) > len(SALES)
    return told


@pytest.fixture(scope="module")
def chosen(filled: Connection, dbt: Dbt, rows: Rows) -> set[tuple[Any, ...]]:
    """What is credited by the choice."""
    half_life, places = CHOICE
    weights = {name: float(weight) for name, weight in places.items()}
    choice = {"attribution_half_life_hours": half_life, "attribution_position_weights": weights}
    build(dbt, "--vars", json.dumps(choice))
    return credited(rows)


@pytest.fixture(scope="module")
def built(filled: Connection, chosen: object, dbt: Dbt) -> Connection:
    """What is credited by the project's own settings, which are built last."""
    build(dbt)
    return filled


@pytest.mark.usefixtures("built")
def test_every_credit_is_the_exact_one(rows: Rows) -> None:
    assert credited(rows) == expected()


@pytest.mark.usefixtures("built")
def test_every_model_gives_each_order_away_once(rows: Rows) -> None:
    found = rows(
        f"select order_id, sum(credit) as credit, sum(credited_revenue) as revenue "
        f"from {SCHEMA}.fct_attribution_credits where merchant_id = 'aurora' group by order_id, model"
    )
    revenues = {one.order_id: one.revenue for one in SALES}
    assert len(found) == len(SALES) * len(MODELS)
    assert all(row["credit"] == 1 and row["revenue"] == revenues[row["order_id"]] for row in found)


@pytest.mark.usefixtures("built")
def test_credits_have_the_shape_of_their_model(rows: Rows) -> None:
    """Never less by time to a later touch; the same by place to both ends. The latest has what rounding leaves."""
    steps = {(order_id, model, step): credit for order_id, model, step, _, credit, _ in credited(rows)}
    for one in SALES:
        number = len(one.kept)
        rest = Decimal("1e-10") * number
        decay = [steps.get((one.order_id, "time_decay", step), Decimal(0)) for step in range(1, number + 1)]
        assert all(later >= earlier for earlier, later in pairwise(decay[:-1]))
        assert number < 2 or decay[-1] >= decay[-2] - rest
        place = [steps.get((one.order_id, "position_based", step)) for step in range(1, number + 1)]
        assert number < 2 or (place[0] is not None and place[-1] is not None and abs(place[0] - place[-1]) <= rest)
        assert len(set(place[1:-1])) <= 1


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("mart", ["fct_attribution_credits", "fct_customer_journeys"])
def test_the_order_of_rows_changes_nothing(rows: Rows, mart: str) -> None:
    query = (
        f"select (to_jsonb(facts) - 'merchant_id')::text as row from {SCHEMA}.{mart} as facts where merchant_id = %s"
    )
    one, other = rows(query, "aurora"), rows(query, "nordlicht")
    assert sorted(row["row"] for row in one) == sorted(row["row"] for row in other)


@pytest.mark.usefixtures("built")
def test_no_merchant_is_credited_by_the_touches_of_another(rows: Rows) -> None:
    touches = {(order_id, touch) for order_id, _, _, touch, _, _ in credited(rows, "withtax")}
    assert touches == {(one.order_id, f"own/{one.order_id}" if one.kept else None) for one in SALES}


@pytest.mark.usefixtures("built")
def test_every_journey_is_the_exact_one(rows: Rows) -> None:
    found = rows(f"select * from {SCHEMA}.fct_customer_journeys where merchant_id = 'aurora'")
    told = {row["order_id"]: row for row in found}
    assert len(told) == len(found) == len(SALES)
    for one in SALES:
        way = [touch for touch in one.touches if touch.rule != "same_visit"]
        first, last = [touch.channel for touch in one.kept[:1]], [touch.channel for touch in one.kept[-1:]]
        hours = [rounded(Fraction(int((AT - touch.at).total_seconds()), 3_600), 2) for touch in way[:1]]
        journey = {
            "touches": len(way),
            "clicks": len(one.kept),
            "direct_visits": sum(touch.rule == "direct" for touch in way),
            "first_touch_at": way[0].at if way else None,
            "last_touch_at": way[-1].at if way else None,
            "hours_to_order": hours[0] if hours else None,
            "first_channel": "".join(first) or "direct",
            "first_source": f"of {first[0]}" if first else "direct",
            "last_channel": "".join(last) or "direct",
            "last_medium": "m" if last else "none",
            "path": " > ".join(channel for channel, _ in groupby(touch.channel for touch in way)) or "direct",
            "revenue": one.revenue,
        }
        assert journey.items() <= told[one.order_id].items(), told[one.order_id]


def test_half_life_and_weights_are_settings(chosen: set[tuple[Any, ...]]) -> None:
    assert chosen == expected(*CHOICE)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("attribution_half_life_hours", 0, "make it more than 0"),
        ("attribution_position_weights", {"first": 0, "middle": 1, "last": 0}, "first or last more than 0"),
    ],
)
def test_settings_that_cannot_be_are_told(dbt: Dbt, name: str, value: object, remedy: str) -> None:
    result = dbt("parse", "--vars", json.dumps({name: value}), build_schema=SCHEMA)
    assert not result.success
    assert f"{name} is {value}" in str(result.exception)
    assert remedy in str(result.exception)
