"""The world as it stands now: simulated and injected events, applied once their time has come.

The state is a function of (seed, first day, now) and the journal. With a directory, those survive a restart:
`world.json` holds seed and first day, `journal.jsonl` every `/_admin` event and clock change, each synced to disk
before it is answered.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.business.catalogue import CatalogueProduct, added
from sandbox.business.email_model import Metric
from sandbox.business.merchants import MERCHANTS, Merchant
from sandbox.business.order import (
    Discount,
    Event,
    Order,
    Person,
    discount_order,
    ordered_line,
    ship,
    tax_goods,
)
from sandbox.business.tiktok_placing import place
from sandbox.business.website import Restated
from sandbox.clock import Clock, iso, parse_instant
from sandbox.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.business.email_model import EmailEvent
    from sandbox.business.tiktok_order import TikTokOrder

HISTORY_DAYS = 90


@dataclass(frozen=True, slots=True)
class Settings:
    """How a sandbox starts; `from_environment` is how the server's does."""

    seed: int = 1
    first_day: date | None = None
    frozen_at: datetime | None = None
    state: Path | None = None
    restore_rate: int = 1000
    """Points a second that each shop's query budget regains: 100 is Shopify's standard plan, 1000 is Plus."""
    page_cap: int = 25_000
    """How many objects one query may page through."""
    journey_delay: timedelta = timedelta(hours=3)
    """How long Shopify takes to say which visits led to an order."""
    klaviyo_rate: int = 1
    """How many times the requests a second and a minute that Klaviyo allows; its days are left as they are."""
    google_keyfile: str | None = None
    """The key file of the service account that Google's API trusts; without one it trusts nobody."""
    grpc_port: int | None = None
    """Where Google Ads also answers over gRPC; 0 is any free port, without one it answers over REST only."""
    grpc_host: str = "127.0.0.1"
    """The address that this port is opened on; in a container, all of them."""

    @classmethod
    def from_environment(cls) -> Settings:
        env = os.environ
        return cls(
            seed=int(env.get("SANDBOX_SEED", "1")),
            first_day=date.fromisoformat(env["SANDBOX_START"]) if env.get("SANDBOX_START") else None,
            frozen_at=parse_instant(env["SANDBOX_NOW"]) if env.get("SANDBOX_NOW") else None,
            state=Path(env["SANDBOX_STATE"]) if env.get("SANDBOX_STATE") else None,
            restore_rate=int(env.get("SANDBOX_RESTORE_RATE", "1000")),
            journey_delay=timedelta(seconds=int(env.get("SANDBOX_JOURNEY_DELAY", "10800"))),
            klaviyo_rate=int(env.get("SANDBOX_KLAVIYO_RATE", "1")),
            google_keyfile=env.get("GA4_AURORA_KEYFILE") or None,
            grpc_port=int(env["SANDBOX_GRPC_PORT"]) if env.get("SANDBOX_GRPC_PORT") else None,
            grpc_host=env.get("SANDBOX_GRPC_HOST") or "127.0.0.1",
        )


class Journal:
    """Append-only record of what was done to the world from outside."""

    def __init__(self, directory: Path | None) -> None:
        self._path = directory / "journal.jsonl" if directory else None

    def entries(self) -> list[dict[str, Any]]:
        if self._path is None or not self._path.exists():
            return []
        whole, newline, torn = self._path.read_text().rpartition("\n")
        if torn:  # killed while writing: that event was never answered
            self._path.write_text(whole + newline)
        return [json.loads(line) for line in whole.splitlines()]

    def append(self, entry: dict[str, Any]) -> None:
        if self._path is None:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


