"""GA4 and Klaviyo in the marts: every figure computed a second time, what is final, and no address of a person."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.dbt import ga4
from tests.dbt.ga4 import report, total, visits
from tests.dbt.klaviyo import account_day, campaign, event, flow, thing
from tests.dbt.tiktok import load
from tributary.channels import CHANNELS
from tributary.channels.ga4.streams import GA4
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.declaration import Page, Record
from tributary.warehouse.scope import open_build
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows
    from tests.dbt.tiktok import Row
    from tributary.declaration import Channel

ZONES = {"aurora": "America/New_York", "nordlicht": "Europe/Berlin", "withtax": "Asia/Tokyo"}
MODELS = "+fct_website_sessions +fct_email_campaigns +path:models/staging/ga4 +path:models/staging/klaviyo"
INTERMEDIATE = "int_ga4__channel_daily int_ga4__funnel int_ga4__funnel_days int_klaviyo__channel_daily"
ONE_DAY = timedelta(days=1)
FIRST, DAYS = date(2026, 3, 1), 12  # clocks change in New York on the 8th
PAGES = ["/", "/sale", "", "(not set)", "/u/ann@example.com", "/u/bob%40example.com?x=1", "/u/cy%2540example.com"]


def days(many: int = DAYS) -> list[str]:
    return [str(FIRST + timedelta(days=number)) for number in range(many)]


def website(seed: int, zone: str) -> list[Row]:
    """A property's days, of which one has no rows at all and one lacks the report on itself."""
    chance = random.Random(seed)
    rows = []
    for day in days():
        flags: dict[str, object] = {
            name: value
            for name, value in (
                ("dataLossFromOtherRow", True),
                ("subjectToThresholding", True),
                ("samplingMetadatas", [{"samplesReadCount": "7", "samplingSpaceSize": "9"}]),
            )
            if chance.random() < 0.3
        }
        rows += [report("days", day, zone=zone), report("sessions", day, zone=zone, **flags)]
        if day == days()[4]:
            continue
        rows.append(total(day, chance.randrange(99)))
        seen = set()
        for _ in range(25):
            came = (chance.choice(["google", "", "x@y.example.com"]), chance.choice(["cpc", ""]), chance.choice("ab"))
            page = chance.choice(PAGES)
            if (*came, page) in seen:
                continue
            seen.add((*came, page))
            rows.append(
                visits(
                    day,
                    chance.randrange(50),
                    *came,
                    page=page,
                    engaged=chance.randrange(20),
                    users=chance.randrange(30),
                    new_users=chance.randrange(10),
                    key_events=chance.choice(["0", "2", "1.5"]),
                    orders=chance.randrange(4),
                    value=chance.choice(["0", "12.345", "1.5E2"]),
                )
            )
    return [row for row in rows if row[:2] != ("ga4_sessions", days()[6])]


def email(seed: int, zone: str) -> list[Row]:
    """An account that sends at any hour, in each of its channels, and whose flows work each day."""
    chance = random.Random(seed)
    begun = datetime.combine(FIRST, time(), UTC)
    rows = [account_day(day) for day in days() if day != days()[9]]

    def told() -> dict[str, float | None]:
        recipients = chance.choice([0, 40, 1000])
        delivered = recipients - chance.randrange(4) if recipients else 0
        return {
            "recipients": float(recipients),
            "delivered": delivered,
            "opens": chance.randrange(900),
            "opens_unique": chance.choice([0, 7, None]),
            "clicks": chance.randrange(90),
            "clicks_unique": chance.randrange(7),
            "conversions": chance.randrange(30),
            "conversion_uniques": chance.randrange(20),
            "conversion_value": chance.choice([0, 12.5, 99.75]),
            "unsubscribes": 3,
            "unsubscribe_uniques": chance.randrange(3),
            "bounced": recipients - delivered,
            "spam_complaints": 1,
        }

    for number in range(40):
        at = begun + timedelta(minutes=chance.randrange(DAYS * 24 * 60))
        channel = chance.choice(["email", "sms", "push-notification"])
        rows.append(campaign(f"m{number}", f"{at:%Y-%m-%dT%H:%M:%S}", channel=channel, zone=zone, **told()))
    for day in days():
        for number in range(3):
            rows.append(flow(f"w{number}", day, name=f"Mail {number} to ann@example.com", zone=zone, **told()))
    return rows


