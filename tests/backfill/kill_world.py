"""Three shops in the first half of March, as they were read, as they are now, and as they are a little later.

Two of them are reprocessed. What the vendor changed without telling spreads beyond the days that are asked for: a
refund, an order that moved, and a buyer who turns out to be one who bought before and after.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg

from tests.dbt.shop import line, money, order, refund
from tributary.channels import CHANNELS
from tributary.channels.shopify.streams import SHOPIFY
from tributary.declaration import Channel, Page, Record
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.settings.files import Settings
from tributary.warehouse.settings.merchants import Merchant
from tributary.warehouse.settings.tables import apply_settings
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.dbt.shop import Payload

FIRST_DAY, DAYS = date(2026, 3, 1), 14
ASKED = (date(2026, 3, 5), date(2026, 3, 8))
"""The clocks of New York change on the last of these days."""
READ_AT = datetime(2026, 3, 15, 1, tzinfo=UTC)

BYSTANDER = "kumo"
REPROCESSED = ("aurora", "nordlicht")
MERCHANTS = [
    Merchant("aurora", "Aurora", "America/New_York", "USD", False, FIRST_DAY, {"shopify": "shopify_aurora"}),
    Merchant("nordlicht", "Nordlicht", "Europe/Berlin", "EUR", False, FIRST_DAY, {"shopify": "shopify_nordlicht"}),
    Merchant(BYSTANDER, "Kumo", "Asia/Tokyo", "USD", True, FIRST_DAY, {"shopify": "shopify_kumo"}),
]
ZONES = {merchant.merchant_id: merchant.time_zone for merchant in MERCHANTS}

AS_READ, AS_IT_IS, A_LITTLE_LATER = 0, 1, 2
TOLD_LATER = ("81", "71", "51")
"""What the next sync learns: two orders that are read again, too, in another order than theirs, and one as it was."""
CHANGED_AT = {AS_IT_IS: datetime(2026, 3, 14, 12, tzinfo=UTC), A_LITTLE_LATER: datetime(2026, 3, 14, 13, tzinfo=UTC)}


@dataclass(frozen=True, slots=True)
class Vendor:
    """What answers for one shop at one time."""

    merchant_id: str
    at: int = AS_IT_IS

    def now(self) -> datetime:
        return READ_AT

    def happened(self, start: datetime, end: datetime) -> Iterator[Page]:
        told = [_page(one) for one in self.orders().values() if start <= _moment(one["processedAt"]) < end]
        yield from _told_slowly(told)

    def by_id(self, ids: Sequence[str]) -> Iterator[Page]:
        orders = self.orders()
        yield Page((), gone=[order_id for order_id in ids if order_id not in orders])
        yield from _told_slowly([_page(orders[order_id]) for order_id in ids if order_id in orders])

    def changed(self, start: datetime, end: datetime) -> Iterator[Page]:
        """At first all there is; later what it tells of, which is not all that changed."""
        orders = self.orders()
        told = orders if self.at == AS_READ else TOLD_LATER
        yield from _told_slowly([_page(orders[order_id]) for order_id in told])

    def orders(self) -> dict[str, Payload]:
        """All orders of the shop by their ids."""
        found = {one["legacyResourceId"]: one for one in self._first_told()}
        if self.at >= AS_IT_IS:
            self._happen(found)
        if self.at >= A_LITTLE_LATER:
            for order_id in TOLD_LATER:
                _pay(found[order_id], "77.00")
                _change(found[order_id], A_LITTLE_LATER)
        return found

    def _first_told(self) -> Iterator[Payload]:
        currency = next(one.currency for one in MERCHANTS if one.merchant_id == self.merchant_id)
        for day in range(1, DAYS + 1):
            for number in range(1, 4):
                at, order_id = self._noon(day) + timedelta(hours=number), 10 * day + number
                parts = ()
                if number == 2:
                    given_back = ((order_id, 1, f"{10 + number}.00", "0.00"),)
                    later = (at + timedelta(days=1)).isoformat()
                    parts = (refund(1000 + order_id, later, (f"{10 + number}.00", "SUCCESS"), lines=given_back),)
                yield order(
                    order_id,
                    at.isoformat(),
                    line(order_id, f"{10 + number}.00", 2, current=1 if parts else 2),
                    total=f"{2 * (10 + number)}.00",
                    refunds=parts,
                    customer=order_id % 9 + 1,
                    email=f"person{order_id % 9 + 1}@example.com",
                    currency=currency,
                )

    def _happen(self, orders: dict[str, Payload]) -> None:
        """What is otherwise now, on the asked days; none of it was told."""
        _pay(orders["51"], "55.00")
        given_back = refund(2052, self._noon(11).isoformat(), ("3.00", "SUCCESS"))
        orders["52"]["refunds"] = [*orders["52"]["refunds"], given_back]
        del orders["53"]
        orders["61"]["processedAt"] = self._noon(12).isoformat()
        orders["62"] |= {"customer": {"legacyResourceId": "2"}, "email": "person2@example.com"}
        overlooked = order(64, self._noon(6).isoformat(), line(64, "64.00"), total="64.00", customer=77)
        orders["64"] = overlooked | {"currencyCode": orders["51"]["currencyCode"]}
        _pay(orders["71"], "71.00")
        orders["91"]["processedAt"] = self._noon(7).isoformat()
        for order_id in ("51", "52", "61", "62", "64", "71", "91"):
            _change(orders[order_id], AS_IT_IS)

    def _noon(self, day: int) -> datetime:
        return datetime(2026, 3, day, 12, tzinfo=ZoneInfo(ZONES[self.merchant_id]))


def _nothing(*_: object) -> Iterator[Page]:
    return iter(())


ORDERS = replace(
    SHOPIFY.stream("orders"),
    changed=Vendor.changed,
    happened=Vendor.happened,
    by_id=Vendor.by_id,
    history=None,
    unfinished=None,
    slice_length=timedelta(days=1_000),
)
SHOP: Channel = replace(
    SHOPIFY,
    streams=tuple(
        ORDERS if stream.name == "orders" else replace(stream, changed=_nothing, happened=_nothing, by_id=_nothing)
        for stream in SHOPIFY.streams
    ),
)
WORLD: tuple[Channel, ...] = tuple(SHOP if channel.name == "shopify" else channel for channel in CHANNELS)


def sync(url: str, at: int = A_LITTLE_LATER, *merchants: str) -> None:
    """Every shop's orders, as the hourly ingest reads them."""
    for merchant_id in merchants or ZONES:
        now = READ_AT + timedelta(minutes=at)
        began = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) - timedelta(days=1)
        sync_stream(lambda: psycopg.connect(url), Vendor(merchant_id, at), SHOP, ORDERS, merchant_id, now, began)


