"""Ad spend in the mart: every figure computed a second time, what is final, converted, and built anew."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.dbt.ads import account, gmv_max, google, meta, rates, read, tiktok
from tests.dbt.tiktok import load
from tributary.channels import CHANNELS
from tributary.channels.fx.streams import FX
from tributary.channels.google_ads.streams import GOOGLE_ADS
from tributary.channels.meta_ads.streams import META_ADS
from tributary.channels.tiktok_ads.streams import TIKTOK_ADS
from tributary.declaration import Page, Record
from tributary.paths import MART_CONTRACTS
from tributary.quality.gate import verify
from tributary.warehouse.scope import open_build
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows
    from tests.dbt.tiktok import Row
    from tributary.declaration import Channel
    from tributary.quality.finding import Finding

ZONES = {"aurora": "America/New_York", "nordlicht": "Europe/Berlin", "withtax": "Asia/Tokyo"}
CURRENCIES = {"aurora": "USD", "nordlicht": "EUR", "withtax": "USD"}
MODELS = [
    "+fct_ad_spend",
    "spend_day_over_day",
    *(f"path:models/staging/{name}" for name in ("meta_ads", "google_ads", "tiktok_ads", "fx")),
]
ONE_DAY = timedelta(days=1)
FIRST, DAYS = date(2026, 2, 20), 32  # clocks change in New York on 8 March
UNREAD = str(FIRST + timedelta(days=29))
"""No account was read on this day, so that two days of before are not final."""
STREAMS = {
    f"{channel.name}_{stream.name}": (channel, stream)
    for channel in (META_ADS, GOOGLE_ADS, TIKTOK_ADS)
    for stream in channel.streams
}
PURCHASES = (
    {},
    {"purchase": "2"},
    {"omni_purchase": "5"},
    {"purchase": "2", "omni_purchase": "5"},
    {"purchase": "3", "omni_purchase": "0"},
)


def days(many: int = DAYS) -> list[str]:
    return [str(FIRST + timedelta(days=number)) for number in range(many)]


def spent(seed: int, currency: str, zone: str) -> list[Row]:
    """Accounts of all platforms; every day but one was read, on some nothing ran."""
    chance = random.Random(seed)
    own, other = account("101", currency, zone), account("102", "CAD", "America/Vancouver", name="Ask ann@example.com")
    search, reels = account("111", "EUR", "Europe/Berlin"), account("711", "USD", zone)
    rows = []
    for day in days():
        if day != UNREAD:
            rows += [read("meta_ads_campaign_days", day, of) for of in (own, other)]
            rows += [read("google_ads_campaign_days", day, search), read("tiktok_ads_campaign_days", day, reels)]
            rows += [read("tiktok_ads_gmv_max_days", day, reels)] if day != days()[28] else []
        for number in range(3):
            name = chance.choice(["Spring", "To +12025550123", "Sale"])
            amount = f"{chance.randrange(-900, 9000) / 100}"
            claimed = chance.choice(PURCHASES)
            values = {kind: f"{int(many) * 10.25}" for kind, many in claimed.items()}
            ran = [
                meta(day, own, f"1{number}", amount, name=name, purchases=claimed, values=values),
                meta(day, other, f"2{number}", amount, name=name, objective=""),
                google(day, search, f"3{number}", chance.randrange(10**9), conversions=1.25, value=33.333333),
                tiktok(day, reels, f"4{number}", amount, name=name, orders=chance.choice("-3"), value="7.10"),
                gmv_max(day, reels, f"5{number}", amount, name=name, orders="2", value=chance.choice(["-", "15.5"])),
            ]
            rows += [row for row in ran if chance.random() < 0.8]
    return rows


def quoted(seed: int) -> list[Row]:
    """Rates of every day; of week-ends those of Friday."""
    chance = random.Random(seed)
    told, rows = {"USD": "1.0873", "CAD": "1.4963"}, []
    for day in days():
        on = date.fromisoformat(day)
        friday = on - timedelta(days=max(0, on.weekday() - 4))
        if friday == on:
            told = {"USD": f"1.{chance.randrange(9999):04}", "CAD": f"1.{chance.randrange(10**7):07}"}
        rows.append(rates(day, str(friday), **told))
    return rows


WORLD = {
    merchant_id: [*spent(seed, CURRENCIES[merchant_id], zone), *quoted(seed)]
    for seed, (merchant_id, zone) in enumerate(ZONES.items())
}


@pytest.fixture(scope="module")
def built(conn: Connection, dbt: Dbt) -> Connection:
    """Three merchants' ad accounts, built, with dbt's tests passed."""
    for merchant_id, told in WORLD.items():
        load(conn, merchant_id, *told)
    result = dbt("build", "--select", *MODELS)
    assert result.success, [(r.node.name, r.message) for r in result.result if r.status not in ("success", "pass")]
    assert sum(r.node.resource_type == "unit_test" for r in result.result) >= 9
    return conn


# The same a second time, from what was planted, by other means.


def rounded(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def figures(table: str, row: Any) -> dict[str, Any]:
    """What a row says, by the names of the mart."""

    def of(actions: str) -> Decimal:
        told = {action["action_type"]: action["value"] for action in row.get(actions, ())}
        return Decimal(told.get("omni_purchase", told.get("purchase", "0")))

    def figure(name: str) -> Decimal:
        return Decimal("0" if row["metrics"][name] == "-" else row["metrics"][name])

    if table == "meta_ads_campaign_days":
        return {
            "campaign_type": row["objective"].lower() or "(not set)",
            "account_spend": Decimal(row["spend"]),
            "claimed_conversions": of("actions"),
            "account_claimed_value": of("action_values"),
        }
    if table == "google_ads_campaign_days":
        return {
            "campaign_type": "search",
            "account_spend": Decimal(row["metrics"]["costMicros"]) / 10**6,
            "claimed_conversions": Decimal(str(row["metrics"]["conversions"])),
            "account_claimed_value": Decimal(str(row["metrics"]["conversionsValue"])),
        }
    is_gmv_max = table == "tiktok_ads_gmv_max_days"
    return {
        "campaign_type": "gmv_max" if is_gmv_max else "auction",
        "account_spend": figure("cost" if is_gmv_max else "spend"),
        "claimed_conversions": figure("orders" if is_gmv_max else "complete_payment"),
        "account_claimed_value": figure("gross_revenue" if is_gmv_max else "total_complete_payment_rate"),
    }


def expected(merchant_id: str) -> list[dict[str, Any]]:
    told = WORLD[merchant_id]
    was_read = {(table, record_id) for table, record_id, _, _ in told}
    quotations = {at: body for table, _, at, body in told if table == "fx_rates"}
    found = []
    for table, record_id, at, body in told:
        if table == "fx_rates" or "row" not in body:
            continue
        of, channel = body["account"], STREAMS[table][0].name
        final = at.date() + timedelta(days=30 if channel == "google_ads" else 28)
        units = {"EUR": "1", **quotations[at]["rates"]}
        is_same = of["currency"] == CURRENCIES[merchant_id]
        rate = Decimal(units[CURRENCIES[merchant_id]]) / Decimal(units[of["currency"]])
        told_of = figures(table, body["row"])
        in_row = {**body["row"], **body["row"].get("campaign", {}), **body["row"].get("metrics", {})}
        name = in_row.get("campaign_name", in_row.get("name", "")).replace("+12025550123", "[contact]")
        has_reach = told_of["campaign_type"] != "gmv_max"
        found.append(
            {
                # Noon UTC is on the same date from New York to Tokyo.
                "date_day": at.date(),
                "channel": channel,
                "account_id": of["id"],
                "account_name": of["name"].replace("ann@example.com", "[contact]"),
                "campaign_id": record_id.split("/")[2],
                "campaign_name": name,
                **told_of,
                "spend": rounded(told_of["account_spend"] * (1 if is_same else rate)),
                "claimed_value": rounded(told_of["account_claimed_value"] * (1 if is_same else rate)),
                "currency": CURRENCIES[merchant_id],
                "fx_rate": (Decimal(1) if is_same else rate).quantize(Decimal("1e-12"), ROUND_HALF_UP),
                "fx_quoted_on": None if is_same else date.fromisoformat(quotations[at]["quoted_on"]),
                "account_currency": of["currency"],
                "account_time_zone": of["time_zone"],
                "impressions": 100 if has_reach else None,
                "clicks": 3 if has_reach else None,
                "is_final": (table, f"{final}/{of['id']}") in was_read,
                "is_merchant_day": of["time_zone"] == ZONES[merchant_id],
                "measured_at": at,
            }
        )
    return found


def as_set(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((tuple(sorted(row.items())) for row in found), key=repr)


def normal(row: dict[str, Any]) -> dict[str, Any]:
    """Numbers without zeros at their end."""
    return {name: value.normalize() if isinstance(value, Decimal) else value for name, value in row.items()}


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("merchant_id", ZONES)
def test_every_campaigns_day_equals_an_independent_computation(rows: Rows, merchant_id: str) -> None:
    wanted = expected(merchant_id)
    assert len(wanted) > 300
    found = rows(f"select {', '.join(wanted[0])} from build.fct_ad_spend where merchant_id = %s", merchant_id)
    assert as_set([normal(row) for row in found]) == as_set([normal(row) for row in wanted])
    # It says something only if everything that can be is there.
    for name in ("is_final", "is_merchant_day", "fx_quoted_on", "account_currency", "campaign_type"):
        assert len({row[name] for row in wanted}) > 1, name
    assert {row["is_final"] for row in wanted if row["campaign_type"] == "gmv_max"} == {True, False}
    assert any(row["spend"] < 0 for row in wanted)


@pytest.mark.usefixtures("built")
def test_a_day_that_was_read_is_known_whatever_ran(rows: Rows) -> None:
    found = rows(
        "select report, count(*) as days from staging.stg_tiktok_ads__account_days "
        "where merchant_id = 'aurora' group by report"
    )
    assert {row["report"]: row["days"] for row in found} == {"campaign_days": DAYS - 1, "gmv_max_days": DAYS - 2}
    [shop] = rows(
        "select distinct account_name, account_currency, account_time_zone from staging.stg_meta_ads__account_days "
        "where merchant_id = 'aurora' and account_id = '102'"
    )
    assert shop == {
        "account_name": "Ask [contact]",
        "account_currency": "CAD",
        "account_time_zone": "America/Vancouver",
    }


def test_a_merchants_day_is_read_by_index(built: Connection) -> None:
    """Through every view, and from each of the tables whose times the mart shows."""
    built.execute("set local enable_seqscan = off")
    plan = str(
        built.execute(
            "explain select found.* from (select starts_at, starts_at + interval '1 day' as ends_at "
            "from (values ('2026-03-02 05:00+00'::timestamptz)) as days (starts_at)) as days "
            "inner join lateral (select * from intermediate.int_ad_spend as candidates "
            "where merchant_id = 'aurora' and measured_at >= days.starts_at and measured_at < days.ends_at offset 0) "
            "as found on true"
        ).fetchall()
    )
    built.rollback()
    for table in STREAMS:
        assert f"{table}_by_event" in plan, plan
        assert f"{table}_pkey" in plan, plan
        assert f"Seq Scan on {table}" not in plan, plan
    # Of so few rates either index is as good.
    assert "fx_rates_by_event" in plan or "fx_rates_pkey" in plan, plan
    assert "Seq Scan on fx_rates" not in plan, plan


def test_the_vendors_patience_is_the_declared_one() -> None:
    """What makes a day final in dbt is what the scope takes for it."""
    assert {name: stream.restated_for for name, (_, stream) in STREAMS.items()} == {
        name: timedelta(days=30 if name == "google_ads_campaign_days" else 28) for name in STREAMS
    }


def synced(built: Connection, channel: Channel, stream: str, merchant_id: str, day: str, *shown: Row) -> None:
    """A day of the stream as it is shown now; what was shown before and is not any more is gone."""
    records = [Record(record_id, at, at, json.dumps(body).encode()) for _, record_id, at, body in shown]
    start = datetime.combine(date.fromisoformat(day), time(), UTC)
    declared = replace(
        channel.stream(stream),
        changed=lambda api, start, end: iter([Page(records)]),
        by_id=lambda api, ids: iter([Page((), gone=ids)]),
        history=None,
        look_back=ONE_DAY,
    )
    url = built.info.dsn + f" password={built.info.password}"
    sync_stream(lambda: psycopg.connect(url), None, channel, declared, merchant_id, start + ONE_DAY, start)


def test_only_the_days_that_changed_are_built(built: Connection, dbt: Dbt, rows: Rows) -> None:
    """A restated day, one whose rate was corrected, and the day that another one's arrival makes final."""
    restated, corrected, withheld = days()[3], days()[5], days()[7]
    own, reels = account("101"), account("711")
    built.execute("delete from ops.changes")
    built.commit()
    synced(built, META_ADS, "campaign_days", "aurora", restated, meta(restated, own, "10", "77.00", name="Renamed"))
    synced(built, FX, "rates", "nordlicht", corrected, rates(corrected, USD="2", CAD="4"))
    synced(built, FX, "rates", "nordlicht", withheld)
    synced(built, TIKTOK_ADS, "campaign_days", "withtax", UNREAD, read("tiktok_ads_campaign_days", UNREAD, reels))
    build = open_build(built, "restated", CHANNELS)
    built.commit()
    assert build is not None
    scope = {(row["merchant_id"], str(row["date_day"])) for row in rows("select * from restated.scope")}
    # The account's own record of the restated day is gone too: what it made final is not any more.
    before = str(date.fromisoformat(restated) - timedelta(days=28))
    assert scope == {
        ("aurora", restated),
        ("aurora", before),
        ("nordlicht", corrected),
        ("nordlicht", withheld),
        ("withtax", UNREAD),
        ("withtax", days()[1]),
    }

    assert dbt("run", "--select", *MODELS, build_schema="restated").success
    told = rows("select * from restated.fct_ad_spend where merchant_id = 'aurora' and channel = 'meta_ads'")
    assert [(row["campaign_id"], row["campaign_name"], str(row["spend"])) for row in told] == [
        ("10", "Renamed", "77.000000")
    ]
    converted = rows(
        "select distinct date_day::text, account_currency, fx_rate::float, spend is null as has_none "
        "from restated.fct_ad_spend where merchant_id = 'nordlicht' order by 1, 2"
    )
    assert [tuple(row.values()) for row in converted] == [
        (corrected, "CAD", 0.25, False),
        (corrected, "EUR", 1.0, False),
        (corrected, "USD", 0.5, False),
        (withheld, "CAD", None, True),
        (withheld, "EUR", 1.0, False),
        (withheld, "USD", None, True),
    ]
    flipped = rows(
        """
        select distinct merchant_id, date_day, campaign_type, before.is_final as before, after.is_final as after
        from build.fct_ad_spend as before
        join restated.fct_ad_spend as after
            using (merchant_id, date_day, channel, account_id, campaign_id, campaign_type)
        where before.is_final <> after.is_final
        """
    )
    assert [(row["merchant_id"], str(row["date_day"]), row["campaign_type"], row["after"]) for row in flipped] == [
        ("withtax", days()[1], "auction", True)
    ]
    outside = "except select merchant_id, date_day from restated.scope"
    assert rows(f"(select merchant_id, date_day from restated.fct_ad_spend) {outside}") == []

    # What cannot be converted holds its merchant back, and says what is missing, where and why.
    def blocking(merchant_id: str) -> list[Finding]:
        found = verify(built, [MART_CONTRACTS / "fct_ad_spend.yml"], {"schema": "restated", "merchant_id": merchant_id})
        assert found
        return [finding for finding in found if finding.is_blocking]

    [missing] = blocking("nordlicht")
    assert missing.check == "Every ad account's currency has an exchange rate"
    assert [example["problem"] for example in missing.rows] == [
        "No exchange rate from CAD to EUR",
        "No exchange rate from USD to EUR",
    ]
    assert {(example["days"], example["first_day"], example["last_day"]) for example in missing.rows} == {
        ("1", withheld, withheld)
    }
    assert missing.rows[0]["channels"] == "meta_ads"
    assert missing.remedy is not None
    assert "fx: {connection: fx}" in missing.remedy
    assert "raw.fx_rates" in missing.remedy
    assert blocking("aurora") == blocking("withtax") == []