class World:
    """Every shop, the clock and the journal."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock(settings.frozen_at)
        self.seed, self.first_day = self._origin(settings)
        self._journal = Journal(settings.state)
        self._entries = self._journal.entries()
        for entry in self._entries:
            if entry["kind"] == "clock":
                self.clock.restore(entry["clock"])
        self._build()

    def _origin(self, settings: Settings) -> tuple[int, date]:
        file = settings.state / "world.json" if settings.state else None
        if file is not None and file.exists():
            kept = json.loads(file.read_text())
            return kept["seed"], date.fromisoformat(kept["first_day"])
        first_day = settings.first_day or self.clock.now().date() - timedelta(days=HISTORY_DAYS)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"seed": settings.seed, "first_day": first_day.isoformat()}))
        return settings.seed, first_day

    def _build(self) -> None:
        """Start from the first day, and play the journal up to now."""
        self._shops = {m.domain: Shop(m, self.seed, self.first_day) for m in MERCHANTS}
        self._now = datetime.min.replace(tzinfo=UTC)
        now = self.clock.now()
        events = sorted((e for e in self._entries if e["kind"] != "clock"), key=lambda entry: str(entry["at"]))
        for entry in events:
            at = parse_instant(entry["at"])
            if at <= now:
                self._advance(at)
                self._play(entry)
        self._advance(now)
        self._foresees = any(parse_instant(entry["at"]) > now for entry in events)
        """Whether a clock that was set back left journalled events in the future."""

    def _advance(self, now: datetime) -> None:
        for shop in self._shops.values():
            shop.advance(now)
        self._now = now

    def now(self) -> datetime:
        return self.clock.now()

    def shop(self, domain: str) -> Shop | None:
        """The shop as it stands now."""
        now = self.clock.now()
        if now < self._now or (now > self._now and self._foresees):
            self._build()
        elif now > self._now:
            self._advance(now)
        return self._shops.get(domain)

    def record_clock(self) -> None:
        """Keep the clock's state for the next start."""
        entry = {"kind": "clock", "clock": self.clock.state()}
        self._entries.append(entry)
        self._journal.append(entry)

    def place(self, shop: Shop, spec: dict[str, Any]) -> Order:
        """A new order now, with what `spec` says of it (see `new_order`)."""
        placed = sum(entry["kind"] == "order" for entry in self._entries)
        entry = {"kind": "order", "at": iso(self._now), "shop": shop.merchant.domain, "number": placed, "spec": spec}
        order: Order = self._play(entry)
        self._keep(entry)
        return order

    def react(self, shop: Shop, order: Order, kind: str, data: dict[str, Any]) -> bool:
        """Something happens to an order now; False (and not recorded) when it cannot."""
        entry = {
            "kind": "event",
            "at": iso(self._now),
            "shop": shop.merchant.domain,
            "order": order.id,
            "event": kind,
            "data": data,
        }
        if not shop.react(order, Event(self._now, kind, data)):
            return False
        self._keep(entry)
        return True

    def happen(self, shop: Shop, kind: str, data: dict[str, Any]) -> Any:
        """Something other than an event of an order happens to a shop now: one of `HAPPENINGS`."""
        added = sum(entry["kind"] == "shop" and entry["event"] == "add_product" for entry in self._entries)
        entry = {
            "kind": "shop",
            "at": iso(self._now),
            "shop": shop.merchant.domain,
            "event": kind,
            "number": added,
            "data": data,
        }
        outcome = self._play(entry)
        self._keep(entry)
        return outcome

    def _keep(self, entry: dict[str, Any]) -> None:
        self._entries.append(entry)
        self._journal.append(entry)

    def _play(self, entry: dict[str, Any]) -> Any:
        shop, at = self._shops[entry["shop"]], parse_instant(entry["at"])
        if entry["kind"] == "shop":
            shop.version += 1
            return HAPPENINGS[entry["event"]](shop, at, entry["number"], entry["data"])
        if entry["kind"] == "event":
            order = shop.orders[entry["order"]]
            shop.react(order, Event(at, entry["event"], entry["data"]))
            return order
        spec = entry["spec"]
        order, events = new_order(shop.merchant, entry["number"], at, spec)
        shop.show(order)
        known = shop.customers()[order.customer_id] if order.customer_id is not None else None
        if known is not None:
            order.person, order.email = known.person, spec.get("email") or known.email
        for event in events:
            shop.react(order, event)
        return order


