"""Klaviyo as plain requests see it: what it shows and refuses. `klaviyo_reader` holds each answer against OpenAPI."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.business.email import EmailMarketing
from sandbox.business.merchants import AURORA
from sandbox.clock import parse_instant
from sandbox.klaviyo.filters import Condition, parsed
from tests.sandbox.conftest import NOW
from tests.sandbox.klaviyo_openapi import complaints
from tests.sandbox.klaviyo_reader import KEY, PLACED_ORDER, ZONE, Klaviyo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sandbox.conftest import Client

EMAILS = "/api/campaigns?filter=equals(messages.channel,'email')"
VALUES, FLOW_VALUES, SERIES = "/api/campaign-values-reports", "/api/flow-values-reports", "/api/flow-series-reports"
DAYS = {"start": "2026-11-01T00:00:00", "end": "2026-11-08T00:00:00"}
ASKED: dict[str, Any] = {"statistics": ["opens"], "timeframe": DAYS, "conversion_metric_id": PLACED_ORDER}
AGGREGATE: dict[str, Any] = {
    "metric_id": PLACED_ORDER,
    "measurements": ["count", "sum_value", "unique"],
    "filter": ["greater-or-equal(datetime,2026-10-19T00:00:00)", "less-than(datetime,2026-11-16T00:00:00)"],
    "timezone": "America/New_York",
}


@pytest.fixture(scope="module")
def api(sandbox: Client) -> Iterator[Klaviyo]:
    """The world that nobody changes, with room for many requests a minute."""
    sandbox.admin("DELETE", "/klaviyo/limits")
    for group in ("accounts", "campaigns", "metrics", "flows", "event", "aggregates", "reports"):
        sandbox.admin("POST", f"/klaviyo/limits/{group}", {"burst": 1000, "steady": 1000, "daily": 1000})
    yield Klaviyo(sandbox)
    sandbox.admin("DELETE", "/klaviyo/limits")


@pytest.fixture
def own(start: Callable[..., Client]) -> Klaviyo:
    """A world of one's own, asked as often as one likes."""
    return Klaviyo(start(klaviyo_rate=1000))


