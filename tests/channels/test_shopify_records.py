"""An order lands whole and byte for byte, or becomes a dead letter that says why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tributary.channels.records import UnacceptableError, reject
from tributary.channels.shopify.nested import is_cut
from tributary.channels.shopify.orders import check
from tributary.channels.shopify.records import find_id


def money(amount: Any) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount}}


def nodes(*items: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": list(items), "pageInfo": {"hasNextPage": False}}


def a_visit(number: str, occurred_at: str) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/CustomerVisit/{number}",
        "occurredAt": occurred_at,
        "source": "google",
        "utmParameters": {"source": "google", "medium": "cpc", "campaign": None, "content": None, "term": None},
    }


def an_order() -> dict[str, Any]:
    tax = {"title": "VAT", "rate": 0.19, "priceSet": money("1.90")}
    return {
        "id": "gid://shopify/Order/77",
        "legacyResourceId": "77",
        "name": "#1",
        "createdAt": "2026-11-01T10:00:00Z",
        "processedAt": "2026-11-01T10:00:01Z",
        "updatedAt": "2026-11-05T09:00:00Z",
        "cancelledAt": None,
        "test": False,
        "edited": True,
        "taxesIncluded": True,
        "currencyCode": "EUR",
        "displayFinancialStatus": "PARTIALLY_REFUNDED",
        "sourceName": "web",
        "email": "Ada@example.com",
        "customer": {"id": "gid://shopify/Customer/5", "legacyResourceId": "5"},
        **{
            name: money("10.00")
            for name in (
                "totalPriceSet",
                "originalTotalPriceSet",
                "currentTotalPriceSet",
                "subtotalPriceSet",
                "totalDiscountsSet",
                "totalShippingPriceSet",
                "totalTaxSet",
                "totalTipReceivedSet",
                "totalReceivedSet",
                "totalRefundedSet",
            )
        },
        "originalTotalDutiesSet": None,
        "shippingLines": nodes(
            {
                "id": None,
                "isRemoved": False,
                "originalPriceSet": money("0.0"),
                "discountedPriceSet": money("0.0"),
                "taxLines": [],
            }
        ),
        "lineItems": nodes(
            {
                "id": "gid://shopify/LineItem/1",
                "quantity": 2,
                "currentQuantity": 1,
                "originalUnitPriceSet": money("5.00"),
                "discountAllocations": [{"allocatedAmountSet": money("0.50")}],
                "taxLines": [tax],
            }
        ),
        "discountApplications": nodes(
            {"__typename": "DiscountCodeApplication", "index": 0, "code": "TEN", "value": {"percentage": 10.0}}
        ),
        "transactions": [
            {
                "id": "gid://shopify/OrderTransaction/1",
                "kind": "SALE",
                "status": "SUCCESS",
                "processedAt": "2026-11-01T10:00:01Z",
                "amountSet": money("10.00"),
                "fees": [{"amount": {"amount": "0.59"}, "taxAmount": {"amount": "0.00"}}],
            }
        ],
        "customerJourneySummary": {
            "ready": True,
            "momentsCount": {"count": 2},
            "customerOrderIndex": 0,
            "daysToConversion": 3,
            "moments": nodes(a_visit("31", "2026-10-29T08:00:00Z"), a_visit("32", "2026-11-01T09:30:00Z")),
        },
        "refunds": [
            {
                "id": "gid://shopify/Refund/9",
                "legacyResourceId": "9",
                "createdAt": None,
                "processedAt": "2026-11-05T08:59:59Z",
                "updatedAt": "2026-11-05T09:00:00Z",
                "totalRefundedSet": money("5.00"),
                "duties": [],
                "refundLineItems": nodes(
                    {
                        "quantity": 1,
                        "lineItem": {"id": "gid://shopify/LineItem/1"},
                        "subtotalSet": money("4.75"),
                        "totalTaxSet": money("0.76"),
                    }
                ),
                "refundShippingLines": nodes(),
                "orderAdjustments": nodes({"amountSet": money("-0.01"), "taxAmountSet": money("0.0")}),
                "transactions": nodes({"kind": "REFUND", "status": "SUCCESS", "amountSet": money("5.00")}),
            }
        ],
    }


def changed(path: str, value: Any) -> bytes:
    order: Any = an_order()
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    part = order
    for step in parents:
        part = part[step]
    part[last] = value
    return json.dumps(order).encode()


def test_an_order_and_its_children_are_slices_of_the_vendors_bytes() -> None:
    payload = json.dumps(an_order(), indent=1).encode()
    checked = check(payload, sound=False)
    assert checked.record.record_id == "77"
    assert checked.record.event_at == datetime(2026, 11, 1, 10, 0, 1, tzinfo=UTC)
    assert checked.record.updated_at == datetime(2026, 11, 5, 9, 0, tzinfo=UTC)
    assert checked.record.payload is payload
    (refund,) = checked.children["refunds"]
    assert refund.record_id == "77/9"
    assert refund.event_at == datetime(2026, 11, 5, 8, 59, 59, tzinfo=UTC)
    assert refund.updated_at == checked.record.updated_at
    assert refund.payload in payload
    assert json.loads(refund.payload) == an_order()["refunds"][0]
    visits = checked.children["visits"]
    assert [visit.record_id for visit in visits] == ["77/31", "77/32"]
    assert [visit.event_at.isoformat() for visit in visits] == [
        "2026-10-29T08:00:00+00:00",
        "2026-11-01T09:30:00+00:00",
    ]
    assert {visit.updated_at for visit in visits} == {checked.record.updated_at}
    told = an_order()["customerJourneySummary"]["moments"]["nodes"]
    assert [json.loads(visit.payload) for visit in visits] == told
    assert all(visit.payload in payload for visit in visits)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("newField", {"anything": [1, None]}),
        ("customer", None),
        ("email", None),
        ("displayFinancialStatus", "SOMETHING_NEW"),
        ("totalTaxSet", None),
        ("legacyResourceId", "9223372036854775808"),
        ("totalPriceSet.shopMoney.amount", "-3.5"),
        ("totalPriceSet.shopMoney.amount", "0"),
        ("refunds", []),
        ("refunds.0.duties", None),
        ("lineItems.nodes.0.taxLines.0.rate", None),
        ("name", "Größe 😀"),
        ("customerJourneySummary", None),
        ("customerJourneySummary.ready", False),
        ("customerJourneySummary.moments", None),
        ("customerJourneySummary.momentsCount", None),
        ("customerJourneySummary.moments.nodes.0.utmParameters", None),
        ("customerJourneySummary.moments.nodes.0.id", "gid://shopify/CustomerVisit/0198-ab_C"),
        ("discountApplications.nodes.0.value", {"amount": "5.0", "currencyCode": "EUR"}),
        ("transactions", []),
        ("transactions.0.fees", []),
        ("transactions.0.processedAt", None),
        ("processedAt", "2026-11-01T10:00:00.123+02:00"),
    ],
)
def test_what_staging_can_cast_lands(path: str, value: Any) -> None:
    payload = changed(path, value)
    assert check(payload, sound=False).record.payload == payload


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("legacyResourceId", None, "$.legacyResourceId"),
        ("legacyResourceId", 77, "$.legacyResourceId"),
        ("legacyResourceId", "77; drop", "$.legacyResourceId"),
        ("processedAt", None, "$.processedAt"),
        ("processedAt", 1793527200, "$.processedAt"),
        ("processedAt", "2026-13-01T10:00:00Z", "$.processedAt"),
        ("processedAt", "2026-11-01T10:00:00", "$.processedAt"),
        ("processedAt", "0001-01-01T00:00:00Z", "$.processedAt"),
        ("processedAt", '2026-11-01T10:00:00Z"', "$.processedAt"),
        ("cancelledAt", "yesterday, at about noon", "$.cancelledAt"),
        ("updatedAt", "9999-12-31T00:00:00Z", "$.updatedAt"),
        ("test", "maybe", "$.test"),
        ("currencyCode", "EURO", "$.currencyCode"),
        ("totalPriceSet", None, "$.totalPriceSet"),
        ("totalPriceSet.shopMoney.amount", "12,50", "$.totalPriceSet.shopMoney.amount"),
        ("totalPriceSet.shopMoney.amount", "", "$.totalPriceSet.shopMoney.amount"),
        ("totalPriceSet.shopMoney.amount", "NaN", "$.totalPriceSet.shopMoney.amount"),
        ("totalPriceSet.shopMoney.amount", "Infinity", "$.totalPriceSet.shopMoney.amount"),
        ("totalPriceSet.shopMoney.amount", "1e400", "$.totalPriceSet.shopMoney.amount"),
        ("totalPriceSet.shopMoney.amount", "1000000000000000.00", "$.totalPriceSet.shopMoney.amount"),
        ("totalPriceSet.shopMoney.amount", {"value": "1"}, "$.totalPriceSet.shopMoney.amount"),
        ("lineItems.nodes.0.quantity", 2**63, "$.lineItems.nodes[0].quantity"),
        ("lineItems.nodes.0.currentQuantity", -1, "$.lineItems.nodes[0].currentQuantity"),
        ("lineItems.nodes.0.quantity", 1.5, "$.lineItems.nodes[0].quantity"),
        ("lineItems.nodes.0.taxLines.0.rate", "much", "$.lineItems.nodes[0].taxLines[0].rate"),
        ("refunds.0.processedAt", "soon, says the vendor", "$.refunds[0].processedAt"),
        ("refunds.0.legacyResourceId", None, "$.refunds[0].legacyResourceId"),
        ("refunds.0.transactions.nodes.0.amountSet", None, "$.refunds[0].transactions.nodes[0].amountSet"),
        ("refunds", None, "$.refunds"),
        ("totalReceivedSet", None, "$.totalReceivedSet"),
        ("transactions.0.amountSet.shopMoney.amount", "some", "$.transactions[0].amountSet.shopMoney.amount"),
        ("transactions.0.fees.0.amount.amount", {}, "$.transactions[0].fees[0].amount.amount"),
        ("discountApplications.nodes.0.value", None, "$.discountApplications.nodes[0].value"),
        ("customerJourneySummary.ready", None, "$.customerJourneySummary.ready"),
        (
            "customerJourneySummary.moments.nodes.1.occurredAt",
            "lately, or so it says",
            "$.customerJourneySummary.moments.nodes[1].occurredAt",
        ),
        ("customerJourneySummary.moments.nodes.0", {}, "$.customerJourneySummary.moments.nodes[0]"),
        (
            "customerJourneySummary.moments.nodes.0.id",
            "gid://shopify/CustomerVisit/1/2",
            "$.customerJourneySummary.moments.nodes[0].id",
        ),
        ("name", "nul \x00 inside", "NUL"),
        ("name", "half \ud83d a pair", "surrogate"),
    ],
)
def test_what_staging_could_not_cast_is_refused_by_path(path: str, value: Any, where: str) -> None:
    with pytest.raises(UnacceptableError) as caught:
        check(changed(path, value), sound=False)
    assert where in str(caught.value)


@pytest.mark.parametrize(
    "connection",
    [
        "lineItems",
        "shippingLines",
        "discountApplications",
        "customerJourneySummary.moments",
        "refunds.0.refundLineItems",
        "refunds.0.refundShippingLines",
        "refunds.0.orderAdjustments",
        "refunds.0.transactions",
    ],
)
def test_an_order_is_cut_when_any_of_its_connections_goes_on(connection: str) -> None:
    assert not is_cut(check(json.dumps(an_order()).encode(), sound=False))
    assert is_cut(check(changed(f"{connection}.pageInfo.hasNextPage", True), sound=False))


def test_a_missing_field_is_named() -> None:
    order = an_order()
    del order["lineItems"]
    with pytest.raises(UnacceptableError, match="missing required field `lineItems`"):
        check(json.dumps(order).encode(), sound=False)


@pytest.mark.parametrize(
    ("payload", "record_id"),
    [
        (changed("name", "half \ud83d a pair"), "77"),
        (changed("totalPriceSet", None), "77"),
        (changed("legacyResourceId", None), None),
        (b'{"name": "\xff", "legacyResourceId": "77"}', "77"),
        (b"[1]", None),
    ],
)
def test_a_dead_letter_keeps_the_bytes_and_the_id_if_there_is_one(payload: bytes, record_id: str | None) -> None:
    letter = reject(payload, "because", find_id)
    assert (letter.record_id, letter.reason, letter.payload) == (record_id, "because", payload)
