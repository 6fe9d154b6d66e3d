"""What Klaviyo reports of messages: equal to a count of its events, restated until five days after the sending."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.clock import parse_instant
from tests.sandbox.klaviyo_reader import PLACED_ORDER, STATISTICS, ZONE, Klaviyo, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Client

VALUES, FLOW_VALUES, SERIES = "/api/campaign-values-reports", "/api/flow-values-reports", "/api/flow-series-reports"
FIRST, TODAY, AFTER = "2026-10-26", "2026-11-15", "2026-11-16"
Rows = dict[tuple[str, str], dict[str, float]]


@pytest.fixture
def api(start: Callable[..., Client]) -> Klaviyo:
    """Three weeks that a test may change."""
    return Klaviyo(start(first_day=date.fromisoformat(FIRST), klaviyo_rate=1000))


def plain(row: dict[str, float]) -> dict[str, float]:
    return {name: round(float(row[name]), 2) for name in STATISTICS}


def campaigns(api: Klaviyo, after: str = AFTER) -> Rows:
    sent = {}
    for channel in ("email", "sms", "mobile_push"):
        for archived in ("true", "false"):
            path = f"/api/campaigns?filter=equals(messages.channel,'{channel}'),equals(archived,{archived})"
            sent |= {one["id"]: one["attributes"]["send_time"] for one in api.every(path)}
    results = api.report(VALUES, FIRST, after)["results"]
    return {
        (
            one["groupings"]["campaign_message_id"],
            parse_instant(sent[one["groupings"]["campaign_id"]]).astimezone(ZONE).date().isoformat(),
        ): plain(one["statistics"])
        for one in results
    }


def flows(api: Klaviyo, after: str = AFTER) -> Rows:
    series = api.report(SERIES, FIRST, after, interval="daily")
    found = {}
    for one in series["results"]:
        for number, start in enumerate(series["date_times"]):
            day = parse_instant(start).astimezone(ZONE).date().isoformat()
            figures = {name: values[number] for name, values in one["statistics"].items()}
            if any(figures.values()):
                found[one["groupings"]["flow_message_id"], day] = plain(figures)
    return found


def told(api: Klaviyo, which: str) -> Rows:
    values = api.client.admin("GET", "/klaviyo/values")[which]
    return {(one["message"], one["date"]): plain(one) for one in values}


def test_values_are_what_the_events_add_up_to(api: Klaviyo) -> None:
    """Campaigns and flows together; final ones are those of a week later, for what has been sent by now."""
    now = counted(api.client, "2026-11-15T12:00:00Z")
    reported = campaigns(api) | flows(api)
    assert reported == {key: plain(row) for key, row in now.items()} == told(api, "now")
    assert sum(row["conversions"] for row in now.values()) > 50
    final = told(api, "final")
    assert set(final) == set(reported)
    restated = {day for (message, day), row in final.items() if row != reported[message, day]}
    assert restated
    assert min(restated) >= "2026-11-10"
    api.client.admin("POST", "/clock", {"advance_seconds": 6 * 86_400})
    later = campaigns(api, "2026-11-22") | flows(api, "2026-11-22")
    assert {key: row for key, row in later.items() if key[1] < TODAY} == {
        key: row for key, row in final.items() if key[1] < TODAY
    }


def test_a_cancelled_order_takes_its_conversion_away_again(api: Klaviyo) -> None:
    before = told(api, "now")
    events = {one["id"]: one for one in api.client.admin("GET", "/klaviyo/events")}
    orders = [one for one in events.values() if one["order"] and "2026-11-14" <= one["datetime"] <= "2026-11-15T12"]
    for event in orders:
        if not event["cancelled_at"]:
            api.client.admin("POST", f"/shops/aurora/orders/{event['order']}/cancel", {})
    after = told(api, "now")
    lost = [key for key in before if after[key]["conversions"] < before[key]["conversions"]]
    assert lost
    assert all(after[key]["clicks"] == before[key]["clicks"] for key in lost)
    assert campaigns(api) | flows(api) == after


def test_series_add_up_to_values_and_groups_are_as_asked(api: Klaviyo) -> None:
    grouped = ["flow_id", "flow_message_id", "flow_name", "flow_message_name", "send_channel"]
    values = api.report(FLOW_VALUES, "2026-11-01", "2026-11-15", group_by=grouped)["results"]
    series = api.report(SERIES, "2026-11-01", "2026-11-15", group_by=grouped, interval="daily")
    weekly = api.report(SERIES, "2026-11-01", "2026-11-15", group_by=grouped, interval="weekly")
    assert len(series["date_times"]) == 14
    assert len(weekly["date_times"]) == 3
    for one, days, weeks in zip(values, series["results"], weekly["results"], strict=True):
        assert one["groupings"] == days["groupings"] == weeks["groupings"]
        assert list(one["groupings"]) == grouped
        for name in ("recipients", "opens", "conversions", "conversion_value"):
            assert sum(days["statistics"][name]) == pytest.approx(one["statistics"][name])
            assert sum(weeks["statistics"][name]) == pytest.approx(one["statistics"][name])
    texts = api.report(FLOW_VALUES, "2026-11-01", "2026-11-15", filter="contains-any(send_channel,['sms'])")["results"]
    assert [one["groupings"]["send_channel"] for one in texts] == ["sms"]


def test_rates_are_fractions(api: Klaviyo) -> None:
    names = ["open_rate", "click_rate", "click_to_open_rate", "conversion_rate", "unsubscribe_rate", "bounce_rate"]
    for one in api.report(VALUES, FIRST, AFTER, statistics=[*names, "delivered", "opens_unique"])["results"]:
        figures = one["statistics"]
        assert all(0 <= figures[name] <= 1 for name in names if name != "click_to_open_rate")
        assert figures["open_rate"] * figures["delivered"] == pytest.approx(figures["opens_unique"])


def test_aggregates_count_orders_by_their_own_day(api: Klaviyo) -> None:
    asked = {
        "metric_id": PLACED_ORDER,
        "measurements": ["count", "sum_value", "unique"],
        "filter": [f"greater-or-equal(datetime,{FIRST}T00:00:00)", f"less-than(datetime,{AFTER}T00:00:00)"],
        "timezone": "America/New_York",
    }
    told = api.post("/api/metric-aggregates", asked).json()["data"]["attributes"]
    orders = [one for one in api.client.admin("GET", "/klaviyo/events") if one["order"]]
    for number, start in enumerate(told["dates"]):
        day = parse_instant(start).astimezone(ZONE).date()
        own = [
            one
            for one in orders
            if parse_instant(one["datetime"]).astimezone(ZONE).date() == day
            and one["datetime"] <= "2026-11-15T12:00:00Z"
        ]
        figures = {name: values[number] for name, values in told["data"][0]["measurements"].items()}
        assert figures == {
            "count": len(own),
            "sum_value": pytest.approx(sum(one["value"] for one in own)),
            "unique": len({one["profile"] for one in own}),
        }
    assert len(told["dates"]) == 21
    opened = {one["metric_id"] for one in api.client.admin("GET", "/klaviyo/events") if one["metric"] == "Opened Email"}
    by_message = api.post("/api/metric-aggregates", {**asked, "metric_id": opened.pop(), "by": ["$message"]})
    rows = by_message.json()["data"]["attributes"]["data"]
    assert len(rows) > 5
    assert all(len(row["dimensions"]) == 1 for row in rows)


def test_named_timeframes_are_the_accounts_days(api: Klaviyo) -> None:
    def of(timeframe: dict[str, str]) -> Any:
        asked = {"statistics": ["recipients"], "timeframe": timeframe, "conversion_metric_id": PLACED_ORDER}
        return api.post(FLOW_VALUES, asked).json()["data"]["attributes"]["results"]

    for key, start, end in (
        ("yesterday", "2026-11-14", "2026-11-15"),
        ("last_7_days", "2026-11-08", "2026-11-15"),
        ("last_week", "2026-11-02", "2026-11-09"),
        ("last_month", "2026-10-01", "2026-11-01"),
        ("last_3_months", "2026-08-01", "2026-11-01"),
        ("this_year", "2026-01-01", "2026-11-16"),
    ):
        own = of({"start": f"{start}T00:00:00+09:00", "end": f"{end}T00:00:00Z"})
        assert own
        assert of({"key": key}) == own
    assert of({"key": "last_year"}) == []


def test_what_is_made_to_happen_is_reported_and_survives_a_restart(start: Callable[..., Client], tmp_path: Any) -> None:
    settings = {"first_day": date.fromisoformat(FIRST), "klaviyo_rate": 1000, "state": tmp_path}
    api = Klaviyo(start(**settings))
    before, flow_before = campaigns(api), flows(api)
    (message, _), figures = next(iter(before.items()))
    flow_message, day = next(key for key, row in flow_before.items() if row["conversions"])
    post = api.client.admin
    post("POST", f"/klaviyo/messages/{message}/conversions", {"count": 2, "value": "31.50"})
    post("POST", f"/klaviyo/messages/{flow_message}/conversions", {"count": -1, "value": "-5.25", "date": day})
    post("POST", f"/klaviyo/messages/{flow_message}/conversions", {"count": 1, "value": "1"}, 400)
    gone = next(key for key in flow_before if key != (flow_message, day))
    post("POST", f"/klaviyo/messages/{gone[0]}/vanish", {"date": gone[1]})
    campaign = api.every("/api/campaigns?filter=equals(messages.channel,'email')")[0]["id"]
    post("POST", f"/klaviyo/campaigns/{campaign}", {"name": "renamed"})
    post("POST", "/klaviyo/metrics", {"id": "Other1", "name": "Placed Order", "integration": "API"})
    profile = api.get("/api/profiles?page[size]=1")["data"][0]["id"]
    ahead = post(
        "POST",
        "/klaviyo/events",
        {"metric": "Opened Email", "profile": profile, "datetime": "2026-11-17T00:00:00Z", "message": message},
    )
    late = post(
        "POST",
        "/klaviyo/events",
        {
            "metric": "Placed Order",
            "profile": profile,
            "datetime": "2026-11-13T00:00:00Z",
            "visible_at": "2026-11-16T00:00:00Z",
            "properties": {"$value": 12.5},
        },
    )
    placed = post("POST", "/shops/aurora/orders", {"price": "40.00", "email": "new.person@mail.example"})
    for client in (api.client, start(**settings)):
        api = Klaviyo(client)
        now = campaigns(api)[message, next(key[1] for key in before if key[0] == message)]
        assert now["conversions"] == figures["conversions"] + 2
        assert now["conversion_value"] == pytest.approx(figures["conversion_value"] + 31.5)
        series = flows(api)
        assert series[flow_message, day]["conversions"] == flow_before[flow_message, day]["conversions"] - 1
        assert gone not in series
        renamed = api.get(f"/api/campaigns/{campaign}")["data"]["attributes"]
        assert (renamed["name"], renamed["updated_at"]) == ("renamed", "2026-11-15T12:00:00+00:00")
        assert "Other1" in {one["id"] for one in api.every("/api/metrics")}
        newest = "/api/events?page[size]=1000&filter=greater-or-equal(datetime,2026-11-13T00:00:00Z)"
        shown = {one["id"]: one for one in api.every(newest)}
        assert shown[ahead["id"]]["attributes"]["datetime"] == "2026-11-17T00:00:00+00:00"
        assert late["id"] not in shown
        orders = [one["attributes"]["event_properties"].get("OrderId") for one in shown.values()]
        assert orders.count(placed["id"]) == 1
    api.client.admin("POST", "/clock", {"advance_seconds": int(timedelta(hours=12).total_seconds())})
    assert api.get(f"/api/events/{late['id']}")["data"]["attributes"]["event_properties"] == {"$value": 12.5}