def admin(api: Klaviyo, method: str, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
    return api.client.admin(method, f"/klaviyo/{path}", body, status)


def test_the_document_complains_about_what_it_does_not_name(api: Klaviyo) -> None:
    answer = api.get("/api/accounts/")
    assert complaints("GET", "/api/accounts", 200, answer) == []
    answer["data"][0]["attributes"]["plan"] = "free"
    assert complaints("GET", "/api/accounts", 200, answer) != []
    events = api.get("/api/events?page[size]=1")
    events["data"][0]["attributes"]["datetime"] = None
    assert complaints("GET", "/api/events", 200, events) == []
    events["data"][0]["relationships"]["metric"]["data"]["id"] = 7
    assert complaints("GET", "/api/events", 200, events) != []


def test_the_account_and_its_metrics(api: Klaviyo) -> None:
    account = api.get("/api/accounts")["data"][0]["attributes"]
    assert (account["timezone"], account["preferred_currency"]) == ("America/New_York", "USD")
    metrics = {one["attributes"]["name"]: one for one in api.every("/api/metrics")}
    assert metrics["Placed Order"]["id"] == PLACED_ORDER
    shopify = api.every("/api/metrics?filter=equals(integration.name,'Shopify')")
    assert {one["attributes"]["name"] for one in shopify} == {"Placed Order", "Viewed Product"}


def test_campaigns_of_each_channel_archived_ones_only_when_asked_for(api: Klaviyo) -> None:
    found = {
        (channel, archived): api.every(
            f"/api/campaigns?filter=equals(messages.channel,'{channel}'),equals(archived,{archived})"
        )
        for channel in ("email", "sms", "mobile_push")
        for archived in ("true", "false")
    }
    assert [len(found[key]) for key in sorted(found)] == [10, 1, 1, 0, 2, 0]
    assert api.every(EMAILS) == found["email", "false"]
    by_status = Counter(one["attributes"]["status"] for one in api.every(EMAILS))
    assert by_status == {"Sent": 7, "Scheduled": 1, "Draft": 1, "Cancelled": 1}
    draft = next(one["attributes"] for one in api.every(EMAILS) if one["attributes"]["status"] == "Draft")
    assert (draft["send_time"], draft["scheduled_at"]) == (None, None)
    days = [one["attributes"]["send_time"] for one in api.every(EMAILS) if one["attributes"]["send_time"]]
    assert {parse_instant(day).astimezone(ZONE).weekday() for day in days} == {1, 4}


def test_lists_are_filtered_sorted_paged_and_thinned(api: Klaviyo) -> None:
    whole = api.every("/api/profiles?page[size]=100&sort=-updated")
    assert len(whole) > 100
    assert api.every("/api/profiles?page[size]=37&sort=-updated") == whole
    updated = [one["attributes"]["updated"] for one in whole]
    assert updated == sorted(updated, reverse=True)
    bound = updated[50]
    newer = api.every(f"/api/profiles?page[size]=100&filter=greater-than(updated,{bound.replace('+00:00', 'Z')})")
    assert {one["id"] for one in newer} == {one["id"] for one in whole if one["attributes"]["updated"] > bound}
    one = api.get(
        f"/api/profiles/{whole[0]['id']}?fields[profile]=email,created&additional-fields[profile]=subscriptions"
    )
    assert set(one["data"]["attributes"]) == {"email", "created"}
    flows = api.every("/api/flows")
    assert [one["attributes"]["name"] for one in api.every("/api/flows?filter=contains(name,'cart')")] == [
        "Abandoned Cart"
    ]
    assert api.get(f"/api/flows/{flows[0]['id']}/")["data"] == flows[0]
    campaign = api.get(EMAILS + "&include=campaign-messages&page[size]=1")
    assert campaign["included"][0]["id"] == campaign["data"][0]["relationships"]["campaign-messages"]["data"][0]["id"]
    assert api.get(f"/api/campaigns/{campaign['data'][0]['id']}")["data"] == campaign["data"][0]


def test_profiles_are_the_shops_people(api: Klaviyo) -> None:
    profiles = api.every("/api/profiles?page[size]=100")
    emails = {one["attributes"]["email"] for one in profiles}
    assert len(emails) == len(profiles)
    known = {one["attributes"]["external_id"]: one["attributes"] for one in profiles}
    query = "{ customers(first: 100) { nodes { legacyResourceId defaultEmailAddress { emailAddress } } } }"
    customers = [one for one in api.client.ask(query)["customers"]["nodes"] if int(one["legacyResourceId"]) < 6_650e9]
    assert len(customers) > 30
    for customer in customers:
        assert known[customer["legacyResourceId"]]["email"] == customer["defaultEmailAddress"]["emailAddress"]
    assert any(one["attributes"]["external_id"] is None for one in profiles)


def test_events_are_the_visible_part_of_the_truth_page_by_page(api: Klaviyo) -> None:
    truth = admin(api, "GET", "events")
    now = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    visible = {one["id"] for one in truth if one["visible_at"] <= now}
    events = api.every("/api/events?page[size]=1000")
    assert [one["id"] for one in events] == list(dict.fromkeys(one["id"] for one in events))
    assert {one["id"] for one in events} == visible
    times = [one["attributes"]["timestamp"] for one in events]
    assert times == sorted(times)
    assert [one["id"] for one in api.every("/api/events?page[size]=777&sort=-datetime")] == [
        one["id"] for one in reversed(events)
    ]
    clicked = [one for one in truth if one["metric"] == "Clicked Email" and one["id"] in visible]
    low, high = clicked[3]["datetime"], clicked[40]["datetime"]
    path = f"/api/events?filter=and(equals(metric_id,'{clicked[0]['metric_id']}'),greater-or-equal(datetime,{low}))"
    assert len(api.every(path)) == len([one for one in clicked if one["datetime"] >= low])
    both = api.every(path[:-1] + f",less-than(datetime,{high}))&page[size]=7")
    assert [one["id"] for one in both] == [one["id"] for one in clicked if low <= one["datetime"] < high]
    person = clicked[0]["profile"]
    theirs = api.every(f"/api/events?filter=equals(profile_id,'{person}')")
    assert {one["id"] for one in theirs} == {one["id"] for one in truth if one["profile"] == person} & visible
    told = api.get(f"/api/events/{clicked[0]['id']}?include=metric,profile")
    assert [one["id"] for one in told["included"]] == [clicked[0]["metric_id"], person]


def test_3_percent_come_late_and_a_few_are_ahead_of_their_time(api: Klaviyo) -> None:
    truth = admin(api, "GET", "events")
    lag = [parse_instant(one["visible_at"]) - parse_instant(one["datetime"]) for one in truth]
    late, ahead = [one for one in lag if one > timedelta()], [one for one in lag if one < timedelta()]
    assert 0.02 < len(late) / len(lag) < 0.04
    assert timedelta(days=3) < max(late) <= timedelta(days=4)
    assert 0 < len(ahead) < 0.02 * len(lag)
    assert min(ahead) >= timedelta(days=-2)


def test_orders_and_the_clicks_before_their_visits(api: Klaviyo) -> None:
    """What a journey in the shop says about Klaviyo, Klaviyo's events say as well."""
    truth = admin(api, "GET", "events")
    now = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    clicks: dict[tuple[str, str], list[str]] = {}
    for one in truth:
        clicks.setdefault((one["profile"], one["metric"]), []).append(one["datetime"])
    visited = 0
    for event in [one for one in truth if one["order"] and one["datetime"] <= now][::3]:
        order = api.client.admin("GET", f"/truth/aurora/orders/{event['order']}")
        assert event["datetime"] == order["created_at"]
        assert event["cancelled_at"] is None or order["cancelled"] == (event["cancelled_at"] <= now)
        for visit in order["visits"]:
            if visit["source"] == "klaviyo" and visit["occurred_at"] > "2026-10-20":
                visited += 1
                at = parse_instant(visit["occurred_at"])
                metric = {"email": "Clicked Email", "sms": "Clicked SMS"}[visit["medium"]]
                before = [at - parse_instant(click) for click in clicks[event["profile"], metric]]
                assert any(timedelta() <= one <= timedelta(minutes=1) for one in before)
    assert visited > 30


def test_at_most_25_000_events_in_90_days_however_often_they_are_asked_for() -> None:
    at_once, bit_by_bit = (EmailMarketing(AURORA, 7, (NOW - timedelta(days=90)).date()) for _ in range(2))
    at_once.advance(NOW, [])
    for days in range(90, -1, -15):
        bit_by_bit.advance(NOW - timedelta(days=days), [])
    told = at_once.between("")
    assert 15_000 < sum(one.visible_at <= NOW for one in told) <= 25_000
    assert len({one.id for one in told}) == len(told)
    assert [(one.id, one.key, one.visible_at) for one in told] == [
        (one.id, one.key, one.visible_at) for one in bit_by_bit.between("")
    ]


@pytest.mark.parametrize(
    ("path", "status", "source"),
    [
        ("/api/campaigns", 400, "filter"),
        ("/api/campaigns?filter=equals(archived,true)", 400, "filter"),
        (EMAILS.replace("email", "post"), 400, "filter"),
        (EMAILS + ",equals(colour,'red')", 400, "filter"),
        (EMAILS + ",contains(status,'Sent')", 400, "filter"),
        (EMAILS + ",equals(archived,'true')", 400, "filter"),
        (EMAILS + ",greater-than(updated_at,yesterday)", 400, "filter"),
        (EMAILS + ",greater-than(updated_at,'2026-11-01T00:00:00Z')", 400, "filter"),
        (EMAILS + ",greater-than(updated_at,2026-11-01T00:00:00+00:00)", 400, "filter"),
        (EMAILS + ",", 400, "filter"),
        (EMAILS + ")", 400, "filter"),
        (EMAILS + "&page[size]=101", 400, "page[size]"),
        (EMAILS + "&sort=send_time", 400, "sort"),
        (EMAILS + "&page[cursor]=nothing", 400, "page[cursor]"),
        (EMAILS + "&include=flows", 400, "include"),
        ("/api/events?page[size]=1001", 400, "page[size]"),
        ("/api/events?page[size]=0", 400, "page[size]"),
        ("/api/events?filter=equals(metric,'x')", 400, "filter"),
        ("/api/profiles?page[size]=101", 400, "page[size]"),
        ("/api/profiles?filter=greater-or-equal(updated,2026-11-01T00:00:00Z)", 400, "filter"),
        ("/api/flows?page[size]=51", 400, "page[size]"),
        ("/api/metrics?page[size]=10", 400, "page[size]"),
        ("/api/campaigns/nobody", 404, None),
        ("/api/flows/nobody", 404, None),
        ("/api/profiles/nobody", 404, None),
        ("/api/events/nobody", 404, None),
    ],
)
def test_it_refuses_what_is_asked_wrongly(api: Klaviyo, path: str, status: int, source: str | None) -> None:
    answer = api.send("GET", path)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["source"].get("parameter") == source


@pytest.mark.parametrize(
    ("path", "asked", "status", "pointer"),
    [
        (VALUES, {**ASKED, "statistics": ["opens", "smiles"]}, 400, "statistics/1"),
        (VALUES, {**ASKED, "statistics": []}, 400, "statistics"),
        (VALUES, {**ASKED, "group_by": ["campaign_id", "campaign_message_id", "flow_id"]}, 400, "group_by/2"),
        (VALUES, {**ASKED, "group_by": ["campaign_id"]}, 400, "group_by"),
        (VALUES, {**ASKED, "conversion_metric_id": "nobody"}, 404, "conversion_metric_id"),
        (VALUES, {**ASKED, "timeframe": {"start": "2025-11-01", "end": "2026-11-03"}}, 400, "timeframe"),
        (VALUES, {**ASKED, "timeframe": {"start": "2026-11-03", "end": "2026-11-03"}}, 400, "timeframe"),
        (VALUES, {**ASKED, "timeframe": {"start": "today", "end": "2026-11-03"}}, 400, "timeframe"),
        (VALUES, {**ASKED, "timeframe": {"key": "last_decade"}}, 400, "timeframe"),
        (VALUES, {**ASKED, "filter": "greater-than(campaign_id,'a')"}, 400, "filter"),
        (VALUES, {**ASKED, "filter": "equals(flow_id,'a')"}, 400, "filter"),
        (VALUES, {**ASKED, "interval": "daily"}, 400, "interval"),
        (VALUES, {"statistics": ["opens"]}, 400, "timeframe"),
        (FLOW_VALUES, {**ASKED, "group_by": ["flow_id", "campaign_id"]}, 400, "group_by/1"),
        (SERIES, ASKED, 400, "interval"),
        (SERIES, {**ASKED, "interval": "yearly"}, 400, "interval"),
        (
            SERIES,
            {**ASKED, "interval": "daily", "timeframe": {"start": "2026-09-01", "end": "2026-11-01"}},
            400,
            "timeframe",
        ),
        (SERIES, {**ASKED, "interval": "hourly", "timeframe": {"key": "last_30_days"}}, 400, "timeframe"),
        ("/api/metric-aggregates", {**AGGREGATE, "measurements": ["mean"]}, 400, "measurements/0"),
        ("/api/metric-aggregates", {**AGGREGATE, "by": ["colour"]}, 400, "by/0"),
        ("/api/metric-aggregates", {**AGGREGATE, "metric_id": "nobody"}, 404, "metric_id"),
        ("/api/metric-aggregates", {**AGGREGATE, "timezone": "Albany"}, 400, "timezone"),
        ("/api/metric-aggregates", {**AGGREGATE, "interval": "minute"}, 400, "interval"),
        ("/api/metric-aggregates", {**AGGREGATE, "filter": ["less-than(datetime,2026-11-16)"]}, 400, "filter"),
        (
            "/api/metric-aggregates",
            {**AGGREGATE, "filter": ["greater-or-equal(datetime,2025-11-01)", "less-than(datetime,2026-11-16)"]},
            400,
            "filter",
        ),
    ],
)
def test_it_refuses_reports(api: Klaviyo, path: str, asked: dict[str, Any], status: int, pointer: str) -> None:
    answer = api.post(path, asked)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["source"] == {"pointer": f"/data/attributes/{pointer}"}


def test_it_refuses_a_series_of_more_than_60_days_and_takes_60(api: Klaviyo) -> None:
    most = {**ASKED, "interval": "daily", "timeframe": {"start": "2026-09-16", "end": "2026-11-15"}}
    answer = api.post(SERIES, most)
    assert len(answer.json()["data"]["attributes"]["date_times"]) == 60
    most["timeframe"] = {"start": "2026-09-15", "end": "2026-11-15"}
    assert api.post(SERIES, most).status_code == 400


def test_header_body_and_method(api: Klaviyo) -> None:
    for changes, status in (
        ({"revision": None}, 400),
        ({"revision": "2020-01-01"}, 400),
        ({"authorization": None}, 401),
        ({"authorization": "Klaviyo-API-Key pk_other"}, 401),
        ({"authorization": f"Bearer {KEY}"}, 401),
    ):
        assert api.send("GET", "/api/metrics", **changes).status_code == status
    assert api.post(VALUES, ASKED, content_type="application/json").status_code == 415
    assert api.send("POST", VALUES, "{").status_code == 400
    assert api.send("POST", VALUES, {"data": {"type": "flow-values-report", "attributes": ASKED}}).status_code == 400
    wrong = api.client.session.get(
        f"{api.url}{VALUES}", headers={"authorization": f"Klaviyo-API-Key {KEY}"}, timeout=20
    )
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (405, "method_not_allowed")


def test_the_key_may_be_revoked_and_lose_scopes(own: Klaviyo) -> None:
    admin(own, "POST", "key", {"revoked": True})
    assert own.send("GET", "/api/metrics").status_code == 401
    admin(own, "POST", "key", {"scopes": ["metrics:read"]})
    assert own.send("GET", "/api/metrics").status_code == 200
    refused = own.send("GET", "/api/accounts")
    assert (refused.status_code, "accounts:read" in refused.text) == (403, True)
    admin(own, "POST", "key", {})
    assert own.send("GET", "/api/accounts").status_code == 200


def test_answers_are_dated_by_the_worlds_clock(own: Klaviyo) -> None:
    assert own.send("GET", "/api/metrics").headers["date"] == "Sun, 15 Nov 2026 12:00:00 GMT"
    own.client.admin("POST", "/clock", {"advance_seconds": 60})
    assert own.send("GET", "/api/flows/x").headers["date"] == "Sun, 15 Nov 2026 12:01:00 GMT"


def test_windows_of_a_second_a_minute_and_a_day(own: Klaviyo) -> None:
    told = own.post(VALUES, ASKED).headers
    assert told["RateLimit-Limit"] == "225, 1000;w=1, 2000;w=60, 225;w=86400"
    assert told["RateLimit-Remaining"] == "224"
    for window, at_most in (("burst", 1), ("steady", 60), ("daily", 12 * 3600)):
        admin(own, "DELETE", "limits")
        admin(own, "POST", "limits/reports", {"burst": 9, "steady": 9, "daily": 9} | {window: 2})
        for path in (VALUES, FLOW_VALUES):
            assert own.post(path, ASKED).status_code == 200
        refused = own.post(SERIES, {**ASKED, "interval": "daily"})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (429, "throttled")
        assert 1 <= int(refused.headers["Retry-After"]) <= at_most
        assert own.send("GET", "/api/flows").status_code == 200
    own.client.admin("POST", "/clock", {"advance_seconds": 12 * 3600})
    assert own.post(VALUES, ASKED).status_code == 200


def test_an_exhausted_day_may_keep_silent_about_its_end(own: Klaviyo) -> None:
    admin(own, "POST", "limits/reports/exhaust", {"retry_after": False})
    refused = own.post(VALUES, ASKED)
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, False)
    admin(own, "POST", "limits/reports/exhaust", {})
    assert own.post(VALUES, ASKED).headers["Retry-After"] == str(12 * 3600)
    admin(own, "POST", "limits/flows/exhaust", {"window": "daily"}, 400)
    admin(own, "POST", "limits/nothing/exhaust", {}, 404)