WORLD = {
    "aurora": [*website(1, ZONES["aurora"]), *email(1, ZONES["aurora"])],
    "nordlicht": [*website(2, "Europe/London"), *email(2, "Europe/London")],
    "withtax": [*website(3, ZONES["withtax"]), *email(3, ZONES["withtax"])],
}
"""The second one's property and account are in another time zone than the merchant."""
OTHERS = [
    *(report(name, FIRST.isoformat(), emptyReason="none yet") for name in ("transactions", "ad_cost")),
    report("funnel_events", FIRST.isoformat()),
    ga4.other(
        "funnel_events",
        FIRST.isoformat(),
        {"eventName": "add_to_cart", "sessionSource": "", "sessionMedium": "cpc", "sessionCampaignName": "ann@x.com"},
        eventCount="7",
        totalUsers="5",
    ),
    ga4.other(
        "transactions",
        FIRST.isoformat(),
        {"transactionId": "1001", "sessionSource": "google", "sessionMedium": "cpc", "sessionCampaignName": "a"},
        ecommercePurchases="1",
        purchaseRevenue="10.5",
    ),
    ga4.other(
        "ad_cost",
        FIRST.isoformat(),
        {"sessionSource": "google", "sessionMedium": "cpc", "sessionCampaignName": "a"},
        advertiserAdCost="3.25",
        advertiserAdClicks="4",
        advertiserAdImpressions="90",
    ),
    thing("metrics", "M", name="Placed Order", integration={"name": "Shopify"}),
    thing("flows", "F", name="Welcome ann@example.com", status="live", archived=False),
    thing("profiles", "P1", email=" Ann@Example.com", phone_number="+12025550123"),
    thing("profiles", "P2", email="7@scs.tiktokw.us"),
    thing("profiles", "P3", email=None),
    event("e1", "Clicked Email", "P1", URL="https://x.example/u/ann%40example.com", **{"$message": "m1"}),
    event("e2", "Placed Order", "P1", **{"$value": 12.5, "$flow": "F"}),
    event("e3", "Placed Order", "P2", **{"$value": "much"}),
]
CAMPAIGN = {"name": "Sale", "status": "Draft", "archived": True, "created_at": "2026-03-01T10:00:00+00:00"}


@pytest.fixture(scope="module")
def built(conn: Connection, dbt: Dbt) -> Connection:
    """Three merchants' websites and mails, built, with dbt's tests passed."""
    for merchant_id, told in WORLD.items():
        load(conn, merchant_id, *told)
    _, of_campaign, at, body = thing("campaigns", "C", **CAMPAIGN)
    listed = ("klaviyo_campaigns", of_campaign, at, {"channel": "mobile_push", "campaign": body})
    load(conn, "aurora", *OTHERS, listed)
    result = dbt("build", "--select", *MODELS.split(), *INTERMEDIATE.split())
    assert result.success, [r.message for r in result.result if r.status not in ("success", "pass")]
    assert sum(r.node.resource_type == "unit_test" for r in result.result) >= 6
    return conn


# The same a second time, from what was planted, by other means.


def named(text: str) -> str:
    if re.search(r"(@|%40|%2540)\w+\.\w", text):
        return "[contact]"
    return text or "(not set)"


def is_final(days_told: set[date], day: date, later: int) -> bool:
    return day + timedelta(days=later) in days_told


def share(part: Any, whole: Any, places: str = "0.000001") -> Decimal | None:
    if part is None or not whole:
        return None
    return (Decimal(str(part)) / Decimal(str(whole))).quantize(Decimal(places), ROUND_HALF_UP)


