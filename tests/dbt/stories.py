"""Who came how, and what led to their orders: the stories that last click and the ledger are told of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.dbt import ga4, klaviyo, shop
from tests.dbt.touches import click, person, visit

if TYPE_CHECKING:
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
    "on the next day": ([ads(-DAY)], DIRECT),
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
# What the ledger says of those of which it is not the one visit, kept or direct.
LEDGER = {
    "no visit": "",
    "the latest of several": "v0 click 1/3, v2 click 2/3, v1 click 3/3",
    "eight days old": "v0 too_old",
    "one second older": "v0 too_old",
    "one second after the order": "v0 after_order",
    "on the next day": "",
    "organic after paid": "v0 click 1/2, v1 click 2/2",
    "direct after paid": "v0 click 1/1, v1 direct",
    "tagged as direct after paid": "v0 click 1/1, v1 direct",
    "from the shop's own pages after paid": "v0 click 1/1, v1 direct",
    "a tie": "v0 direct, v1 click 2/2, v2 click 1/2",
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
    # One journey of two orders, which both tell of one visit.
    sold(2_501, before=HOUR, customer=10),
    sold(2_502, customer=10),
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
    visit(2_501, "m", ago(2 * HOUR), "google", "cpc"),
    visit(2_502, "m", ago(2 * HOUR), "google", "cpc"),
    visit(2_502, "n", ago(MINUTE), "bing", "cpc"),
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
    "2501": "shopify/2501/m google/cpc google_ads last_click",
    "2502": "shopify/2502/n bing/cpc microsoft_ads last_click",
    str(COPY): f"shopify/{COPY} tiktok_shop/native tiktok_shop native",
    ORIGINAL: "tiktok_shop/T1 tiktok_shop/native tiktok_shop native",
}
# What the ledger says of each of these.
LEDGER_OF_ORDERS = {
    "2001": "shopify/2001/a click 1/1",
    "2002": "shopify/2001/a click 1/2, shopify/2003/c click 2/2, shopify/2002/b direct, shopify/2003/d after_order",
    "2003": "shopify/2001/a click 1/3, shopify/2003/c click 2/3, shopify/2002/b direct, shopify/2003/d click 3/3",
    "2101": "klaviyo/k1 click 1/1",
    "2102": "klaviyo/k2 click 1/1",
    "2103": "klaviyo/k4 too_old, klaviyo/k3 click 1/1, klaviyo/k5 after_order",
    "2104": "",
    "2105": "klaviyo/k8 same_click as shopify/2105/e, shopify/2105/e click 1/1",
    "2106": "klaviyo/k9 same_click as shopify/2106/f, shopify/2106/f click 1/1",
    "2107": "klaviyo/k10 click 1/1, shopify/2107/g after_order",
    "2201": "shopify/2201/h click 1/1, ga4/2201 click_known",
    "2202": "ga4/2202 ga4_session 1/1",
    "2203": "",
    "2204": "ga4/2204 ga4_session 1/1",
    "2301": "shopify/2301/j click 1/1",
    "2302": "shopify/2302/k too_old",
    "2501": "shopify/2501/m click 1/1, shopify/2502/m same_visit as shopify/2501/m, shopify/2502/n after_order",
    "2502": "shopify/2501/m click 1/2, shopify/2502/m same_visit as shopify/2501/m, shopify/2502/n click 2/2",
    str(COPY): f"shopify/{COPY}/i native_sale, shopify/{COPY} native 1/1",
    ORIGINAL: "tiktok_shop/T1 native 1/1",
}


def told(order_id: str, day: str, *came: str) -> Row:
    """A transaction of GA4, and the session that it happened in."""
    names = ("transactionId", "sessionSource", "sessionMedium", "sessionCampaignName")
    dimensions = dict(zip(names, (order_id, *came), strict=True))
    return ga4.other("transactions", day, dimensions, ecommercePurchases="1", purchaseRevenue="20")


SESSIONS = [
    told("2201", "2026-09-10", "google", "cpc", "x"),
    told("2202", "2026-09-10", "google", "organic", ""),
    told("2203", "2026-09-10", "(direct)", "(none)", "(not set)"),
    told("2204", "2026-09-11", "a", "cpc", "second"),
    told("2204", "2026-09-10", "bing", "cpc", "first"),
    told("2204", "2026-09-10", "", "cpc", "unknown"),
]


def visits() -> list[Row]:
    """Those that led to the orders of VISITS, as the shop tells them."""
    return [
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
