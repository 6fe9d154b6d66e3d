"""Two tenants who share every name and number that a vendor may give, with amounts and days of their own.

Wherever a payload can carry what leads to a person, something does: every e-mail address, name and street is `planted`,
and there is one phone number. None of it may ever stand in a mart.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.dbt import ads, ga4, klaviyo, shop, tiktok, touches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from tests.dbt.tiktok import Payload, Row

TENANTS = {"aurora": ("USD", 1), "nordlicht": ("EUR", 2)}
"""Each with its currency and the seed of its figures."""
PHONE = "+491709900123"
TRACE = "planted|1709900123"
"""What all of it has in common, as a pattern of PostgreSQL."""
FIRST = date(2026, 10, 20)
DAYS = [str(FIRST + timedelta(days=number)) for number in range(20)]
ORDERS, SALES, PEOPLE = 80, 14, 16
REPORTS = [
    ("meta_ads", "campaign", 28),
    ("google_ads", "campaign", 30),
    ("tiktok_ads", "campaign", 28),
    ("tiktok_ads", "gmv_max", 28),
]
PERSON = {
    "firstName": "Planted Ann",
    "last_name": "Plantedson",
    "name": "Planted Ann Plantedson",
    "phone": PHONE,
    "phone_number": PHONE,
    "email": "ann.planted@planted.example",
    "address1": "9 Planted Street",
    "city": "Planted-on-Sea",
}


def email(person: int) -> str:
    """The address of somebody whom both tenants know."""
    return f"person{person}@planted.example"


def plant(conn: Connection, *merchants: str) -> None:
    """Put what these tenants' vendors told into raw."""
    for merchant_id in merchants:
        currency, seed = TENANTS[merchant_id]
        chance = random.Random(seed)
        orders = [
            _personal(order, seed, chance)
            for order in shop.business(seed, 1, ORDERS, taxes_included=False, currency=currency)
        ]
        shop.load(conn, merchant_id, *orders)
        for rows in (_catalogue, _sales, _videos, _website, _messages, _advertising):
            tiktok.load(conn, merchant_id, *rows(chance))
        tiktok.load(conn, merchant_id, *(row for order in orders for row in _visits(order, chance)))
        _plant_twins(conn, merchant_id)
        _set(conn, merchant_id, chance)


def _plant_twins(conn: Connection, merchant_id: str) -> None:
    """An order that is both tenants', after a click that is; a visit right after the click, which one alone saw."""
    at = tiktok.noon(DAYS[9])
    twin = shop.order(900, at.isoformat(), shop.line(9_000, "20.00"), total="20.00", customer=50)
    shop.load(conn, merchant_id, twin)
    clicked = touches.click("e900", "K50", at - timedelta(hours=2), metric="Clicked SMS")
    tiktok.load(conn, merchant_id, touches.person("K50", customer=50, email=email(50)), clicked)
    if merchant_id == "aurora":
        tiktok.load(conn, merchant_id, touches.visit(900, "v", at - timedelta(minutes=110), "flyer", "paper"))


def _free(text: str) -> str:
    """What a person may write into a text of their own."""
    return f"{text} ann.planted@planted.example bob.planted%40planted.example eve.planted%2540planted.example {PHONE}"


