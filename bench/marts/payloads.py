"""What vendors say of one record, as JSON; amounts are whole cents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

GOOGLE, KLAVIYO, META = ("google", "cpc"), ("klaviyo", "email"), ("facebook", "paid_social")
VISITS: tuple[tuple[tuple[str, str] | None, str, str | None], ...] = (
    (GOOGLE, "?gclid=Cj0KCQ", "https://www.google.com/"),
    (META, "?fbclid=IwAR0x", "https://l.facebook.com/"),
    (KLAVIYO, "", None),
    (None, "", "https://www.google.com/"),
    (None, "", "https://outdoor-blog.example/tents"),
    (None, "", None),
    (None, "?gclid=EAIaIQ", "https://www.google.com/"),
)
"""Tags, the query of the landing page, and the referrer."""


class Line(NamedTuple):
    """A line of an order."""

    line_id: int
    product: int
    price: int
    tax: int
    """Of one unit."""
    quantity: int
    returned: int
    discount: int


def cents(amount: int) -> str:
    """An amount as vendors write it."""
    return f"{amount // 100}.{amount % 100:02}"


def order(
    order_id: int,
    at: str,
    status: str,
    email: str,
    customer: int | None,
    lines: Sequence[Line],
    total: int,
    is_test: bool,
) -> str:
    """An order of about 1.5 kB."""
    tax = sum(line.tax * line.quantity for line in lines)
    returned = f'{{"quantity":1,"lineItem":{{"id":"gid://shopify/LineItem/{lines[0].line_id}"}}}}'
    refunds = f'[{{"refundLineItems":{{"nodes":[{returned}]}}}}]' if lines[0].returned else "[]"
    known = f'{{"id":"gid://shopify/Customer/{customer}","legacyResourceId":"{customer}"}}' if customer else "null"
    return (
        f'{{"id":"gid://shopify/Order/{order_id}","legacyResourceId":"{order_id}","name":"#{order_id}",'
        f'"createdAt":"{at}","processedAt":"{at}","updatedAt":"{at}","cancelledAt":null,"cancelReason":null,'
        f'"test":{"true" if is_test else "false"},"edited":false,"displayFinancialStatus":"{status}",'
        f'"sourceName":"web","tags":[],"discountCodes":[],"currencyCode":"USD","presentmentCurrencyCode":"USD",'
        f'"taxesIncluded":false,"email":"{email}","customer":{known},'
        f'"totalPriceSet":{_money(total)},"totalReceivedSet":{_money(total)},"totalTaxSet":{_money(tax)},'
        f'"originalTotalDutiesSet":null,"totalTipReceivedSet":{_money(0)},'
        f'"shippingLines":{{"nodes":[{{"title":"Standard","isRemoved":false,"discountedPriceSet":{_money(SHIPPING)},'
        f'"taxLines":[]}}]}},"lineItems":{{"nodes":[{",".join(map(_line, lines))}]}},'
        f'"transactions":[{{"kind":"SALE","status":"SUCCESS","gateway":"shopify_payments","amountSet":{_money(total)},'
        f'"fees":[{{"type":"processing_fee","amount":{{"amount":"0.99","currencyCode":"USD"}},"taxAmount":null}}]}}],'
        f'"customerJourneySummary":{{"ready":true,"momentsCount":{{"count":2}}}},"refunds":{refunds}}}'
    )


SHIPPING = 495


def refund(refund_id: int, at: str, line: Line) -> str:
    """One unit of a line that went back, with its tax."""
    paid = f'{{"kind":"REFUND","status":"SUCCESS","amountSet":{_money(line.price + line.tax)}}}'
    return (
        f'{{"id":"gid://shopify/Refund/{refund_id}","legacyResourceId":"{refund_id}","processedAt":"{at}","duties":[],'
        f'"refundLineItems":{{"nodes":[{{"quantity":1,"lineItem":{{"id":"gid://shopify/LineItem/{line.line_id}"}},'
        f'"subtotalSet":{_money(line.price)},"totalTaxSet":{_money(line.tax)}}}]}},'
        '"refundShippingLines":{"nodes":[]},'
        f'"transactions":{{"nodes":[{paid}]}}}}'
    )


def visit(visit_id: int, at: str, kind: int) -> str:
    """A visit of one of the kinds."""
    tags, query, referrer = VISITS[kind]
    utm = f'{{"source":"{tags[0]}","medium":"{tags[1]}","campaign":"spring-{kind}"}}' if tags else "null"
    return (
        f'{{"id":"gid://shopify/CustomerVisit/{visit_id}","occurredAt":"{at}","source":"direct","sourceType":null,'
        f'"landingPage":"https://shop.example/products/tent-{visit_id % 90}{query}","sourceDescription":null,'
        f'"referrerUrl":{json.dumps(referrer)},"referralCode":null,"utmParameters":{utm}}}'
    )


def profile(profile_id: str, email: str, customer: int | None) -> str:
    """A person whom Klaviyo writes to."""
    external = f'"{customer}"' if customer else "null"
    return (
        f'{{"id":"{profile_id}","type":"profile","attributes":{{"email":"{email}","external_id":{external},'
        f'"first_name":"Ann","last_name":"Lee","location":{{}},"properties":{{}}}}}}'
    )


def click(event_id: str, profile_id: str, number: int) -> str:
    """A click in a mail."""
    return (
        f'{{"metric":"Clicked Email","event":{{"id":"{event_id}","type":"event","attributes":{{"event_properties":'
        f'{{"$message":"m{number % 50}","Campaign Name":"Week {number % 50}","URL":"https://shop.example/"}}}},'
        f'"relationships":{{"profile":{{"data":{{"type":"profile","id":"{profile_id}"}}}},'
        f'"metric":{{"data":{{"type":"metric","id":"Mclick"}}}}}}}}}}'
    )


def transaction(day: str, order_id: int) -> str:
    """What analytics saw of an order."""
    return (
        f'{{"date":"{day}","row":{{"transactionId":"{order_id}","sessionSource":"google","sessionMedium":"organic",'
        f'"sessionCampaignName":"(organic)","ecommercePurchases":"1","purchaseRevenue":"10.5"}}}}'
    )


def report(zone: str) -> dict[str, Any]:
    """What a report of GA4 says of itself."""
    return {"rowCount": 1, "metadata": {"currencyCode": "USD", "timeZone": zone}}


def _line(line: Line) -> str:
    discount = f'[{{"allocatedAmountSet":{_money(line.discount)}}}]' if line.discount else "[]"
    return (
        f'{{"id":"gid://shopify/LineItem/{line.line_id}","name":"Tent {line.product}","sku":"SKU-{line.product}",'
        f'"quantity":{line.quantity},"currentQuantity":{line.quantity - line.returned},'
        f'"product":{{"id":"gid://shopify/Product/{line.product}"}},'
        f'"variant":{{"id":"gid://shopify/ProductVariant/{line.product}"}},'
        f'"originalUnitPriceSet":{_money(line.price)},"discountAllocations":{discount},'
        f'"taxLines":[{{"title":"Tax","rate":0.08,"priceSet":{_money(line.tax * line.quantity)}}}]}}'
    )


def _money(amount: int) -> str:
    return f'{{"shopMoney":{{"amount":"{cents(amount)}"}}}}'
