"""The world is a function of seed, first day, now and journal: the same again, and only ever more of it."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.clock import iso, parse_instant
from sandbox.shopify.views import OrderView
from sandbox.world import Settings, World
from tests.sandbox.conftest import NOW, SHOPS
from tests.sandbox.reader import ORDERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.conftest import Client

FIRST = date(2026, 10, 30)


def pictures(world: World) -> dict[int, str]:
    """Every visible order, in full."""
    found = {}
    for shop in SHOPS:
        visible = world.shop(f"{shop}.myshopify.com")
        assert visible is not None
        for order in visible.orders.values():
            view = OrderView(order, visible, world.now, timedelta(hours=3)).build()
            plain = {key: value for key, value in view.items() if not callable(value)}
            plain["refunds"] = [
                {key: value for key, value in refund.items() if not callable(value)} for refund in view["refunds"](None)
            ]
            plain["transactions"] = view["transactions"](None)
            found[order.id] = json.dumps(plain, sort_keys=True, default=repr)
    return found


def make(seed: int = 3, now: str = iso(NOW), **settings: Any) -> World:
    return World(Settings(seed=seed, first_day=FIRST, frozen_at=parse_instant(now), **settings))


def test_the_same_seed_gives_the_same_bytes(start: Callable[..., Client]) -> None:
    asked = ORDERS, {"first": 40, "query": None}
    one, other = (start().post(*asked).content for _ in range(2))
    assert one == other
    assert start(seed=8).post(*asked).content != one


def test_a_later_now_only_adds() -> None:
    early, late = make(now="2026-11-08T09:00:00Z"), make()
    before, after = pictures(early), pictures(late)
    assert set(before) < set(after)
    unchanged = {number for number in before if json.loads(after[number])["updatedAt"] <= "2026-11-08T09:00:00Z"}
    assert 0 < len(unchanged) < len(before)
    assert all(after[number] == before[number] for number in unchanged)
    assert all(json.loads(picture)["updatedAt"] <= "2026-11-08T09:00:00Z" for picture in before.values())


def test_a_clock_that_moves_ends_where_a_fresh_start_begins() -> None:
    moved = make(now="2026-11-01T05:30:00Z")
    pictures(moved)
    for _ in range(20):
        moved.clock.advance(timedelta(hours=7, minutes=13))
        moved.shop("aurora.myshopify.com")
    moved.clock.freeze(NOW)
    assert pictures(moved) == pictures(make())


def test_a_clock_set_back_shows_the_past_again() -> None:
    world = make()
    pictures(world)
    world.clock.freeze(parse_instant("2026-11-03T00:00:00Z"))
    assert pictures(world) == pictures(make(now="2026-11-03T00:00:00Z"))


def test_orders_come_as_the_day_goes_on(start: Callable[..., Client]) -> None:
    counts = []
    client = start(frozen_at=parse_instant("2026-11-15T12:00:00Z"))
    for _ in range(3):
        counts.append(client.admin("GET", "/health")["orders"]["aurora.myshopify.com"])
        client.admin("POST", "/clock", {"advance_seconds": 4 * 3600})
    assert counts == sorted(set(counts))


def test_the_journal_survives_a_restart(start: Callable[..., Client], tmp_path: Path) -> None:
    first = start(state=tmp_path)
    placed = first.admin("POST", "/shops/aurora/orders", {"price": "19.99", "quantity": 3, "email": "a@b.example"})
    client_order = f"/shops/aurora/orders/{placed['id']}"
    first.admin("POST", "/clock", {"advance_seconds": 7200})
    first.admin("POST", f"{client_order}/refunds", {"lines": [{"line": 0, "quantity": 1}]})
    first.admin("POST", "/clock", {"advance_seconds": 86_400})
    first.admin("POST", "/shops/nordlicht/orders", {"price": "5.00"})
    asked = ORDERS, {"first": 100, "query": "updated_at:>='2026-11-14'"}

    second = start(state=tmp_path, seed=99, first_day=date(2026, 1, 1), frozen_at=None)

    for shop in SHOPS:
        assert second.ask(*asked, shop=shop) == first.ask(*asked, shop=shop)
    assert second.admin("GET", "/clock") == first.admin("GET", "/clock")
    assert second.admin("GET", client_order)["refunds"][0]["money"] != "0.00"
    entries = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert [json.loads(entry)["kind"] for entry in entries] == ["order", "clock", "event", "clock", "order"]


def test_what_happens_to_a_shop_survives_a_restart(start: Callable[..., Client], tmp_path: Path) -> None:
    first = start(state=tmp_path)
    for customer_id in (77, 78):
        placed = first.admin("POST", "/shops/aurora/orders", {"price": "19.99", "customer_id": customer_id})
    first.admin("POST", f"/shops/aurora/orders/{placed['id']}/move", {"processed_at": "2026-11-14T12:00:00Z"})
    first.admin("POST", "/clock", {"advance_seconds": 60})
    first.admin("POST", "/shops/aurora/customers/merge", {"kept": 77, "gone": 78})
    for title in ("Hat", "Scarf"):
        product = first.admin("POST", "/shops/aurora/products", {"title": title, "variants": 2})
    first.admin("POST", f"/shops/aurora/products/{product['id']}", {"cost": "3.21"})
    oldest = first.ask("{orders(first: 1, sortKey: ID) {nodes {legacyResourceId}} products(first: 1) {nodes {id}}}")
    first.admin("DELETE", f"/shops/aurora/orders/{oldest['orders']['nodes'][0]['legacyResourceId']}")
    first.admin("DELETE", f"/shops/aurora/products/{oldest['products']['nodes'][0]['id'].rsplit('/', 1)[1]}")
    first.admin("POST", "/clock", {"advance_seconds": 86_400})

    second = start(state=tmp_path, frozen_at=None)

    asked = ORDERS, {"first": 250, "query": None}
    assert second.ask(*asked) == first.ask(*asked)
    everything = "{customers(first: 250) {nodes {id updatedAt email numberOfOrders}}}"
    assert second.ask(everything) == first.ask(everything)
    products = second.admin("GET", "/shops/aurora/products")
    assert products == first.admin("GET", "/shops/aurora/products")
    assert [item["title"] for item in products[-2:]] == ["Hat", "Scarf"]


def test_a_torn_last_entry_is_dropped(start: Callable[..., Client], tmp_path: Path) -> None:
    start(state=tmp_path).admin("POST", "/shops/aurora/orders", {"price": "1.00"})
    journal = tmp_path / "journal.jsonl"
    whole = journal.read_text()
    journal.write_text(whole + '{"kind": "order", "at"')
    again = start(state=tmp_path)
    again.admin("POST", "/shops/aurora/orders", {"price": "2.00"})
    assert journal.read_text().startswith(whole)
    assert len([json.loads(line) for line in journal.read_text().splitlines()]) == 2


def test_without_a_directory_nothing_is_kept(start: Callable[..., Client]) -> None:
    one = start()
    one.admin("POST", "/shops/aurora/orders", {"price": "1.00"})
    assert start().admin("GET", "/health")["orders"] != one.admin("GET", "/health")["orders"]
