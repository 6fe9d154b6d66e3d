"""A merchant's orders and a year's worth of what can happen to them, drawn from a seed, told as a vendor would."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.dbt.ads_book import AdsBook
from tests.dbt.catalogue_book import CatalogueBook
from tests.dbt.reports_book import ReportsBook
from tests.dbt.shop import Payload, business, money, refund
from tests.dbt.tiktok_book import OPENED, TikTokBook
from tests.dbt.touches_book import VISITS, TouchesBook, visit
from tributary.declaration import Page, Record
from tributary.warehouse.settings.merchants import Merchant

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_DAY, DAYS = date(2026, 1, 1), 360
PEOPLE, HISTORY, SKUS = 45, 200, 6
ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
    "Africa/Cairo",
    "Asia/Kolkata",
)
"""Most change their clocks in these days; in Santiago and Cairo at midnight."""
EVENTS = {
    "place": 40,
    "precede": 20,
    "edit": 15,
    "give_back": 35,
    "settle": 30,
    "move": 10,
    "move_refund": 8,
    "drop_refund": 8,
    "cancel": 8,
    "pay": 12,
    "flag_as_test": 6,
    "merge_customers": 6,
    "register": 8,
    "rename": 6,
    "delete": 10,
    "touch": 6,
    "visit": 15,
    "restate_visit": 6,
    "forget_visit": 5,
    "change_costs": 6,
    "change_settings": 1,
}


@dataclass(frozen=True, slots=True)
class Version:
    """An order as it was at one time, with its refunds and the visits that led to it."""

    order: Record
    refunds: tuple[Record, ...]
    visits: tuple[Record, ...]


class Book:
    """One merchant; everything that happens follows from the seed.

    Every other merchant's refunds come apart: the order says what was returned, and only the refund what was paid.
    Every third one sells on TikTok Shop too, and half of its orders are copies from there; every third one knows who
    clicked in its mails and what analytics says of its orders, and half of these have reports of both; every sixth
    advertises. Every second one knows what its goods cost, and half of these tell what they sell.
    """

    def __init__(self, merchant_id: str, seed: int) -> None:
        self.merchant_id = merchant_id
        self.happened: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._taxes_included = seed % 3 == 0
        self._refunds_apart = seed % 2 == 0
        self.merchant = Merchant(
            merchant_id, merchant_id, ZONES[seed % len(ZONES)], "USD", seed % 5 == 1, FIRST_DAY, {}
        )
        self.tiktok = TikTokBook(self._chance, self._moment) if seed % 3 == 1 else None
        self.reports = ReportsBook(seed) if seed % 6 == 5 else None
        self.ads = AdsBook(seed) if seed % 6 == 3 else None
        self.costs: dict[tuple[str, date], str] | None = {} if seed % 2 == 0 else None
        self._orders: dict[str, Payload] = {}
        self._visits: dict[str, dict[str, Payload]] = defaultdict(dict)
        self._minutes = 0
        self._last_id = 0
        self._told: list[Version] = []
        self._late: list[Version] = []
        self._gone: list[str] = []
        for _ in range(HISTORY):
            self._place()
        self.touches = TouchesBook(seed, lambda: self._any_order()[1], self._came_by_mail) if seed % 3 == 2 else None
        self.catalogue = CatalogueBook(seed, self._moment) if seed % 4 == 2 else None

    def play(self, events: int) -> None:
        """Let that many things happen."""
        for name in self._chance.choices([*EVENTS], [*EVENTS.values()], k=events):
            if not getattr(self, f"_{name}")():
                name = "place"
                self._place()
            self.happened[name] += 1
        if self.tiktok:
            self.tiktok.play(events)
        if self.reports:
            self.reports.play(events)
        if self.ads:
            self.ads.play(events)
        if self.touches:
            self.touches.play(events)
        if self.catalogue:
            self.catalogue.play(events)

    def pages(self) -> Iterator[Page]:
        """What a sync now reads: versions in any order, some twice, some only with a later sync than newer ones."""
        told = self._told + self._late
        self._late = [version for version in self._told if self._chance.random() < 0.15]
        told = [version for version in told if version not in self._late]
        told += [version for version in told if self._chance.random() < 0.1]
        self._chance.shuffle(told)
        self._told = []
        while told:
            page = {version.order.record_id: version for version in told}
            told = [version for version in told if page[version.order.record_id] is not version]
            children = {
                "refunds": tuple(refund for version in page.values() for refund in version.refunds),
                "visits": tuple(visit for version in page.values() for visit in version.visits),
            }
            yield Page(tuple(version.order for version in page.values()), (), children)
        yield Page((), gone=self._gone)
        self._gone = []

    # What can happen: False when there is nothing that it can happen to.

    def _place(self) -> bool:
        person = self._person()
        customer = self._customer(person) if self._chance.random() < 0.5 else None
        email = self._email(person) if self._chance.random() < 0.8 else None
        return self._order(self._moment(), customer, email)

    def _precede(self) -> bool:
        """A customer turns out to have ordered before, as a guest; rather one who uses two addresses."""
        addresses: dict[str, list[str]] = {}
        for order in self._orders.values():
            if order["customer"] and order["email"]:
                known = addresses.setdefault(order["customer"]["legacyResourceId"], [])
                known += [order["email"]] if order["email"] not in known else []
        customer = self._chance.choice([key for key, known in addresses.items() if len(known) > 1] or [*addresses])
        first = min(
            order["processedAt"]
            for order in self._orders.values()
            if order["email"] in addresses[customer] or order["customer"] == {"legacyResourceId": customer}
        )
        before = datetime.fromisoformat(first) - timedelta(hours=self._chance.randint(1, 500))
        return self._order(before.isoformat(), None, self._chance.choice(addresses[customer]))

    def _edit(self) -> bool:
        order_id, order = self._any_order()
        line = self._kept_line(order)
        if line is None:
            return False
        units = self._chance.randint(1, line["currentQuantity"])
        line["currentQuantity"] -= units
        worth = units * _amount(line["originalUnitPriceSet"])
        order["totalPriceSet"] = money(str(max(Decimal(0), _amount(order["totalPriceSet"]) - worth)))
        order["shippingLines"]["nodes"][0]["isRemoved"] = self._chance.random() < 0.2
        return self._tell(order_id)

    def _give_back(self) -> bool:
        order_id, order = self._any_order()
        overpaid = [item for item in self._orders.items() if item[1]["refunds"] and _is_overpaid(item[1])]
        if overpaid and self._chance.random() < 0.7:
            order_id, order = self._chance.choice(overpaid)
        self._last_id += 1
        payments = [
            (f"{self._chance.randint(0, 30)}.99", self._chance.choice(["SUCCESS", "PENDING"]))
            for _ in range(self._chance.choice([1, 1, 2]))
        ]
        line = self._kept_line(order) if self._chance.random() < 0.5 else None
        items: tuple[tuple[int, int, str, str], ...] = ()
        if line is not None:
            line["currentQuantity"] -= 1
            line_id = int(line["id"].rpartition("/")[2])
            price = str(_amount(line["originalUnitPriceSet"]))
            items = ((line_id, 1, price, self._chance.choice(["0.00", "0.31"])),)
        order["refunds"].append(refund(self._last_id, self._moment(), *payments, lines=items))
        return self._tell(order_id)

    def _settle(self) -> bool:
        pending = [
            (order_id, payment)
            for order_id, order in self._orders.items()
            for part in order["refunds"]
            for payment in part["transactions"]["nodes"]
            if payment["status"] == "PENDING"
        ]
        if not pending:
            return False
        among_others = [found for found in pending if len(self._orders[found[0]]["refunds"]) > 1]
        order_id, payment = self._chance.choice(
            among_others if among_others and self._chance.random() < 0.5 else pending
        )
        payment["status"] = self._chance.choice(["SUCCESS", "SUCCESS", "FAILURE"])
        return self._tell(order_id, is_newer=not self._refunds_apart)

    def _move(self) -> bool:
        order_id, order = self._any_order()
        order["processedAt"] = self._moment()
        return self._tell(order_id)

    def _move_refund(self) -> bool:
        found = self._any_refund()
        if found is None:
            return False
        order_id, part = found
        part["processedAt"] = self._moment()
        return self._tell(order_id, is_newer=not self._refunds_apart)

    def _drop_refund(self) -> bool:
        found = self._any_refund()
        if found is None:
            return False
        order_id, part = found
        self._orders[order_id]["refunds"].remove(part)
        return self._tell(order_id)

    def _cancel(self) -> bool:
        order_id, order = self._any_order()
        order["cancelledAt"] = None if order["cancelledAt"] else self._moment()
        return self._tell(order_id)

    def _pay(self) -> bool:
        order_id, order = self._any_order()
        order["displayFinancialStatus"] = self._chance.choice(
            ["PAID", "PENDING", "PARTIALLY_PAID", "REFUNDED", "VOIDED", None]
        )
        too_much = self._chance.choice([0, 10, 25, 50])
        order["totalReceivedSet"] = money(str(_amount(order["totalPriceSet"]) + too_much))
        return self._tell(order_id)

    def _flag_as_test(self) -> bool:
        order_id, order = self._any_order()
        order["test"] = not order["test"]
        return self._tell(order_id)

    def _merge_customers(self) -> bool:
        kept, merged = self._customer(self._person()), self._customer(self._person())
        theirs = [order_id for order_id, order in self._orders.items() if order["customer"] == merged]
        for order_id in theirs:
            self._orders[order_id]["customer"] = kept
            self._tell(order_id)
        return bool(theirs)

    def _register(self) -> bool:
        """A guest makes an account, which takes over some of the orders with their address, or all."""
        person = self._person()
        email, customer = self._email(person), self._customer(person)
        share = self._chance.choice([0.5, 1])
        theirs = [
            order_id
            for order_id, order in self._orders.items()
            if order["email"] == email and not order["customer"] and self._chance.random() < share
        ]
        for order_id in theirs:
            self._orders[order_id]["customer"] = customer
            self._tell(order_id)
        return bool(theirs)

    def _rename(self) -> bool:
        order_id, order = self._any_order()
        order["email"] = self._chance.choice([None, self._email(self._person())])
        return self._tell(order_id)

    def _delete(self) -> bool:
        order_id, _ = self._any_order()
        del self._orders[order_id]
        for versions in (self._told, self._late):
            versions[:] = [version for version in versions if version.order.record_id != order_id]
        self._gone.append(order_id)
        return True

    def _touch(self) -> bool:
        order_id, order = self._any_order()
        if self.tiktok:
            order["tags"] = self.tiktok.copied()
        return self._tell(order_id)

    def _visit(self) -> bool:
        """The shop finds out how a buyer came, often long after the order, which says nothing of it."""
        order_id, _ = self._any_order()
        self._come(order_id)
        return self._tell(order_id, is_newer=self._chance.random() < 0.3)

    def _restate_visit(self) -> bool:
        order_id = self._visited_order()
        if order_id is None:
            return False
        visit_id = self._chance.choice([*self._visits[order_id]])
        self._visits[order_id][visit_id] |= self._chance.choice(VISITS)
        return self._tell(order_id, is_newer=self._chance.random() < 0.3)

    def _forget_visit(self) -> bool:
        order_id = self._visited_order()
        if order_id is None:
            return False
        self._visits[order_id].popitem()
        return self._tell(order_id, is_newer=self._chance.random() < 0.3)

    def _change_costs(self) -> bool:
        """A cost is added, corrected, moved or taken away, rather a late one."""
        if self.costs is None:
            return False
        known = sorted(self.costs)
        if known and self._chance.random() < 0.4:
            del self.costs[self._chance.choice(known)]
        first = DAYS - self._chance.choice([10, 60, DAYS + 10])
        valid_from = FIRST_DAY + timedelta(days=first + self._chance.randrange(10))
        self.costs[f"SKU-{self._chance.randrange(SKUS)}", valid_from] = f"{self._chance.randrange(99)}.5"
        return True

    def _change_settings(self) -> bool:
        self.merchant = replace(
            self.merchant,
            time_zone=self._chance.choice(ZONES),
            currency=self._chance.choice(["USD", "EUR"]),
            revenue_includes_tax=self._chance.random() < 0.5,
            domains=self._chance.choice([(), ("shop.example",)]),
        )
        return True

    # Helpers.

    def _order(self, at: str, customer: Payload | None, email: str | None) -> bool:
        self._last_id += 1
        [order] = business(
            self._chance.randrange(10**9),
            self._last_id,
            1,
            taxes_included=self._taxes_included,
            currency=self.merchant.currency,
        )
        for part in order["refunds"]:
            part["processedAt"] = self._moment()
        for sold in order["lineItems"]["nodes"]:
            sold["sku"] = f"SKU-{self._chance.randrange(SKUS)}"
        order_id = str(self._last_id)
        tags = self.tiktok.copied() if self.tiktok else []
        self._orders[order_id] = order | {"processedAt": at, "customer": customer, "email": email, "tags": tags}
        for _ in range(self._chance.choice([0, 0, 1, 2])):
            self._come(order_id)
        return self._tell(order_id)

    def _come(self, order_id: str) -> None:
        """By a visit of its own, or by one that led to another order of theirs too."""
        visits, order = self._visits[order_id], self._orders[order_id]
        shared = [
            seen
            for other_id, other in self._orders.items()
            if other_id != order_id and order["customer"] and other["customer"] == order["customer"]
            for seen in self._visits[other_id].items()
        ]
        if shared and self._chance.random() < 0.3:
            visit_id, seen = self._chance.choice(shared)
            visits[visit_id] = dict(seen)
        else:
            self._last_id += 1
            visits[str(self._last_id)] = visit(self._chance, datetime.fromisoformat(order["processedAt"]))

    def _came_by_mail(self) -> list[tuple[Payload, Payload]]:
        """Orders and the visits of theirs that say so."""
        return [
            (order, seen)
            for order_id, order in self._orders.items()
            for seen in self._visits[order_id].values()
            if seen.get("utmParameters", {}).get("source") == "klaviyo"
        ]

    def _visited_order(self) -> str | None:
        found = [order_id for order_id in self._orders if self._visits[order_id]]
        return self._chance.choice(found) if found else None

    def _any_order(self) -> tuple[str, Payload]:
        return self._chance.choice([*self._orders.items()])

    def _any_refund(self) -> tuple[str, Payload] | None:
        found = [(order_id, part) for order_id, order in self._orders.items() for part in order["refunds"]]
        return self._chance.choice(found) if found else None

    def _kept_line(self, order: Payload) -> Payload | None:
        lines = [line for line in order["lineItems"]["nodes"] if line["currentQuantity"] > 0]
        return self._chance.choice(lines) if lines else None

    def _person(self) -> int:
        return self._chance.randint(1, PEOPLE)

    def _customer(self, person: int) -> Payload:
        return {"legacyResourceId": str(person)}

    def _email(self, person: int) -> str:
        """One of the person's two addresses, sometimes one that another person uses too."""
        if self._chance.random() < 0.05:
            person = self._person()
        return f"person{person}.{self._chance.choice('ab')}@example.com"

    def _moment(self) -> str:
        """Any second of these days, often one around midnight, sometimes around that of a clock change."""
        nights, changes = _nights(self.merchant.time_zone)
        near = self._chance.random()
        if near < 0.6:
            at = self._chance.choice(nights) + timedelta(seconds=self._chance.randrange(86_400))
        else:
            night = self._chance.choice(changes if changes and near > 0.95 else nights)
            at = night + timedelta(minutes=self._chance.choice([-60, -1, 0, 1, 60, 180, 1439, 1500]))
        return at.isoformat()

    def _tell(self, order_id: str, is_newer: bool = True) -> bool:
        """The order changed; the vendor says so in a new version. When only a refund's payment did, it may not."""
        order = self._orders[order_id]
        if is_newer:
            self._minutes += 1
            order["updatedAt"] = (OPENED + timedelta(minutes=self._minutes)).isoformat()
        updated_at = datetime.fromisoformat(order["updatedAt"])
        shown = copy.copy(order)
        if self._refunds_apart:
            shown["refunds"] = [{"refundLineItems": part["refundLineItems"]} for part in order["refunds"]]
        self._told.append(
            Version(
                _record(order_id, shown, updated_at),
                tuple(_record(f"{order_id}/{part['legacyResourceId']}", part, updated_at) for part in order["refunds"]),
                tuple(
                    _record(f"{order_id}/{visit_id}", seen, updated_at, "occurredAt")
                    for visit_id, seen in self._visits[order_id].items()
                ),
            )
        )
        return True


@lru_cache
def _nights(time_zone: str) -> tuple[list[datetime], list[datetime]]:
    """Every midnight there, and those of the days whose clocks change."""
    zone = ZoneInfo(time_zone)
    local = [datetime.combine(FIRST_DAY + timedelta(days=number), time(), zone) for number in range(DAYS)]
    changes = [night for night, after in pairwise(local) if night.utcoffset() != after.utcoffset()]
    return [night.astimezone(UTC) for night in local], [night.astimezone(UTC) for night in changes]


def _amount(bag: Payload) -> Decimal:
    return Decimal(bag["shopMoney"]["amount"])


def _is_overpaid(order: Payload) -> bool:
    return bool(order["totalReceivedSet"]) and _amount(order["totalReceivedSet"]) > _amount(order["totalPriceSet"])


def _record(record_id: str, payload: Payload, updated_at: datetime, at: str = "processedAt") -> Record:
    return Record(record_id, datetime.fromisoformat(payload[at]), updated_at, json.dumps(payload).encode())