def settle(url: str) -> None:
    """The merchants are known, and all that they sold was read."""
    with psycopg.connect(url) as conn:
        apply_settings(conn, Settings(MERCHANTS, [], [], [], []))
    sync(url, AS_READ)


def _page(told: Payload) -> Page:
    record = _record(told["legacyResourceId"], told, told["updatedAt"])
    parts = [
        _record(f"{record.record_id}/{part['legacyResourceId']}", part, told["updatedAt"]) for part in told["refunds"]
    ]
    return Page([record], children={"refunds": parts, "visits": ()})


def _told_slowly(pages: Sequence[Page]) -> Iterator[Page]:
    for number, page in enumerate(pages):
        if number == 1:
            failpoint("reading")
        yield page


def _record(record_id: str, told: Payload, updated_at: str) -> Record:
    return Record(record_id, _moment(told["processedAt"]), _moment(updated_at), json.dumps(told).encode())


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)


def _pay(told: Payload, amount: str) -> None:
    told["lineItems"]["nodes"][0]["originalUnitPriceSet"] = money(amount)
    told["lineItems"]["nodes"][0] |= {"quantity": 1, "currentQuantity": 1}
    told["totalPriceSet"] = money(amount)


def _change(told: Payload, at: int) -> None:
    told["updatedAt"] = CHANGED_AT[at].isoformat()
