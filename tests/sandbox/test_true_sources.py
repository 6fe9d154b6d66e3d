"""The sandbox tells where every order came from, in the words of the business, next to what its vendors show of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.conftest import SHOPS

if TYPE_CHECKING:
    from tests.sandbox.conftest import Client

JOURNEYS = """
query Journeys($after: String) {
  orders(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      legacyResourceId processedAt sourceName email
      customerJourneySummary {
        ready
        moments(first: 10) {
          nodes { ... on CustomerVisit { occurredAt source utmParameters { source medium campaign } } }
        }
      }
    }
  }
}
"""


def sources(client: Client, shop: str = "aurora") -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = client.admin("GET", f"/shops/{shop}/truth/sources")
    return told


def journeys(client: Client, shop: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    after, more = None, True
    while more:
        page = client.ask(JOURNEYS, {"after": after}, shop=shop)["orders"]
        found |= {order["legacyResourceId"]: order for order in page["nodes"]}
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return found


@pytest.mark.parametrize("shop", SHOPS)
def test_every_order_is_told_with_the_visits_that_the_shop_shows(sandbox: Client, shop: str) -> None:
    told = {order["id"]: order for order in sources(sandbox, shop) if order["sales_channel"] == "shopify"}
    shown = journeys(sandbox, shop)
    assert told.keys() == shown.keys()
    visits = 0
    for number, order in shown.items():
        one, journey = told[number], order["customerJourneySummary"]
        assert one["placed_at"] == order["processedAt"]
        assert (one["source"], one["decided_at"]) == ("pos", None) or order["sourceName"] != "pos"
        if journey is None or not journey["ready"]:
            continue
        seen = journey["moments"]["nodes"]
        assert [visit["occurredAt"] for visit in seen] == [visit["occurred_at"] for visit in one["visits"]]
        assert [visit["source"] == "direct" for visit in seen] == [visit["is_direct"] for visit in one["visits"]]
        # The last visit decides, or if that was direct, perhaps the one before it.
        decisive = [visit for visit in one["visits"] if one["source"] == "direct" or not visit["is_direct"]][-1:]
        words = ("occurred_at", "source", "medium", "campaign")
        decided = [one[name] for name in ("decided_at", *words[1:])] if one["decided_at"] else None
        assert [[visit[name] for name in words] for visit in decisive] == ([decided] if decided else [])
        visits += len(seen)
    assert visits > 1_000


@pytest.mark.parametrize("shop", SHOPS)
def test_a_persons_orders_have_one_key_whatever_the_shop_calls_them(sandbox: Client, shop: str) -> None:
    shown = journeys(sandbox, shop)
    pairs = {
        (order["person"], shown[order["id"]]["email"].strip().lower())
        for order in sources(sandbox, shop)
        if order["sales_channel"] == "shopify" and shown[order["id"]]["email"]
    }
    assert len(pairs) == len({person for person, _ in pairs}) == len({email for _, email in pairs}) > 300


def test_what_links_misspell_is_told_as_it_was_meant(sandbox: Client) -> None:
    told = {(order["source"], order["medium"], order["campaign"]) for order in sources(sandbox, "nordlicht")}
    assert {("facebook", "paid_social", "herbst neu"), ("tiktok", "paid_social", None)} <= told


def test_a_sale_that_two_shops_tell_of_is_counted_once(sandbox: Client) -> None:
    own = {order["id"]: order for order in sandbox.admin("GET", "/shops/aurora/tiktok/truth")["orders"]}
    native = [order for order in sources(sandbox) if order["source"] == "tiktok_shop"]
    assert {order["medium"] for order in native} == {"native"}
    sold = {order["id"]: order for order in native if order["sales_channel"] == "tiktok_shop"}
    assert {number: order["is_counted"] for number, order in sold.items()} == {
        number: order["is_counted"] for number, order in own.items()
    }
    copies = [order for order in native if order["sales_channel"] == "shopify"]
    assert len(copies) > 50
    assert not any(order["is_counted"] for order in copies)


def test_what_is_counted_and_who_ordered_follow_what_happens(fresh: Client) -> None:
    placed = fresh.admin("POST", "/shops/aurora/orders", {"email": "new@mail.example"})
    hidden = fresh.admin(
        "POST", "/shops/aurora/tiktok/orders", {"mirrored": True, "hidden_until": "2026-11-16T12:00:00Z"}
    )

    def told() -> dict[str, Any]:
        return {order["id"]: order for order in sources(fresh)}

    before = told()
    assert before[placed["id"]] | {"person": "", "placed_at": ""} == {
        "id": placed["id"], "sales_channel": "shopify", "is_counted": True, "person": "", "placed_at": "",
        "source": None, "medium": None, "campaign": None, "decided_at": None, "visits": [],
    }  # fmt: skip
    assert hidden["id"] not in before
    assert before[hidden["mirror_id"]]["is_counted"]
    fresh.admin("POST", f"/shops/aurora/orders/{placed['id']}/cancel")
    assert not told()[placed["id"]]["is_counted"]
