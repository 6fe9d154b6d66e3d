"""What a website's analytics tell of its days: coherent with the shop, restated for four days, then as it was."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.app import create_app
from sandbox.business.website import TABLES, Day
from sandbox.business.website_visits import NOT_SET, source_key
from sandbox.clock import parse_instant
from sandbox.serve import serve
from sandbox.world import Settings, World
from tests.sandbox.conftest import Client
from tests.sandbox.ga4_reader import truth

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.shop import Shop

FIRST_DAY = date(2026, 10, 26)
NOON = "2026-11-10T17:00:00Z"
AURORA = "aurora.myshopify.com"
DAY = timedelta(days=1)


def standing(at: str = NOON, **settings: Any) -> World:
    return World(Settings(seed=7, first_day=FIRST_DAY, frozen_at=parse_instant(at), **settings))


def aurora(world: World) -> Shop:
    shop = world.shop(AURORA)
    assert shop is not None
    return shop


@pytest.fixture(scope="module")
def world() -> World:
    """Two weeks, of which nobody changes anything."""
    return standing()


def days(first: date, number: int) -> list[date]:
    return [first + timedelta(days=offset) for offset in range(number)]


def final_days(world: World) -> list[tuple[date, Day]]:
    """Among them the day with 25 hours."""
    website = aurora(world).website
    found = [(day, website.day(day, world.now())) for day in days(FIRST_DAY, 12)]
    assert date(2026, 11, 1) in dict(found)
    return found


def test_transactions_are_the_shops_online_orders_that_may_be_seen(world: World) -> None:
    shop, zone = aurora(world), aurora(world).merchant.zone
    told, there = 0, 0
    for day, seen in final_days(world):
        placed = {
            str(order.id): order
            for order in shop.orders.values()
            if order.processed_at.astimezone(zone).date() == day and order.source_name == "web" and not order.test
        }
        rows = seen.tables["transactions"]
        told, there = told + len(rows), there + len(placed)
        for (transaction, *source), figures in rows.items():
            order = placed[transaction]
            assert order.true_source is not None
            assert tuple(source) == source_key(order.true_source)
            assert figures["orders"] == 1
            assert order.original_total * 9 // 10 <= figures["revenue"] <= order.original_total
    assert 0.8 < told / there < 0.9


def test_the_reports_of_a_day_agree_with_one_another(world: World) -> None:
    for _, seen in final_days(world):
        sessions, funnel = seen.tables["sessions"], seen.tables["funnel_events"]
        transactions = seen.tables["transactions"].values()
        assert 25 <= len(seen.listed()) <= 90
        for counter in ("orders", "revenue"):
            assert sum(row[counter] for row in sessions.values()) == sum(row[counter] for row in transactions)
        for row in sessions.values():
            assert row["orders"] <= row["key_events"]
            assert row["new_users"] <= row["users"] <= row["sessions"]
            assert row["orders"] <= row["engaged_sessions"] <= row["sessions"]
        for source in {key[:3] for key in sessions}:
            steps = [funnel.get((event, *source), {"events": 0, "users": 0}) for event in
                     ("view_item", "add_to_cart", "begin_checkout", "purchase")]  # fmt: skip
            counts = [step["events"] for step in steps]
            assert counts == sorted(counts, reverse=True)
            assert counts[-1] == sum(row["orders"] for key, row in sessions.items() if key[:3] == source)
            assert all(step["users"] <= step["events"] for step in steps)
        assert {key[1] for key in seen.tables["ad_cost"]} == {"cpc", "paid_social"}
        assert all(min(row.values()) > 0 for row in seen.tables["ad_cost"].values())


def test_all_kinds_of_sources_occur(world: World) -> None:
    sources = {key[:3] for _, seen in final_days(world) for key in seen.tables["sessions"]}
    assert {source_key(source) for source in aurora(world).merchant.sources} <= sources
    assert {("(direct)", "(none)", "(direct)"), (NOT_SET,) * 3, ("", "", "")} <= sources


def test_a_day_is_restated_until_its_fourth_and_then_stays(world: World) -> None:
    website, day = aurora(world).website, date(2026, 11, 3)
    noon = parse_instant("2026-11-03T17:00:00Z")
    ages = [website.day(day, noon + age * DAY).tables for age in range(7)]
    for table in TABLES:
        for earlier, later in pairwise(ages[:5]):
            assert earlier[table] != later[table]
        assert ages[4][table] == ages[5][table] == ages[6][table] == website.final(day).tables[table]
    for table in ("sessions", "funnel_events", "transactions"):
        vanished = set(ages[1][table]) - set(ages[4][table])
        assert vanished
        assert all(NOT_SET in key for key in vanished)
        assert set(ages[4][table]) - set(ages[1][table])
    told = [{key[0] for key in tables["transactions"]} for tables in ages]
    assert told[0] < told[1] < told[4]
    totals = [sum(row["sessions"] for row in tables["sessions"].values()) for tables in ages]
    assert totals[:5] == sorted(set(totals[:5]))


def test_today_ends_four_hours_ago(world: World) -> None:
    website, today = aurora(world).website, date(2026, 11, 10)
    shop = aurora(world)

    def seen(at: str) -> dict[str, int]:
        day = website.day(today, parse_instant(at)).tables
        orders = {int(key[0]) for key in day["transactions"]}
        limit = parse_instant(at).replace(minute=0) - timedelta(hours=4)
        assert all(shop.orders[order].processed_at < limit for order in orders)
        return {"orders": len(orders), "sessions": sum(row["sessions"] for row in day["sessions"].values())}

    assert seen("2026-11-10T09:59:00Z") == {"orders": 0, "sessions": 0}
    assert 0 < seen("2026-11-10T10:00:00Z")["sessions"] < seen("2026-11-10T16:59:00Z")["sessions"]
    assert seen("2026-11-10T16:00:00Z") == seen("2026-11-10T16:59:00Z")
    assert seen(NOON)["orders"] > 0
    yesterday = website.day(today - DAY, parse_instant("2026-11-10T06:00:00Z"))
    assert len(yesterday.tables["transactions"]) <= len(website.final(today - DAY).tables["transactions"])
    assert website.day(today + DAY, world.now()) == website.day(FIRST_DAY - DAY, world.now()) == Day()


def test_days_follow_from_the_seed_and_not_from_when_they_are_looked_at(world: World) -> None:
    early = standing("2026-11-05T12:00:00Z")
    early.clock.freeze(parse_instant(NOON))
    day = date(2026, 11, 4)
    assert aurora(early).website.day(day, early.now()) == aurora(world).website.day(day, world.now())
    other = World(Settings(seed=8, first_day=FIRST_DAY, frozen_at=parse_instant(NOON)))
    assert aurora(other).website.day(day, other.now()) != aurora(world).website.day(day, world.now())


def test_flags_come_with_what_they_mean(world: World) -> None:
    seen = {(day - FIRST_DAY).days: one for day, one in final_days(world)}
    assert [index for index, one in seen.items() if one.has_other()] == [5]
    assert [index for index, one in seen.items() if one.is_thresholded] == [3]
    assert [index for index, one in seen.items() if one.is_sampled] == [2]
    whole, listed = seen[5].tables["sessions"], seen[5].listed()
    assert len(listed) == 26 < len(whole)
    assert sum(row["sessions"] for row in listed.values()) == sum(row["sessions"] for row in whole.values())
    withheld = set(seen[3].tables["sessions"]) - set(seen[3].listed())
    assert withheld
    assert max(seen[3].tables["sessions"][key]["users"] for key in withheld) < 3


def test_what_was_restated_survives_a_restart_and_is_gone_before_its_time(tmp_path: Path) -> None:
    first_day, now = date(2026, 11, 1), parse_instant(NOON)
    settings = Settings(seed=7, first_day=first_day, frozen_at=now, state=tmp_path)

    day, path = "2026-11-03", "/shops/aurora/website/days/2026-11-03"
    with serve(create_app(settings)) as url:
        client = Client(url)
        before = truth(client, day)
        row, gone, *_ = before["reports"]["sessions"]
        key, gone_key = ([one[name] for name in TABLES["sessions"][0]] for one in (row, gone))
        asked = {"row": key, "counter": "sessions", "by": 5}
        (changed,) = [
            one
            for one in client.admin("POST", path + "/sessions/adjust", asked)["reports"]["sessions"]
            if [one[name] for name in TABLES["sessions"][0]] == key
        ]
        assert changed == {**row, "sessions": row["sessions"] + 5}
        client.admin("POST", path + "/sessions/vanish", {"row": gone_key})
        cost = before["reports"]["ad_cost"][0]
        spent = {"row": [cost[name] for name in TABLES["ad_cost"][0]], "counter": "cost", "by": -1}
        assert client.admin("POST", path + "/ad_cost/adjust", spent)["reports"]["ad_cost"] != [cost]
        new = {"row": ["brand", "new", "source", "/"], "counter": "sessions", "by": 3}
        client.admin("POST", path + "/sessions/adjust", new)
        after = truth(client, day)
    assert after["sessions"] == before["sessions"] + 5 - gone["sessions"] + 3
    assert len(after["reports"]["sessions"]) == len(before["reports"]["sessions"])
    with serve(create_app(settings)) as url:
        client = Client(url)
        assert truth(client, day) == after
        client.admin("POST", "/clock", {"freeze": "2026-11-10T16:59:59Z"})
        assert truth(client, day) == before


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("2026-11-14/sessions/adjust", {"row": ["a", "b", "c"], "counter": "sessions", "by": 1}, 400, "is told by"),
        ("2026-11-14/sessions/adjust", {"row": ["a"] * 4, "counter": "cost", "by": 1}, 400, "has no counter 'cost'"),
        ("2026-11-14/sessions/adjust", {"row": ["a"] * 4, "counter": "sessions"}, 400, "by is missing"),
        ("2026-11-14/sessions/vanish", {"row": ["a"] * 4}, 400, "has no row"),
        ("2026-11-14/sessions/vanish", {"row": ["a"] * 4, "by": 1}, 400, "unknown fields"),
        ("2026-11-16/sessions/adjust", {"row": ["a"] * 4, "counter": "sessions", "by": 1}, 400, "there is nothing of"),
        ("2026-11-14/visitors/vanish", {"row": ["a"] * 4}, 404, "there is no report 'visitors'"),
    ],
)
def test_what_cannot_be_restated_is_said(
    sandbox: Client, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    refused = sandbox.admin("POST", f"/shops/aurora/website/days/{path}", body, status=status)
    assert message in refused["error"]


def test_the_truth_tells_days_as_they_are_and_as_they_will_be(sandbox: Client) -> None:
    now, final = (truth(sandbox, "2026-11-14", report="transactions", **more) for more in ({}, {"final": "yes"}))
    assert list(now["reports"]) == ["transactions"]
    assert now["sessions"] < final["sessions"]
    sources = [{row["source"] for row in one["reports"]["transactions"]} for one in (now, final)]
    assert NOT_SET in sources[0]
    assert NOT_SET not in sources[1]
    every = sandbox.admin("GET", "/shops/aurora/website/truth?report=ad_cost")
    assert list(every) == [day.isoformat() for day in days(date(2026, 10, 19), 28)]
    assert "there is no report 'x'" in sandbox.admin("GET", "/shops/aurora/website/truth?report=x", status=404)["error"]