def _delete_order(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.delete(shop.orders[data["order"]], at)


def _merge_customers(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.merge(int(data["kept"]), int(data["gone"]), at)


def _add_product(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> CatalogueProduct:
    product = added(shop.merchant, number, at, data)
    shop.products[product.id] = product
    return product


def _change_product(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> CatalogueProduct:
    product = shop.products[data["product"]]
    product.change(data["changes"], at)
    return product


def _remove_product(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    del shop.products[data["product"]]


def _adjust_video(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    videos = shop.videos
    day = date.fromisoformat(data["day"])
    videos.adjust(videos.get(data["video"]), day, data["counter"], int(data["by"]), videos.today(at))


def _delete_video(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.videos.get(data["video"]).deleted_at = at


def _restate_website(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    restated = Restated(data["report"], tuple(data["row"]), data.get("counter"), int(data.get("by", 0)))
    shop.website.restate(date.fromisoformat(data["day"]), at, restated)


def _plant_email_event(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> EmailEvent:
    shop.email.advance(at, shop.orders.values())
    return shop.email.plant(at, data["number"], data)


def _add_email_metric(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.email.metrics.append(Metric(data["id"], data["name"], data["integration"], at))


def _rename_campaign(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.email.advance(at, shop.orders.values())
    shop.email.rename(data["campaign"], data["name"], at)


def _adjust_conversions(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    day = date.fromisoformat(data["date"]) if data["date"] else None
    shop.email.adjustments.append((at, data["message"], day, data["count"], data["cents"]))


def _vanish_message_day(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.email.vanished.append((at, data["message"], date.fromisoformat(data["date"])))


def _rename_ad_campaign(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.ads.rename(data["campaign"], data["name"])


def _delete_ad_campaign(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.ads.delete(data["campaign"], at, data["forget"])


def _switch_ad_account(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.ads.account(data["account"]).status = data["status"]


def _adjust_ad_day(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    shop.ads.adjust(data["campaign"], date.fromisoformat(data["day"]), data["counter"], data["by"], at)


def _place_tiktok_order(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> TikTokOrder:
    order = place(shop.tiktok, at, data)
    shop.advance(at)
    return order


def _tiktok_event(shop: Shop, at: datetime, number: int, data: dict[str, Any]) -> None:
    order = shop.tiktok.known[data["order"]]
    if not shop.tiktok.react(order, Event(at, data["event"], data["data"])):
        raise RuntimeError(f"TikTok order {order.id} is {order.status} and cannot take {data['event']} {data['data']}")
    shop.advance(at)


HAPPENINGS: dict[str, Callable[[Shop, datetime, int, dict[str, Any]], Any]] = {
    "delete_order": _delete_order,
    "merge_customers": _merge_customers,
    "add_product": _add_product,
    "change_product": _change_product,
    "remove_product": _remove_product,
    "place_tiktok_order": _place_tiktok_order,
    "tiktok_event": _tiktok_event,
    "adjust_video": _adjust_video,
    "delete_video": _delete_video,
    "restate_website": _restate_website,
    "plant_email_event": _plant_email_event,
    "add_email_metric": _add_email_metric,
    "rename_campaign": _rename_campaign,
    "adjust_conversions": _adjust_conversions,
    "vanish_message_day": _vanish_message_day,
    "rename_ad_campaign": _rename_ad_campaign,
    "delete_ad_campaign": _delete_ad_campaign,
    "switch_ad_account": _switch_ad_account,
    "adjust_ad_day": _adjust_ad_day,
}


ORDER_FIELDS = {
    "processed_at", "price", "quantity", "lines", "discount", "shipping", "tip", "email", "customer_id",
    "financial_status", "test",
}  # fmt: skip


def new_order(merchant: Merchant, number: int, at: datetime, spec: dict[str, Any]) -> tuple[Order, list[Event]]:
    """An order from a plain description; money in cents, every field optional.

    `price` and `quantity` make one line of the first product; `lines` is a list of {sku, price, quantity}. `discount`
    and `shipping` are amounts of the whole order. `financial_status` is PAID, PENDING or AUTHORIZED.
    """
    unknown = set(spec) - ORDER_FIELDS
    if unknown:
        raise ValueError(f"an order has no field {sorted(unknown)}; it has {sorted(ORDER_FIELDS)}")
    status = spec.get("financial_status", "PAID")
    if status not in _FIRST_EVENT:
        raise ValueError(f"financial_status {status!r} cannot be placed; use one of {sorted(_FIRST_EVENT)}")
    processed_at = parse_instant(spec["processed_at"]) if "processed_at" in spec else at
    region = merchant.regions[0]
    order_id = merchant.id_base + 90_000_000_000 + number
    order = Order(order_id, 900_000 + number, merchant, region, at, processed_at, at, [], [], [])
    default = merchant.products[0]
    lines = spec.get("lines") or [{"price": spec.get("price", default.price), "quantity": spec.get("quantity", 1)}]
    for index, item in enumerate(lines):
        product = merchant.product(item["sku"]) if "sku" in item else default
        price, quantity = int(item.get("price", product.price)), int(item.get("quantity", 1))
        if price < 0 or quantity < 1:
            raise ValueError(f"line {index} has price {price} and quantity {quantity}; neither may be negative or 0")
        order.lines.append(ordered_line(order_id, index, merchant, region, product, price, quantity))
    if spec.get("discount"):
        discount_order(order, Discount("ADMIN", True, 0, int(spec["discount"])))
    for line in order.lines:
        tax_goods(merchant, region, line)
    ship(order, "Standard", int(spec.get("shipping", 0)))
    order.tip = int(spec.get("tip", 0))
    order.test = bool(spec.get("test", False))
    order.email = spec.get("email")
    if "customer_id" in spec:
        order.customer_id = int(spec["customer_id"])
        order.email = order.email or f"customer{order.customer_id}@mail.example"
        order.person = Person(order.customer_id, "Admin", "Made", order.email, at)
    order.original_total = order.total
    return order, [Event(at, _FIRST_EVENT[status])]


_FIRST_EVENT = {"PAID": "pay", "PENDING": "await_payment", "AUTHORIZED": "authorize"}
