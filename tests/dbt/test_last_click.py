"""Last click and the ledger over real records: every way to tell where a buyer came from, and every edge of who gets
the credit and of why."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dbt import shop, stories, tiktok
from tests.dbt.conftest import make_scope
from tests.dbt.crowd import Crowd, Line
from tests.dbt.stories import DIRECT, HOUR, NUMBERS, VISITS, ago, sold
from tests.dbt.touches import click, person
from tributary.paths import MART_CONTRACTS
from tributary.quality.gate import verify
from tributary.warehouse.settings.files import REFERRERS, TRAFFIC_SOURCES, load_rows
from tributary.warehouse.settings.tables import apply_rows

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows
    from tests.dbt.tiktok import Payload

MARTS = ("fct_attributed_orders", "fct_attribution_ledger", "fct_touchpoints")
CROWD = Crowd.drawn(7, "Asia/Tokyo")


@pytest.fixture(scope="module")
def world(conn: Connection, dbt: Dbt) -> list[Payload]:
    """All of it at aurora, and the same buyers without a touch at nordlicht; with the settings of the repository."""
    for file in (TRAFFIC_SOURCES, REFERRERS):
        apply_rows(conn, file, load_rows(stories.CONFIG, file, []))
    conn.execute("update ops.merchants set domains = '{aurora.example}' where merchant_id = 'aurora'")
    orders = [*stories.ORDERS, *(sold(number, customer=number) for number in NUMBERS.values())]
    shop.load(conn, "aurora", *orders, *stories.COPIES)
    shop.load(conn, "nordlicht", *orders)
    sale = tiktok.order(stories.ORIGINAL, "2026-09-10T12:00:00", tiktok.unit("11", "40.00"))
    tiktok.load(conn, "aurora", *stories.visits(), *stories.TOUCHES, *stories.SESSIONS, sale)
    shop.load(conn, "withtax", *CROWD.bought())
    tiktok.load(conn, "withtax", *CROWD.told())
    # Links name their merchants: clicks, people and sessions of one are nothing to the other.
    tiktok.load(conn, "nordlicht", person("P9", customer=2), click("k1", "P2", ago(HOUR)))
    assert dbt("run", "--select", *(f"+{mart}" for mart in MARTS), "untagged_touches").success
    held = dbt("test", "--select", *MARTS, "--exclude", "test_type:unit", "--indirect-selection", "buildable")
    assert held.success
    assert len(held.result) >= 10
    # Without the constraints of the build schema, so that every check can be shown what it must catch.
    conn.execute("create schema gated")
    for mart in ("fct_orders", "untagged_touches", *MARTS):
        conn.execute(f"create table gated.{mart} as select * from build.{mart}")  # type: ignore[arg-type]
    conn.commit()
    return orders


def credited(rows: Rows, merchant_id: str = "aurora") -> dict[str, dict[str, Any]]:
    found = rows("select * from build.fct_attributed_orders where merchant_id = %s", merchant_id)
    return {row["order_id"]: row for row in found}


@pytest.mark.usefixtures("world")
def test_visits_are_told_apart_by_tags_ids_and_referrers(rows: Rows) -> None:
    found = credited(rows)

    def told_of(story: str) -> str:
        row = found[str(NUMBERS[story])]
        assert (row["touchpoint_id"] is None) == (row["rule"] == "direct")
        touch = (row["touchpoint_id"] or "None").rpartition("/")[2]
        words = [touch, f"{row['source']}/{row['medium']}", row["channel"], row["campaign"]]
        return " ".join(filter(None, [*words, "malformed" if row["is_malformed"] else None]))

    assert {story: told_of(story) for story in VISITS} == {story: told for story, (_, told) in VISITS.items()}
    assert [row["source"] for row in found.values() if not row["in_taxonomy"]] == ["flyer", "a%20b"]


@pytest.mark.usefixtures("world")
def test_whose_touch_it_is_and_what_it_counts_for(rows: Rows) -> None:
    found = {
        order_id: " ".join(
            filter(
                None,
                [
                    str(row["touchpoint_id"]),
                    f"{row['source']}/{row['medium']}",
                    row["channel"],
                    row["rule"],
                    row["campaign"],
                ],
            )
        )
        for order_id, row in credited(rows).items()
        if order_id not in map(str, NUMBERS.values())
    }
    assert found == stories.EXPECTED


def ledger(rows: Rows) -> dict[str, str]:
    """What the ledger says of each order, touch after touch."""
    found: dict[str, list[str]] = {order_id: [] for order_id in credited(rows)}
    query = (
        "select * from build.fct_attribution_ledger where merchant_id = 'aurora' order by occurred_at, touchpoint_id"
    )
    for row in rows(query):
        words = [row["touchpoint_id"], row["rule"]]
        words += [f"{row['step']}/{row['steps']}"] if row["is_kept"] else []
        words += ["as", row["same_as"]] if row["same_as"] else []
        assert row["is_last_click"] == (row["is_kept"] and row["step"] == row["steps"])
        found[row["order_id"]].append(" ".join(words))
    return {order_id: ", ".join(lines) for order_id, lines in found.items()}


@pytest.mark.usefixtures("world")
def test_the_ledger_says_why(rows: Rows) -> None:
    expected = dict(stories.LEDGER_OF_ORDERS)
    for story, number in NUMBERS.items():
        alone = "v0 direct" if VISITS[story][1] == DIRECT else "v0 click 1/1"
        expected[str(number)] = stories.LEDGER.get(story, alone).replace("v", f"shopify/{number}/v")
    assert ledger(rows) == expected


@pytest.mark.usefixtures("world")
def test_touchpoints_keep_what_was_told(rows: Rows) -> None:
    found = {
        row["touchpoint_id"]: row for row in rows("select * from build.fct_touchpoints where merchant_id = 'aurora'")
    }

    def told(story: str) -> list[Any]:
        row = found[f"shopify/{NUMBERS[story]}/v0"]
        return [row[name] for name in ("utm_source", "utm_medium", "utm_campaign", "click_id", "referrer_domain")]

    assert told("encoded") == ["Face%62ook", "paid%5Fsocial", "Fr%C3%BChling%20%252", None, None]
    assert told("fbclid beside a paid one") == [None, None, None, "gclid", None]
    assert told("an app") == [None, None, None, None, "com.facebook.katana"]
    assert told("an address in a tag") == ["[contact]", "email", "for [contact]", None, None]
    visits = {f"shopify/{key}" for _, key, *_ in stories.visits()}
    others = {
        f"{table.partition('_')[0]}/{key}" for table, key, *_ in stories.TOUCHES if not table.endswith("profiles")
    }
    sessions = {"ga4/2201", "ga4/2202", "ga4/2204"}
    sales = {f"shopify/{stories.COPY}", f"tiktok_shop/{stories.ORIGINAL}", "shopify/3002"}
    assert found.keys() == visits | others - {"klaviyo/k6"} | sessions | sales
    odd = {story for story, (_, said) in VISITS.items() if said.endswith("malformed")}
    assert {key for key, row in found.items() if row["is_malformed"]} == {f"shopify/{NUMBERS[one]}/v0" for one in odd}


@pytest.mark.usefixtures("world")
def test_a_touchpoint_stands_on_the_day_of_its_order(rows: Rows) -> None:
    """A click in a mail on its own day, ordered or not; what an order told of with it, counted or not."""
    found = {
        row["touchpoint_id"]: (row["date_day"], row["order_id"])
        for row in rows("select * from build.fct_touchpoints where merchant_id = 'aurora'")
    }
    assert found["shopify/2301/j"] == (date(2026, 11, 4), "2301")
    assert found["shopify/2401/l"] == (date(2026, 9, 10), "2401")
    assert found["klaviyo/k3"] == (date(2026, 9, 3), None)
    assert found["klaviyo/k7"] == (date(2026, 9, 10), None)


@pytest.mark.usefixtures("world")
def test_a_crowd_is_credited_as_by_trying_all(rows: Rows) -> None:
    found = {order_id: row["touchpoint_id"] for order_id, row in credited(rows, "withtax").items()}
    assert found == {str(order_id): CROWD.credited(order_id) for order_id in CROWD.orders}
    assert 20 < sum(touch is None for touch in found.values()) < 160
    assert sum(f"/{order_id}/" not in (touch or "") for order_id, touch in found.items() if touch) > 20


@pytest.mark.usefixtures("world")
def test_the_ledger_of_a_crowd_is_as_by_trying_all(rows: Rows) -> None:
    expected = {(str(order_id), line) for order_id in CROWD.orders for line in CROWD.ledger(order_id)}
    found = rows("select * from build.fct_attribution_ledger where merchant_id = 'withtax'")
    names = ("touchpoint_id", "rule", "step", "same_as")
    assert {(row["order_id"], Line(*(row[name] for name in names))) for row in found} == expected
    rules = Counter(row["rule"] for row in found)
    assert all(rules[rule] > 10 for rule in ("after_order", "too_old", "direct", "same_visit", "same_click")), rules
    assert all(rules[rule] > 5 for rule in ("click", "click_known", "ga4_session")), rules
    outside = Counter(row["order_id"] for row in found if row["rule"] in ("after_order", "too_old"))
    assert sum(number == 20 for number in outside.values()) > 10, outside


@pytest.mark.usefixtures("world")
def test_the_order_of_rows_decides_nothing(conn: Connection, dbt: Dbt, rows: Rows) -> None:
    """What marts are made of, stored the other way round."""
    conn.execute("create schema first")
    for mart in MARTS:
        conn.execute(f"create table first.{mart} as table build.{mart}")  # type: ignore[arg-type]
    for table, key in (("intermediate.int_touchpoints", "touchpoint_id"), ("build.fct_orders", "order_id")):
        conn.execute("drop table if exists shuffled")
        conn.execute(f"create temporary table shuffled as table {table}")  # type: ignore[arg-type]
        conn.execute(f"truncate {table}")  # type: ignore[arg-type]
        conn.execute(f"insert into {table} select * from shuffled order by md5({key})")  # type: ignore[arg-type]
    conn.commit()
    between = [f"int_touchpoints+,+{mart}" for mart in MARTS]
    assert dbt("run", "--select", *between, "--exclude", "int_touchpoints").success
    for mart in MARTS:
        assert rows(f"table first.{mart} except all table build.{mart}") == []
        assert rows(f"table build.{mart} except all table first.{mart}") == []


@given(st.text(st.sampled_from("%0123456789abcdefABCDEF +é/\n")) | st.text().map(quote) | st.binary().map(quote))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tags_are_decoded_as_addresses_are(conn: Connection, encoded: str) -> None:
    try:
        expected = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        expected = encoded
    expected = encoded if "\0" in expected else expected
    assert conn.execute("select ops.url_decoded(%s)", (encoded,)).fetchone() == (expected,)


@pytest.mark.usefixtures("world")
def test_paid_is_what_the_list_says(rows: Rows) -> None:
    found = credited(rows)
    paid = {row["channel"]: row["ad_platform"] for row in found.values() if row["is_paid"]}
    assert paid == {name: name for name in ("google_ads", "meta_ads", "microsoft_ads", "tiktok_ads")}
    assert {row["ad_platform"] for row in found.values() if not row["is_paid"]} == {None}


@pytest.mark.usefixtures("world")
def test_tenants_never_meet(world: list[Payload], rows: Rows) -> None:
    found = credited(rows, "nordlicht")
    counted = {order["legacyResourceId"] for order in world if order["displayFinancialStatus"] == "PAID"}
    assert found.keys() == counted
    assert {row["rule"] for row in found.values()} == {"direct"}


def objections(conn: Connection, merchant_id: str = "aurora") -> set[tuple[str, str]]:
    """What the gate says of the build; it rolls back what the test did to it."""
    parameters = {"schema": "gated", "merchant_id": merchant_id}
    found = verify(conn, [MART_CONTRACTS / f"{mart}.yml" for mart in MARTS], parameters)
    assert len(found) >= 13
    return {(one.outcome, one.check) for one in found if one.outcome != "passed"}


UNKNOWN_SOURCES = ("warned", "Every credited source is in the list of traffic sources")
CREDITED = "update gated.fct_attributed_orders set"
JUDGED = "update gated.fct_attribution_ledger set"
TOLD = "update gated.fct_touchpoints set"


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("damage", "objection"),
    [
        (f"{CREDITED} occurred_at = ordered_at + interval '1 s' where order_id = '2001'", "before it"),
        (f"{CREDITED} attributed_revenue = 19.99 where order_id = '2001'", "revenue"),
        ("delete from gated.fct_attributed_orders where order_id = '2301'", "revenue"),
        (f"{CREDITED} campaign = 'for +4915112345678' where order_id = '2001'", "e-mail"),
        ("insert into gated.fct_attributed_orders select * from gated.fct_attributed_orders limit 1", "credited twice"),
        ("insert into gated.fct_touchpoints select * from gated.fct_touchpoints limit 1", "is there twice"),
        (f"{TOLD} date_day = date_day + 1 where order_id = '2401'", "day of that order"),
        (f"{TOLD} utm_campaign = 'for ann@example.com' where order_id = '2401'", "e-mail"),
        ("insert into gated.fct_attribution_ledger select * from gated.fct_attribution_ledger limit 1", "judged twice"),
        (f"{JUDGED} occurred_at = ordered_at + interval '1 s' where order_id = '2001'", "is kept for an order before"),
        (f"{JUDGED} step = 3 where order_id = '2002' and step = 1", "one last click"),
        (f"{JUDGED} is_last_click = false where order_id = '2001'", "one last click"),
        (f"{JUDGED} touchpoint_id = 'x' where order_id = '2001'", "last click of the ledger"),
        (f"{JUDGED} campaign = 'for ann@example.com' where order_id = '2001'", "e-mail"),
    ],
)
def test_the_gate_blocks(conn: Connection, damage: str, objection: str) -> None:
    conn.execute(damage)  # type: ignore[arg-type]
    blocked = {check for outcome, check in objections(conn) if outcome == "failed"}
    assert any(objection in check for check in blocked), blocked


@pytest.mark.usefixtures("world")
def test_the_gate_warns(conn: Connection) -> None:
    """One merchant's visits name sources that nobody knows; nobody knows where the other's buyers came from."""
    assert objections(conn) == {UNKNOWN_SOURCES}
    half = ("warned", "At least half of the orders of a closed day say where they came from")
    assert objections(conn, "nordlicht") == {half}


@pytest.mark.usefixtures("world")
def test_all_revenue_is_credited(rows: Rows) -> None:
    of_orders, of_credits = (
        rows(
            f"select merchant_id, date_day, sum({amount}) as paid from build.{mart} {which} group by 1, 2 order by 1, 2"
        )
        for amount, mart, which in (
            ("revenue", "fct_orders", "where is_counted"),
            ("attributed_revenue", "fct_attributed_orders", ""),
        )
    )
    assert of_orders == of_credits


@pytest.mark.usefixtures("world")
def test_a_scope_gives_the_rows_of_a_full_build(conn: Connection, dbt: Dbt, rows: Rows) -> None:
    """Two days far apart, so that what stands between them is in neither window."""
    days = ("2026-09-03", "2026-09-10", "2026-09-11", "2026-11-04")
    make_scope(conn, "backfill_1", days)
    assert dbt("run", "--select", *(f"+{mart}" for mart in MARTS), build_schema="backfill_1").success
    for mart in MARTS:
        of_scope = f"select * from backfill_1.{mart}"
        of_everything = f"select facts.* from build.{mart} as facts join backfill_1.scope using (merchant_id, date_day)"
        assert len(rows(of_scope)) > 100
        for one_way, other_way in ((of_scope, of_everything), (of_everything, of_scope)):
            assert rows(f"({one_way}) except all ({other_way})") == []