def cents(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def expected_sessions(merchant_id: str) -> list[dict[str, Any]]:
    told = WORLD[merchant_id]
    read = {at.date() for table, _, at, body in told if table == "ga4_days" and "report" in body}
    reports = {
        at: body["report"]["metadata"] for table, _, at, body in told if table == "ga4_sessions" if "report" in body
    }
    together: dict[Any, list[dict[str, str]]] = defaultdict(list)
    for table, _, at, body in told:
        if table == "ga4_sessions" and "row" in body:
            row = body["row"]
            came = [row[name] for name in ("sessionSource", "sessionMedium", "sessionCampaignName", "landingPage")]
            together[at, *map(named, came)].append(row)
    found = []
    for (at, *came), rows in together.items():
        metadata = reports.get(at)

        def flag(name: str, metadata: Any = metadata) -> bool | None:
            return None if metadata is None else bool(metadata.get(name))

        found.append(
            {
                # Noon UTC is on the same date from New York to Tokyo.
                "date_day": at.date(),
                **dict(zip(("source", "medium", "campaign", "landing_page"), came, strict=True)),
                "sessions": sum(int(row["sessions"]) for row in rows),
                "engaged_sessions": sum(int(row["engagedSessions"]) for row in rows),
                "users": int(rows[0]["totalUsers"]) if len(rows) == 1 else None,
                "new_users": int(rows[0]["newUsers"]) if len(rows) == 1 else None,
                "key_events": sum(Decimal(row["keyEvents"]) for row in rows),
                "orders": sum(int(row["ecommercePurchases"]) for row in rows),
                "claimed_value": cents(sum(Decimal(row["purchaseRevenue"]) for row in rows)),
                "currency": None if metadata is None else "USD",
                "is_final": is_final(read, at.date(), 5),
                "is_thresholded": flag("subjectToThresholding"),
                "is_sampled": flag("samplingMetadatas"),
                "has_data_loss": flag("dataLossFromOtherRow"),
                "is_merchant_day": None if metadata is None else metadata["timeZone"] == ZONES[merchant_id],
                "measured_at": at,
            }
        )
    return found


def expected_messages(merchant_id: str) -> list[dict[str, Any]]:
    told = WORLD[merchant_id]
    read = {at.date() for table, _, at, _ in told if table == "klaviyo_days"}
    found = []
    for table, _, at, body in told:
        if table not in ("klaviyo_campaign_values", "klaviyo_flow_values"):
            continue
        kind = "campaign" if table == "klaviyo_campaign_values" else "flow"
        groupings, counted = body["row"]["groupings"], dict(body["row"]["statistics"])
        day = at.astimezone(ZoneInfo(ZONES[merchant_id])).date()
        channel = groupings["send_channel"].removesuffix("-notification")
        if channel == "sms":
            counted["opens"] = counted["opens_unique"] = None
        delivered = counted["delivered"]
        found.append(
            {
                "date_day": day,
                "kind": kind,
                "channel": channel,
                "message_id": groupings[f"{kind}_message_id"],
                "campaign_or_flow_id": groupings[f"{kind}_id"],
                "recipients": counted["recipients"],
                "delivered": delivered,
                "opens": counted["opens"],
                "unique_opens": counted["opens_unique"],
                "clicks": counted["clicks"],
                "unique_clicks": counted["clicks_unique"],
                "conversions": counted["conversions"],
                "unique_conversions": counted["conversion_uniques"],
                "claimed_value": cents(counted["conversion_value"]),
                "unsubscribes": counted["unsubscribes"],
                "unique_unsubscribes": counted["unsubscribe_uniques"],
                "bounces": counted["bounced"],
                "spam_complaints": counted["spam_complaints"],
                "open_rate": share(counted["opens_unique"], delivered),
                "click_rate": share(counted["clicks_unique"], delivered),
                "click_to_open_rate": share(counted["clicks_unique"], counted["opens_unique"]),
                "conversion_rate": share(counted["conversion_uniques"], delivered),
                "unsubscribe_rate": share(counted["unsubscribe_uniques"], delivered),
                "value_per_recipient": share(counted["conversion_value"], delivered, "0.01"),
                "currency": "USD",
                "sent_at": at if kind == "campaign" else None,
                "is_final": is_final(read, day, 6),
                "is_merchant_day": body["time_zone"] == ZONES[merchant_id],
            }
        )
    return found


def as_set(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((tuple(sorted(row.items())) for row in found), key=repr)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("merchant_id", ZONES)
def test_every_visit_equals_an_independent_computation(rows: Rows, merchant_id: str) -> None:
    expected = expected_sessions(merchant_id)
    assert len(expected) > 150
    columns = ", ".join(expected[0])
    found = rows(f"select {columns} from build.fct_website_sessions where merchant_id = %s", merchant_id)
    assert as_set(found) == as_set(expected)
    # It says something only if everything that can be is there.
    for name in ("users", "is_final", "is_thresholded", "is_sampled", "has_data_loss", "is_merchant_day"):
        assert len({row[name] for row in expected}) > 1, name


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("merchant_id", ZONES)
def test_every_message_equals_an_independent_computation(rows: Rows, merchant_id: str) -> None:
    expected = expected_messages(merchant_id)
    columns = ", ".join(expected[0])
    found = rows(f"select {columns} from build.fct_email_campaigns where merchant_id = %s", merchant_id)
    assert as_set(found) == as_set(expected)
    assert {(row["kind"], row["is_final"]) for row in expected} == {
        (kind, final) for kind in ("campaign", "flow") for final in (True, False)
    }
    assert {row["open_rate"] is None for row in expected if row["channel"] == "email"} == {True, False}


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("merchant_id", ZONES)
def test_every_channels_day_equals_an_independent_computation(rows: Rows, merchant_id: str) -> None:
    visited: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in expected_sessions(merchant_id):
        visited[row["measured_at"]].append(row)
    expected = []
    for table, _, at, body in WORLD[merchant_id]:
        if table == "ga4_days" and "row" in body:
            of_day = visited[at]
            amounts = [
                Decimal(told["row"]["purchaseRevenue"])
                for table, _, then, told in WORLD[merchant_id]
                if table == "ga4_sessions" and then == at and "row" in told
            ]
            expected.append(
                (
                    "website",
                    of_day[0]["currency"],
                    None,
                    sum(row["engaged_sessions"] for row in of_day),
                    int(body["row"]["sessions"]),
                    sum(row["orders"] for row in of_day),
                    sum(amounts),
                    of_day[0]["is_final"],
                    at,
                )
            )
    sent: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in expected_messages(merchant_id):
        sent[row["date_day"], row["channel"]].append(row)
    for (day, channel), messages in sent.items():
        if str(day) in days() and str(day) != days()[9]:
            opens = [row["opens"] for row in messages]
            expected.append(
                (
                    channel,
                    "USD",
                    sum(row["delivered"] for row in messages),
                    None if channel == "sms" else sum(opens),
                    sum(row["clicks"] for row in messages),
                    sum(row["conversions"] for row in messages),
                    sum(row["claimed_value"] for row in messages),
                    messages[0]["is_final"],
                    datetime.combine(day, time(12), UTC),
                )
            )
    columns = "channel, currency, impressions, engagements, clicks, orders, claimed_value, is_final, measured_at"
    found = [
        *rows(f"select {columns} from intermediate.int_ga4__channel_daily where merchant_id = %s", merchant_id),
        *rows(f"select {columns} from intermediate.int_klaviyo__channel_daily where merchant_id = %s", merchant_id),
    ]
    told = [tuple(row.values()) for row in found]
    assert sorted(told, key=repr) == sorted(expected, key=repr)


@pytest.mark.usefixtures("built")
def test_no_address_of_a_person_reaches_a_mart(rows: Rows) -> None:
    assert rows("select 1 from raw.ga4_sessions where payload::text ~ '@|%%40'")
    for mart in ("fct_website_sessions", "fct_email_campaigns"):
        assert rows(f"select 1 from build.{mart} as facts where facts::text like '%%[contact]%%'"), mart
        assert rows(f"select 1 from build.{mart} as facts where facts::text ~* '@|%%40|example'") == [], mart


@pytest.mark.usefixtures("built")
def test_the_other_reports_are_typed(rows: Rows) -> None:
    def staged(table: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values())[3:-2] for row in rows(f"select * from staging.stg_ga4__{table}")]

    assert staged("funnel_events") == [("add_to_cart", "(not set)", "cpc", "[contact]", 7, 5)]
    assert staged("transactions") == [("1001", "google", "cpc", "a", 1, Decimal("10.5"))]
    assert staged("ad_cost") == [("google", "cpc", "a", 90, 4, Decimal("3.25"))]
    assert rows(
        "select report, row_count, empty_reason from staging.stg_ga4__reports where empty_reason is not null"
    ) == [
        {"report": "transactions", "row_count": 1, "empty_reason": "none yet"},
        {"report": "ad_cost", "row_count": 1, "empty_reason": "none yet"},
    ]


@pytest.mark.usefixtures("built")
def test_people_are_known_by_an_address_alone(rows: Rows) -> None:
    people = rows("select email from staging.stg_klaviyo__profiles order by profile_id")
    assert [row["email"] for row in people] == ["ann@example.com", None, None]
    for table in ("events", "flows", "campaigns"):
        assert rows(f"select 1 from staging.stg_klaviyo__{table}"), table
        assert rows(f"select 1 from staging.stg_klaviyo__{table} as t where t::text ~* '@|%%40|example.com|2025'") == []


@pytest.mark.usefixtures("built")
def test_what_klaviyo_lists_is_typed(rows: Rows) -> None:
    def staged(table: str, columns: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in rows(f"select {columns} from staging.stg_klaviyo__{table} order by 1")]

    assert staged("metrics", "metric_id, metric_name, integration_name") == [("M", "Placed Order", "Shopify")]
    assert staged("flows", "flow_id, flow_name, status, is_archived") == [("F", "Welcome [contact]", "live", False)]
    assert staged("campaigns", "campaign_id, channel, campaign_name, status, is_archived, created_at, sent_at") == [
        ("C", "push", "Sale", "Draft", True, datetime(2026, 3, 1, 10, tzinfo=UTC), None)
    ]
    assert staged("events", "event_id, metric_name, metric_id, profile_id, message_id, flow_id, url, event_value") == [
        ("e1", "Clicked Email", "M", "P1", "m1", None, "[contact]", None),
        ("e2", "Placed Order", "M", "P1", None, "F", None, Decimal("12.5")),
        ("e3", "Placed Order", "M", "P2", None, None, None, None),
    ]


def explain(conn: Connection, query: str) -> str:
    return str(conn.execute(f"explain {query}").fetchall())  # type: ignore[arg-type]


def test_a_merchants_day_is_read_by_index(built: Connection) -> None:
    """Through every view, and from each of the tables whose times a mart shows."""
    built.execute("set local enable_seqscan = off")
    read = {
        "int_ga4__sessions": {"ga4_sessions_by_event", "ga4_sessions_pkey", "ga4_days_by_event"},
        "int_ga4__channel_daily": {"ga4_sessions_by_event", "ga4_sessions_pkey", "ga4_days_by_event"},
        "int_ga4__funnel": {"ga4_sessions_by_event", "ga4_funnel_events_by_event"},
        "int_ga4__funnel_days": {"ga4_sessions_by_event", "ga4_funnel_events_by_event", "ga4_days_by_event"},
        "int_klaviyo__messages": {
            "klaviyo_campaign_values_by_event",
            "klaviyo_flow_values_by_event",
            "klaviyo_days_by_event",
        },
        "int_klaviyo__channel_daily": {
            "klaviyo_campaign_values_by_event",
            "klaviyo_flow_values_by_event",
            "klaviyo_days_by_event",
        },
    }
    for model, indexes in read.items():
        plan = explain(
            built,
            "select found.* from (select starts_at, starts_at + interval '1 day' as ends_at "
            "from (values ('2026-03-02 05:00+00'::timestamptz)) as days (starts_at)) as days "
            f"inner join lateral (select * from intermediate.{model} as candidates "
            "where merchant_id = 'aurora' and measured_at >= days.starts_at and measured_at < days.ends_at offset 0) "
            "as found on true",
        )
        for table in ("ga4", "klaviyo"):
            assert f"Seq Scan on {table}" not in plan, plan
        for index in indexes:
            assert index in plan, plan
    built.rollback()


def synced(built: Connection, channel: Channel, stream: str, merchant_id: str, *shown: Row) -> None:
    """A day of the stream as the vendor shows it now; what it showed before and does not any more is gone."""
    records = [Record(record_id, at, at, json.dumps(body).encode()) for _, record_id, at, body in shown]
    start = datetime.combine(records[0].event_at.date(), time(), UTC)
    declared = replace(
        channel.stream(stream), changed=lambda api, start, end: iter([Page(records)]), history=None, look_back=ONE_DAY
    )
    url = built.info.dsn + f" password={built.info.password}"
    sync_stream(lambda: psycopg.connect(url), None, channel, declared, merchant_id, start + ONE_DAY, start)


def test_only_the_days_that_changed_are_built(built: Connection, dbt: Dbt, rows: Rows) -> None:
    """A restated day is; and the day that another one's arrival makes final, at that merchant alone."""
    restated, sent = days()[1], next(at for table, _, at, _ in WORLD["nordlicht"] if table == "klaviyo_campaign_values")
    built.execute("delete from ops.changes")
    built.commit()
    synced(
        built,
        GA4,
        "sessions",
        "aurora",
        report("sessions", restated, dataLossFromOtherRow=True),
        visits(restated, 77, "restated", "cpc", "a", users=5),
    )
    synced(built, GA4, "days", "withtax", report("days", str(FIRST + timedelta(days=DAYS))))
    synced(built, KLAVIYO, "days", "aurora", account_day(days()[9]))
    synced(built, KLAVIYO, "campaign_values", "nordlicht", campaign("new", f"{sent:%Y-%m-%dT%H:%M:%S}", delivered=4))
    local = sent.astimezone(ZoneInfo(ZONES["nordlicht"])).date()
    build = open_build(built, "restated", CHANNELS)
    built.commit()
    assert build is not None
    scope = {(row["merchant_id"], row["date_day"]) for row in rows("select * from restated.scope")}
    assert scope >= {
        ("aurora", FIRST + timedelta(days=1)),
        ("withtax", FIRST + timedelta(days=DAYS)),
        ("withtax", FIRST + timedelta(days=DAYS - 5)),
        ("aurora", FIRST + timedelta(days=9)),
        ("aurora", FIRST + timedelta(days=3)),
        ("nordlicht", local),
    }
    # A day of sendings in UTC is part of two days in Berlin.
    assert {day for merchant_id, day in scope if merchant_id == "nordlicht"} <= {
        local,
        local + ONE_DAY,
        local - ONE_DAY,
    }
    assert {merchant_id for merchant_id, _ in scope} == set(ZONES)
    assert len([day for merchant_id, day in scope if merchant_id != "nordlicht"]) == 5

    assert dbt("run", "--select", *MODELS.split(), build_schema="restated").success
    told = rows("select * from restated.fct_website_sessions where merchant_id = 'aurora' and date_day = %s", restated)
    assert [(row["source"], row["sessions"], row["users"], row["has_data_loss"]) for row in told] == [
        ("restated", 77, 5, True)
    ]
    flipped = rows(
        """
        select 'website' as mart, merchant_id, date_day, before.is_final as before, after.is_final as after
        from build.fct_website_sessions as before
        join restated.fct_website_sessions as after using (merchant_id, date_day, segment_id)
        union
        select 'email', merchant_id, date_day, before.is_final, after.is_final
        from build.fct_email_campaigns as before
        join restated.fct_email_campaigns as after using (merchant_id, date_day, kind, channel, message_id)
        order by 1, 2, 3
        """
    )
    changed = [(row["mart"], row["merchant_id"], row["date_day"]) for row in flipped if row["before"] != row["after"]]
    assert changed == [
        ("email", "aurora", FIRST + timedelta(days=3)),
        ("website", "withtax", FIRST + timedelta(days=DAYS - 5)),
    ]
    for mart in ("fct_website_sessions", "fct_email_campaigns"):
        outside = "except select merchant_id, date_day from restated.scope"
        assert rows(f"select 1 from restated.{mart}")
        assert rows(f"(select merchant_id, date_day from restated.{mart}) {outside}") == []