def _personal(order: Payload, seed: int, chance: random.Random) -> Payload:
    number = int(order["legacyResourceId"])
    for part in range(2):
        amount, at = (_price(chance), "SUCCESS"), _moment(chance).isoformat()
        order["refunds"].append({**shop.refund(100 * number + part, at, amount), "note": _free("Too small")})
    order["totalReceivedSet"] = shop.money(
        f"{float(order['totalPriceSet']['shopMoney']['amount']) + chance.randrange(50):.2f}"
    )
    for line in order["lineItems"]["nodes"]:
        line |= {"name": _free(line["name"]), "customAttributes": [{"key": "For", "value": PERSON["name"]}]}
        line["sku"] = f"SKU-{number % 7} ann.planted@planted.example" if number % 9 == 0 else f"SKU-{number % 7}"
    # Most customers have the same id in both shops.
    known = order["customer"] and int(order["customer"]["legacyResourceId"]) + seed
    who = {**PERSON, "legacyResourceId": str(known)} if known else None
    sold, person = f"T{number % SALES}", chance.randrange(PEOPLE)
    # Some were placed at the same moment in both shops, some by nobody who is known.
    is_anonymous = number % 6 == 0
    at = _moment(random.Random(number)).isoformat() if number % 2 == 0 else order["processedAt"]
    return order | {
        "processedAt": at,
        "name": _free(order["name"]),
        "email": None if is_anonymous else chance.choice([None, email(person), f" {email(person).upper()}"]),
        "customer": None if is_anonymous else who,
        "note": _free("Leave it at the door"),
        "billingAddress": PERSON,
        "shippingAddress": PERSON,
        "sourceName": "web",
        "discountCodes": [PERSON["email"]],
        "tags": [PERSON["email"], *([f"TikTokOrderID:{sold}"] if chance.random() < 0.1 else [])],
        "transactions": [
            {
                "status": "SUCCESS",
                "fees": [{"amount": {"amount": f"0.{chance.randrange(99):02}", "currencyCode": "USD"}}],
            }
        ],
    }


def _visits(order: Payload, chance: random.Random) -> Iterator[Row]:
    """Of the days before the order; the same visits and clicks are told for several orders."""
    shown = [
        (None, "https://www.google.com/"),
        ({"source": "google", "medium": "cpc", "campaign": _free("spring")}, None),
        ({"source": "Klaviyo", "medium": "email", "campaign": PERSON["email"]}, None),
        ({"source": "facebook", "medium": "paid_social", "campaign": "spring"}, None),
        ({"source": PERSON["email"], "medium": PHONE, "campaign": "spring"}, "https://bob.planted%40planted.example/"),
        (None, f"https://www.google.com/?of={PERSON['email']}"),
        (None, "https://aurora.example/"),
        (None, None),
    ]
    ordered_at = datetime.fromisoformat(order["processedAt"])
    for number in chance.sample(range(40), chance.randint(0, 4)):
        tags, referrer = shown[number % len(shown)]
        click = chance.choice(["gclid", "fbclid", "of"])
        at = ordered_at - timedelta(minutes=chance.randrange(12_000))
        body = {
            "id": f"gid://shopify/CustomerVisit/{number}",
            "occurredAt": at.isoformat(),
            "landingPage": f"https://aurora.example/?{click}=c{number}&e={PERSON['email']}",
            "referrerUrl": referrer,
            "source": "direct",
            "sourceDescription": _free("Came"),
            "referralCode": PERSON["email"],
            "utmParameters": tags and {**tags, "content": PERSON["email"], "term": PHONE},
        }
        yield "shopify_visits", f"{order['legacyResourceId']}/{number}", at, body


def _catalogue(chance: random.Random) -> Iterator[Row]:
    for number in range(1, 8):
        at = _moment(chance)
        product = {"title": _free("Tent"), "handle": PERSON["email"], "vendor": _free("Mill"), "status": "ACTIVE"}
        yield "shopify_products", str(number), at, product | {"productType": _free("Tents")}
        variant = {"title": _free("Blue"), "sku": _free(f"SKU-{number}"), "barcode": PHONE, "price": _price(chance)}
        yield "shopify_variants", f"{number}/{number}", at, variant
        skus = [{"id": f"S{number}", "seller_sku": f"SKU-{number}", "price": {"tax_exclusive_price": _price(chance)}}]
        yield "tiktok_shop_products", f"P{number}", at, {"title": _free("Tent"), "status": "ACTIVATE", "skus": skus}
        customer = {"verifiedEmail": True, "defaultEmailAddress": {"emailAddress": email(number)}, **PERSON}
        yield "shopify_customers", str(number), at, customer


