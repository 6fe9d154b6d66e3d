"""Last click over real records: every way to tell where a buyer came from, and every edge of who gets the credit."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dbt import ga4, klaviyo, shop, tiktok
from tests.dbt.conftest import make_scope
from tests.dbt.touches import click, person, visit
from tributary.paths import MART_CONTRACTS
from tributary.quality.gate import verify
from tributary.warehouse.settings.files import REFERRERS, TRAFFIC_SOURCES, load_rows
from tributary.warehouse.settings.tables import apply_rows

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.dbt.conftest import Dbt, Rows
    from tests.dbt.tiktok import Payload, Row

CONFIG = Path(__file__).parents[2] / "include" / "config"
AT = datetime(2026, 9, 10, 12, tzinfo=UTC)
"""When orders are placed, unless it matters."""
MINUTE, HOUR, DAY = 60, 3_600, 86_400
DIRECT = "None direct/none direct"


class Came(NamedTuple):
    """A visit so many seconds before its order."""

    ago: int
    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    page: str = ""
    referrer: str | None = None


def ads(ago: int) -> Came:
    return Came(ago, "google", "cpc", page="?utm_source=google&gclid=x")


# What led to an order, and which visit gets the credit, as what.
VISITS: dict[str, tuple[list[Came], str]] = {
    "no visit": ([], DIRECT),
    "a single click": ([ads(HOUR)], "v0 google/cpc google_ads"),
    "the latest of several": (
        [ads(3 * HOUR), Came(HOUR, "facebook", "paid_social"), Came(2 * HOUR, "klaviyo", "email")],
        "v1 facebook/paid_social meta_ads",
    ),
    "eight days old": ([ads(8 * DAY)], DIRECT),
    "exactly 168 hours old": ([ads(168 * HOUR)], "v0 google/cpc google_ads"),
    "one second older": ([ads(168 * HOUR + 1)], DIRECT),
    "in the order's second": ([ads(0)], "v0 google/cpc google_ads"),
    "one second after the order": ([ads(-1)], DIRECT),
    "organic after paid": (
        [ads(2 * HOUR), Came(HOUR, referrer="https://www.google.com/")],
        "v1 google/organic organic_search",
    ),
    "direct after paid": ([ads(2 * HOUR), Came(HOUR)], "v0 google/cpc google_ads"),
    "tagged as direct after paid": ([ads(2 * HOUR), Came(HOUR, "Direct", "none")], "v0 google/cpc google_ads"),
    "from the shop's own pages after paid": (
        [ads(2 * HOUR), Came(HOUR, referrer="https://checkout.aurora.example/cart")],
        "v0 google/cpc google_ads",
    ),
    "one direct visit": ([Came(HOUR)], DIRECT),
    "a tie": ([Came(HOUR), Came(HOUR, "bing", "cpc"), ads(HOUR)], "v1 bing/cpc microsoft_ads"),
    "no medium, but a click id": ([Came(HOUR, "g", page="?gclid=x")], "v0 google/cpc google_ads"),
    "no medium, but a referrer": (
        [Came(HOUR, "g", referrer="https://www.google.de/url?q=a")],
        "v0 google/organic organic_search",
    ),
    "no medium, and nothing else": ([Came(HOUR, "g")], DIRECT),
    "a blank medium": ([Came(HOUR, "g", " ")], DIRECT),
    "gclid alone": ([Came(HOUR, page="?a=b&gclid=x")], "v0 google/cpc google_ads"),
    "gbraid alone": ([Came(HOUR, page="?GBRAID=x")], "v0 google/cpc google_ads"),
    "wbraid alone": ([Came(HOUR, page="?wbraid=x#top")], "v0 google/cpc google_ads"),
    "msclkid alone": ([Came(HOUR, page="?msclkid=x")], "v0 bing/cpc microsoft_ads"),
    "ttclid alone": ([Came(HOUR, page="?ttclid=x", referrer="https://tiktok.com/")], "v0 tiktok/cpc tiktok_ads"),
    "fbclid alone": ([Came(HOUR, page="?fbclid=x")], "v0 facebook/social organic_social"),
    "fbclid beside a paid one": ([Came(HOUR, page="?fbclid=x&gclid=y")], "v0 google/cpc google_ads"),
    "an empty click id": ([Came(HOUR, page="?gclid=&b=c")], DIRECT),
    "tags before a click id": ([Came(HOUR, "klaviyo", "email", page="?gclid=x")], "v0 klaviyo/email email"),
    "own domain": ([Came(HOUR, referrer="https://aurora.example")], DIRECT),
    "a domain that ends alike": (
        [Came(HOUR, referrer="https://user@NotAurora.example:8080/")],
        "v0 notaurora.example/referral referral",
    ),
    "the longest known domain": ([Came(HOUR, referrer="https://mail.google.com/mail/u/0")], "v0 gmail/email email"),
    "an app": ([Came(HOUR, referrer="android-app://com.facebook.katana/")], "v0 facebook/social organic_social"),
    "an unknown domain": ([Came(HOUR, referrer="http://www.blog.example/a")], "v0 blog.example/referral referral"),
    "upper case and blanks": ([Came(HOUR, " Google", "CPC\n")], "v0 google/cpc google_ads"),
    "not in the list": ([Came(HOUR, "flyer", "paper")], "v0 flyer/paper other"),
    "an address in a tag": (
        [Came(HOUR, "ann@example.com", "email", "for ann%40example.com")],
        "v0 [contact]/email email for [contact] malformed",
    ),
    "encoded": (
        [Came(HOUR, "Face%62ook", "paid%5Fsocial", "Fr%C3%BChling%20%252")],
        "v0 facebook/paid_social meta_ads frühling %2 malformed",
    ),
    "encoded twice": ([Came(HOUR, "a%2520b", "x")], "v0 a%20b/x other malformed"),
    "bytes that are no text": ([Came(HOUR, "%FF%00", "email")], "v0 %ff%00/email email malformed"),
    "a template": ([Came(HOUR, "fb", "cpc", "{{campaign.name}}")], "v0 fb/cpc meta_ads {{campaign.name}} malformed"),
    "TikTok's template": (
        [Came(HOUR, "tiktok", "cpc", "__CAMPAIGN_NAME__")],
        "v0 tiktok/cpc tiktok_ads __campaign_name__ malformed",
    ),
    "a blank in the source": ([Came(HOUR, "my shop", "email")], "v0 my shop/email email malformed"),
    "a blank in the campaign": ([Came(HOUR, "klaviyo", "email", "Big Sale")], "v0 klaviyo/email email big sale"),
}
NUMBERS = {story: number for number, story in enumerate(VISITS, 1_000)}
COPY, ORIGINAL = 3_001, "T1"


def sold(order_id: int, *, before: int = 0, at: datetime = AT, **who: Any) -> Payload:
    """An order of 20.00, so many seconds before `at`."""
    placed = (at - timedelta(seconds=before)).isoformat()
    return shop.order(order_id, placed, shop.line(order_id * 10, "20.00"), total="20.00", **who)


def ago(seconds: int, at: datetime = AT) -> datetime:
    return at - timedelta(seconds=seconds)


NIGHT = datetime(2026, 11, 4, 12, tzinfo=UTC)
"""The clocks of New York went back within the week before it."""
ORDERS = [
    # A guest, then their account: a journey of both; the visit of a later order counts as well.
    sold(2_001, before=2 * DAY, email="ann@example.com"),
    sold(2_002, customer=1, email="Ann@Example.com"),
    sold(2_003, before=-DAY, customer=1),
    # Klaviyo's clicks, by the shop's id, by the e-mail of a guest and of an account, and in vain.
    sold(2_101, customer=2),
    sold(2_102, email="guest@example.com"),
    sold(2_103, customer=3, email="cat@example.com"),
    sold(2_104, customer=4, email="x@scs.tiktokw.us"),
    sold(2_105, customer=5),
    sold(2_106, customer=6),
    sold(2_107, customer=7),
    # GA4
    sold(2_201, customer=8),
    sold(2_202),
    sold(2_203),
    sold(2_204),
    # The night the clocks go back.
    sold(2_301, at=NIGHT),
    sold(2_302, at=NIGHT),
    # What does not count is nobody's.
    sold(2_401, status="PENDING"),
]
# Connectors' copies: of the second the original is here.
COPIES = [
    sold(COPY, customer=9) | {"tags": ["TikTokOrderID:T9"]},
    sold(3_002) | {"tags": [f"TikTokOrderID:{ORIGINAL}"]},
]
TOUCHES = [
    visit(2_001, "a", ago(3 * DAY), "google", "cpc"),
    visit(2_002, "b", ago(MINUTE)),
    visit(2_003, "c", ago(HOUR), "newsletter", "email"),
    visit(2_003, "d", ago(-HOUR), "bing", "cpc"),
    person("P2", customer=2, email="nobody@example.com"),
    click("k1", "P2", ago(HOUR), **{"Campaign Name": "Autumn Sale"}),
    person("P0", email="guest@example.com"),
    click("k2", "P0", ago(HOUR), metric="Clicked SMS", **{"$flow": "F1"}),
    # Known by an id that is not the shop's.
    person("P3", customer="crm-77", email=" CAT@example.com"),
    click("k3", "P3", ago(168 * HOUR)),
    click("k4", "P3", ago(168 * HOUR + 1)),
    click("k5", "P3", ago(-1)),
    klaviyo.event("k6", "Opened Email", "P3"),
    person("P4", email="x@scs.tiktokw.us"),
    click("k7", "P4", ago(HOUR)),
    # The click and the visit that it led to; and the visit in the click's own second.
    person("P5", customer=5),
    click("k8", "P5", ago(HOUR)),
    visit(2_105, "e", ago(HOUR - 20), "klaviyo", "email", "autumn"),
    person("P6", customer=6),
    click("k9", "P6", ago(HOUR)),
    visit(2_106, "f", ago(HOUR), "klaviyo", "email", "autumn"),
    # A click whose visit came after the order.
    person("P7", customer=7),
    click("k10", "P7", ago(MINUTE)),
    visit(2_107, "g", ago(-MINUTE), "klaviyo", "email"),
    visit(2_201, "h", ago(7 * DAY), "facebook", "paid_social"),
    visit(COPY, "i", ago(HOUR), "google", "cpc"),
    visit(2_301, "j", ago(168 * HOUR, NIGHT), "google", "cpc"),
    visit(2_302, "k", ago(168 * HOUR + 1, NIGHT), "google", "cpc"),
    visit(2_401, "l", ago(HOUR), "google", "cpc"),
]
EXPECTED = {
    "2001": "shopify/2001/a google/cpc google_ads last_click",
    "2002": "shopify/2003/c newsletter/email email last_click",
    "2003": "shopify/2003/d bing/cpc microsoft_ads last_click",
    "2101": "klaviyo/k1 klaviyo/email email last_click autumn sale",
    "2102": "klaviyo/k2 klaviyo/sms sms last_click f1",
    "2103": "klaviyo/k3 klaviyo/email email last_click",
    "2104": f"{DIRECT} direct",
    "2105": "shopify/2105/e klaviyo/email email last_click autumn",
    "2106": "shopify/2106/f klaviyo/email email last_click autumn",
    "2107": "klaviyo/k10 klaviyo/email email last_click",
    "2201": "shopify/2201/h facebook/paid_social meta_ads last_click",
    "2202": "ga4/2202 google/organic organic_search ga4_session",
    "2203": f"{DIRECT} direct",
    "2204": "ga4/2204 bing/cpc microsoft_ads ga4_session first",
    "2301": "shopify/2301/j google/cpc google_ads last_click",
    "2302": f"{DIRECT} direct",
    str(COPY): f"shopify/{COPY} tiktok_shop/native tiktok_shop native",
    ORIGINAL: "tiktok_shop/T1 tiktok_shop/native tiktok_shop native",
}


class Crowd(NamedTuple):
    """Orders and visits on a grid of half days, so that many are at the same time or at an end of the window."""

    orders: dict[int, tuple[int | None, datetime]]
    """Each with its customer, if it names one."""
    visits: list[tuple[int, str, datetime, bool]]
    """Order, id, time, and whether it is direct."""

    @classmethod
    def drawn(cls, seed: int) -> Crowd:
        chance = random.Random(seed)

        def moment() -> datetime:
            return AT + timedelta(hours=12 * chance.randrange(60))

        orders = {number: (chance.choice([None, *range(100, 110)]), moment()) for number in range(5_000, 5_200)}
        visits = [(chance.choice([*orders]), f"w{number}", moment(), chance.random() < 0.4) for number in range(400)]
        return cls(orders, visits)

    def credited(self, order_id: int) -> str | None:
        """The touch that gets the credit, by trying all."""
        customer, at = self.orders[order_id]
        found = [
            (at - visited, f"shopify/{of}/{visit_id}")
            for of, visit_id, visited, is_direct in self.visits
            if not is_direct
            and timedelta(0) <= at - visited <= timedelta(hours=168)
            and (of == order_id or (customer is not None and self.orders[of][0] == customer))
        ]
        return min(found)[1] if found else None


CROWD = Crowd.drawn(7)


def told(order_id: str, day: str, *came: str) -> Row:
    """A transaction of GA4, and the session that it happened in."""
    names = ("transactionId", "sessionSource", "sessionMedium", "sessionCampaignName")
    dimensions = dict(zip(names, (order_id, *came), strict=True))
    return ga4.other("transactions", day, dimensions, ecommercePurchases="1", purchaseRevenue="20")


@pytest.fixture(scope="module")
def world(conn: Connection, dbt: Dbt) -> list[Payload]:
    """All of it at aurora, and the same buyers without a touch at nordlicht; with the settings of the repository."""
    for file in (TRAFFIC_SOURCES, REFERRERS):
        apply_rows(conn, file, load_rows(CONFIG, file, []))
    conn.execute("update ops.merchants set domains = '{aurora.example}' where merchant_id = 'aurora'")
    orders = [*ORDERS, *(sold(number, customer=number) for number in NUMBERS.values())]
    shop.load(conn, "aurora", *orders, *COPIES)
    shop.load(conn, "nordlicht", *orders)
    visits = [
        visit(
            NUMBERS[story],
            f"v{number}",
            ago(came.ago),
            came.source,
            came.medium,
            came.campaign,
            page=f"https://aurora.example/p{came.page}",
            referrer=came.referrer,
        )
        for story, (all_that_came, _) in VISITS.items()
        for number, came in enumerate(all_that_came)
    ]
    sessions = [
        told("2201", "2026-09-10", "google", "cpc", "x"),
        told("2202", "2026-09-10", "google", "organic", ""),
        told("2203", "2026-09-10", "(direct)", "(none)", "(not set)"),
        told("2204", "2026-09-11", "a", "cpc", "second"),
        told("2204", "2026-09-10", "bing", "cpc", "first"),
        told("2204", "2026-09-10", "", "cpc", "unknown"),
    ]
    sale = tiktok.order(ORIGINAL, "2026-09-10T12:00:00", tiktok.unit("11", "40.00"))
    tiktok.load(conn, "aurora", *visits, *TOUCHES, *sessions, sale)
    shop.load(conn, "withtax", *(sold(number, at=at, customer=one) for number, (one, at) in CROWD.orders.items()))
    tiktok.load(
        conn,
        "withtax",
        *(visit(of, key, at, *(() if is_direct else ("bing", "cpc"))) for of, key, at, is_direct in CROWD.visits),
    )
    # Links name their merchants: clicks, people and sessions of one are nothing to the other.
    tiktok.load(conn, "nordlicht", person("P9", customer=2), click("k1", "P2", ago(HOUR)))
    assert dbt("run", "--select", "+fct_attributed_orders").success
    held = dbt("test", "--select", "fct_attributed_orders,test_type:generic", "--indirect-selection", "cautious")
    assert held.success
    assert len(held.result) >= 3
    # Without the constraints of the build schema, so that every check can be shown what it must catch.
    conn.execute("create schema gated")
    for mart in ("fct_orders", "fct_attributed_orders"):
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
    assert found == EXPECTED


@pytest.mark.usefixtures("world")
def test_a_crowd_is_credited_as_by_trying_all(rows: Rows) -> None:
    found = {order_id: row["touchpoint_id"] for order_id, row in credited(rows, "withtax").items()}
    assert found == {str(order_id): CROWD.credited(order_id) for order_id in CROWD.orders}
    assert 20 < sum(touch is None for touch in found.values()) < 160
    assert sum(f"/{order_id}/" not in (touch or "") for order_id, touch in found.items() if touch) > 20


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
    found = verify(conn, [MART_CONTRACTS / "fct_attributed_orders.yml"], parameters)
    assert len(found) >= 5
    return {(one.outcome, one.check) for one in found if one.outcome != "passed"}


UNKNOWN_SOURCES = ("warned", "Every credited source is in the list of traffic sources")
CREDITED = "update gated.fct_attributed_orders set"


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("damage", "objection"),
    [
        (f"{CREDITED} occurred_at = ordered_at + interval '1 s' where order_id = '2001'", "before it"),
        (f"{CREDITED} attributed_revenue = 19.99 where order_id = '2001'", "revenue"),
        ("delete from gated.fct_attributed_orders where order_id = '2301'", "revenue"),
        (f"{CREDITED} campaign = 'for +4915112345678' where order_id = '2001'", "e-mail"),
        ("insert into gated.fct_attributed_orders select * from gated.fct_attributed_orders limit 1", "twice"),
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
    days = ("2026-09-10", "2026-09-11", "2026-11-04")
    make_scope(conn, "backfill_1", days)
    assert dbt("run", "--select", "+fct_attributed_orders", build_schema="backfill_1").success
    of_scope = "select * from backfill_1.fct_attributed_orders"
    of_everything = (
        "select facts.* from build.fct_attributed_orders as facts join backfill_1.scope using (merchant_id, date_day)"
    )
    assert len(rows(of_scope)) > 100
    for one_way, other_way in ((of_scope, of_everything), (of_everything, of_scope)):
        assert rows(f"({one_way}) except all ({other_way})") == []