def test_the_vendors_own_rates_unless_told_otherwise(fresh: Client) -> None:
    limits = fresh.admin("GET", "/klaviyo/limits")
    assert {name: one["limit"] for name, one in limits["reports"].items()} == {"burst": 1, "steady": 2, "daily": 225}
    assert {name: one["limit"] for name, one in limits["events"].items()} == {"burst": 350, "steady": 3500}


scalars = st.one_of(
    st.text(st.characters(codec="ascii", exclude_characters="\\'\"\x00"), max_size=12).map(
        lambda text: (f"'{text}'", text)
    ),
    st.integers().map(lambda number: (str(number), str(number))),
    st.datetimes().map(lambda at: (at.isoformat(), at.isoformat())),
)
written = st.tuples(
    st.sampled_from(["equals", "any", "greater-than", "contains-any"]),
    st.from_regex(r"[a-z_$][a-z_.]{0,12}", fullmatch=True),
    st.one_of(scalars, st.lists(scalars, min_size=1, max_size=3)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(written, min_size=1, max_size=4), st.booleans())
def test_filters_are_read_as_they_are_written(wanted: list[Any], joined: bool) -> None:
    texts, conditions = [], []
    for operator, field, value in wanted:
        several = isinstance(value, list)
        text = "[" + ",".join(one for one, _ in value) + "]" if several else value[0]
        texts.append(f"{operator}({field},{text})")
        conditions.append(Condition(operator, field, [own for _, own in value] if several else value[1]))
    whole = ",".join(texts)
    assert parsed(f"and({whole})" if joined else whole) == conditions


@settings(max_examples=60, deadline=None)
@given(st.text("aeq(),'[]", min_size=1, max_size=12))
def test_a_filter_that_is_none_is_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert all(isinstance(one, Condition) for one in parsed(text))