def _sales(chance: random.Random) -> Iterator[Row]:
    for number in range(SALES):
        order_id, at = f"T{number}", _moment(chance).isoformat()[:19]
        units = [
            tiktok.unit(str(unit), _price(chance), platform=f"0.{chance.randrange(9)}")
            for unit in range(1, chance.randint(2, 4))
        ]
        for unit in units:
            unit |= {"product_name": _free("Tent"), "sku_name": _free("Blue"), "seller_sku": f"SKU-{number % 7}"}
        status = chance.choice(["COMPLETED", "COMPLETED", "CANCELLED"])
        table, _, placed_at, body = tiktok.order(
            order_id, at, *units, buyer=f"u{chance.randrange(9)}", status=status, shipping=_price(chance)
        )
        body |= {"recipient_address": PERSON, "buyer_email": PERSON["email"], "buyer_message": _free("Thanks")}
        yield table, order_id, placed_at, body
        for part in range(2):
            at, refunded = _moment(chance).isoformat()[:19], chance.choice(["0", "-5.00"])
            yield tiktok.settled(f"S{number}{part}", at, order_id, _price(chance), refunded=refunded)
            told = tiktok.returned(f"R{number}{part}", order_id, _moment(chance).isoformat()[:19], _price(chance))
            yield _because(told, "return_reason_text")
        told = tiktok.cancelled(f"C{number}", order_id, _moment(chance).isoformat()[:19], _price(chance), "1")
        yield _because(told, "cancel_reason")


def _because(row: Row, field: str) -> Row:
    """With a reason in the buyer's own words."""
    *key, body = row
    return (*key, {**body, field: _free("Too small")})


def _videos(chance: random.Random) -> Iterator[Row]:
    posted = f"{DAYS[0]}T08:00:00"
    for day in DAYS:
        if chance.random() < 0.9:
            yield tiktok.shop_day(day, orders=chance.randrange(9), gmv=_price(chance))
        for video in ("7", "8"):
            if chance.random() < 0.7:
                orders, likes = chance.randrange(9), chance.randrange(99)
                yield tiktok.listed(video, day, posted=f"{posted}Z", title=_free("Camping"), orders=orders)
                yield tiktok.counted(video, day, likes, 2, 1, views=chance.randrange(99), clicks=3)
                table, key, at, body = tiktok.saved(video, day, chance.randrange(99), posted=posted)
                yield table, key, at, {**body, "video": {**body["video"], "caption": _free("Camping")}}


def _website(chance: random.Random) -> Iterator[Row]:
    came = [("google", "cpc", _free("spring")), (PERSON["email"], PHONE, "summer"), ("(direct)", "(none)", "")]
    for day in DAYS:
        # Days that were not read leave the ones before them unfinished.
        if chance.random() < 0.5:
            yield ga4.report("days", day)
        for stream in ("sessions", "funnel_events", "transactions", "ad_cost"):
            yield ga4.report(stream, day)
        yield ga4.total(day, chance.randrange(90))
        for one in came:
            page = f"/of/{PERSON['email']}?and=bob.planted%40planted.example"
            yield ga4.visits(day, chance.randrange(90), *one, page=page, orders=1, value=_price(chance))
        names = ("sessionSource", "sessionMedium", "sessionCampaignName")
        steps = dict(zip(("eventName", *names), ("add_to_cart", *came[0]), strict=True))
        yield ga4.other("funnel_events", day, steps, eventCount=str(chance.randrange(90)), totalUsers="3")
        paid_for = dict(zip(names, came[0], strict=True))
        yield ga4.other("ad_cost", day, paid_for, advertiserAdCost=_price(chance))
        for number in chance.sample(range(1, ORDERS + 1), 1):
            bought = dict(zip(("transactionId", *names), (str(number), *chance.choice(came)), strict=True))
            yield ga4.other("transactions", day, bought, ecommercePurchases="1", purchaseRevenue=_price(chance))


def _messages(chance: random.Random) -> Iterator[Row]:
    for day in DAYS:
        if chance.random() < 0.8:
            yield klaviyo.account_day(day)
        told: dict[str, Any] = {"delivered": chance.randrange(9, 90), "conversion_value": chance.randrange(90) / 4}
        yield klaviyo.flow("w1", day, name=_free("Welcome"), **told)
    for number in range(4):
        told = {
            "delivered": 9 + chance.randrange(90),
            "conversion_uniques": 1,
            "conversion_value": chance.randrange(90),
        }
        yield klaviyo.campaign(f"m{number}", _moment(chance).isoformat()[:19], name=_free("Spring"), **told)
    yield klaviyo.thing("flows", "W", name=_free("Welcome"))
    for person in range(PEOPLE):
        known = {"email": email(person), "external_id": chance.choice([None, str(person % 10 + 1)])}
        body = {"id": f"K{person}", "attributes": PERSON | known | {"location": PERSON, "properties": PERSON}}
        yield "klaviyo_profiles", f"K{person}", _moment(chance), body
    for number in range(60):
        clicked = {
            "$message": f"m{number % 4}",
            **({"$flow": "W"} if number % 3 == 0 else {"Campaign Name": _free("Spring")}),
            "Subject": _free("Hello Ann"),
            "Recipient Email Address": PERSON["email"],
            "URL": f"https://aurora.example/?e={PERSON['email']}",
        }
        of = {"profile": {"data": {"id": f"K{chance.randrange(PEOPLE)}"}}, "metric": {"data": {"id": "M"}}}
        event = {"id": f"e{number}", "attributes": {"event_properties": clicked}, "relationships": of}
        yield "klaviyo_events", f"e{number}", _moment(chance), {"metric": "Clicked Email", "event": event}


def _advertising(chance: random.Random) -> Iterator[Row]:
    accounts = [ads.account(of, currency, name=_free("Shop")) for of, currency in (("11", "USD"), ("12", "CAD"))]
    for day in DAYS:
        if chance.random() < 0.9:
            cents = chance.randrange(100, 999)
            yield ads.rates(day, USD=f"1.0{cents}", CAD=f"1.4{cents}")
        for of in accounts:
            for platform, report, until in REPORTS:
                # So much later some of these days are final.
                for later in (0, until) if chance.random() < 0.5 else (0,):
                    read = str(date.fromisoformat(day) + timedelta(days=later))
                    yield ads.read(f"{platform}_{report}_days", read, of)
            name = _free("spring")
            yield ads.meta(day, of, "1", _price(chance), name=name, purchases={"omni_purchase": "2"})
            yield ads.google(day, of, "1", chance.randrange(9_000_000), name=name, conversions=1.5, value=9)
            yield ads.tiktok(day, of, "1", _price(chance), name=name, orders="1", value=_price(chance))
            yield ads.gmv_max(day, of, "2", _price(chance), name=name)


def _set(conn: Connection, merchant_id: str, chance: random.Random) -> None:
    """What each tenant decided otherwise about the same goods and the same campaigns."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into ops.product_costs values (%s, %s, %s, %s)",
            [
                (merchant_id, f"SKU-{sku}", day, _price(chance))
                for sku in range(7)
                for day in DAYS[:: chance.randint(5, 9)]
            ],
        )
        paid, unpaid = ("google_ads", True, "google_ads"), ("other", False, None)
        cursor.executemany(
            "insert into ops.traffic_sources values (%s, %s, %s, %s, %s, %s)",
            [
                (merchant_id, "google", "cpc", *(paid if merchant_id == "aurora" else unpaid)),
                (merchant_id, "facebook", "*", *(unpaid if merchant_id == "aurora" else paid)),
                (merchant_id, "*", "email", "email" if merchant_id == "aurora" else "referral", False, None),
            ],
        )
        cursor.execute(
            "insert into ops.referrers values (%s, 'google.com', %s, 'organic')", (merchant_id, f"g-{merchant_id}")
        )
        domains = ["aurora.example"] if merchant_id == "aurora" else []
        cursor.execute("update ops.merchants set domains = %s where merchant_id = %s", (domains, merchant_id))
    conn.commit()


def _moment(chance: random.Random) -> datetime:
    return tiktok.noon(str(FIRST)) + timedelta(seconds=chance.randrange(20 * 86_400))


def _price(chance: random.Random) -> str:
    return f"{chance.randint(1, 60)}.{chance.randrange(100):02}"
