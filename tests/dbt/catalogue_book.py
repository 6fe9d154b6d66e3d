"""Beside a merchant's orders: what it sells, which is listed, changed and taken off, in both shops."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.dbt.tiktok_book import OPENED
from tributary.declaration import Page, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.dbt.tiktok import Payload

EVENTS = {
    "list_product": 8,
    "rename_product": 5,
    "sell_product": 5,
    "delete_product": 3,
    "list_variant": 5,
    "reprice_variant": 6,
    "sell_variant": 5,
    "drop_variant": 3,
    "list_in_tiktok": 6,
    "rename_in_tiktok": 4,
    "reprice_in_tiktok": 4,
    "sell_in_tiktok": 4,
    "delete_in_tiktok": 2,
}
"""Each a method of the book, with its weight. What is sold changes nothing but the stock."""
HISTORY = 60
SHOP, TIKTOK = "shopify_products", "tiktok_shop_products"


class CatalogueBook:
    """Products with the times when they were created; those of Shopify hold their variants, those of TikTok one SKU."""

    def __init__(self, seed: int, moment: Callable[[], str]) -> None:
        self._chance = random.Random(seed)
        self._moment = moment
        self.happened: Counter[str] = Counter()
        self._listed: dict[str, dict[str, Payload]] = {SHOP: {}, TIKTOK: {}}
        self._gone: dict[str, list[str]] = {SHOP: [], TIKTOK: []}
        self._variants: dict[str, dict[str, Payload]] = {}
        self._versions = 0
        self.play(HISTORY)

    def play(self, events: int) -> None:
        """Let that many things happen."""
        for name in self._chance.choices([*EVENTS], [*EVENTS.values()], k=events):
            getattr(self, f"_{name}")()
            self.happened[name] += 1

    def pages(self, table: str) -> Iterator[Page]:
        """What a sync of that stream reads: everything that is listed."""
        listed = self._listed[table]
        variants = [
            _record(f"{product_id}/{variant_id}", variant)
            for product_id in listed
            for variant_id, variant in self._variants.get(product_id, {}).items()
        ]
        children = {"variants": variants} if table == SHOP else {}
        yield Page([_record(product_id, product) for product_id, product in listed.items()], children=children)
        yield Page((), gone=self._gone[table])
        self._gone[table] = []

    # What can happen.

    def _list_product(self) -> None:
        product_id = self._list(SHOP, {"title": "Tent", "status": "ACTIVE", "vendor": "V", "productType": "Tents"})
        self._variants[product_id] = {}
        self._add_variant(product_id)

    def _rename_product(self) -> None:
        self._change(SHOP, title=f"Tent {self._versions}")

    def _sell_product(self) -> None:
        self._change(SHOP, totalInventory=self._versions)

    def _delete_product(self) -> None:
        self._delete(SHOP)

    def _list_variant(self) -> None:
        if self._listed[SHOP]:
            self._add_variant(self._chance.choice([*self._listed[SHOP]]))

    def _reprice_variant(self) -> None:
        self._change_variant(price=f"{self._versions}.50")

    def _sell_variant(self) -> None:
        self._change_variant(inventoryQuantity=self._versions)

    def _drop_variant(self) -> None:
        for product_id in [key for key in self._listed[SHOP] if len(self._variants[key]) > 1][:1]:
            self._variants[product_id].popitem()
            self._say(self._listed[SHOP][product_id])

    def _list_in_tiktok(self) -> None:
        self._list(TIKTOK, {"title": "Lamp", "status": "ACTIVATE", "skus": [{"id": "1", "seller_sku": "SKU-1"}]})

    def _rename_in_tiktok(self) -> None:
        self._change(TIKTOK, title=f"Lamp {self._versions}")

    def _reprice_in_tiktok(self) -> None:
        price = {"currency": "USD", "tax_exclusive_price": f"{self._versions}.50"}
        self._change(TIKTOK, skus=[{"id": "1", "seller_sku": "SKU-1", "price": price}])

    def _sell_in_tiktok(self) -> None:
        self._change(TIKTOK, sold=self._versions)

    def _delete_in_tiktok(self) -> None:
        self._delete(TIKTOK)

    # Helpers.

    def _list(self, table: str, product: Payload) -> str:
        product_id = f"P{self._versions}"
        self._listed[table][product_id] = product | {"createdAt": self._moment()}
        self._say(self._listed[table][product_id])
        return product_id

    def _change(self, table: str, **changed: object) -> None:
        if self._listed[table]:
            product = self._chance.choice([*self._listed[table].values()])
            product |= changed
            self._say(product)

    def _delete(self, table: str) -> None:
        if self._listed[table]:
            product_id = self._chance.choice([*self._listed[table]])
            del self._listed[table][product_id]
            self._gone[table].append(product_id)

    def _add_variant(self, product_id: str) -> None:
        """It may come long after its product, and is created when it comes."""
        variant = {"title": "Red", "sku": "SKU-1", "price": "5.00", "createdAt": self._moment()}
        self._variants[product_id][f"V{self._versions}"] = variant
        self._say(variant, self._listed[SHOP][product_id])

    def _change_variant(self, **changed: object) -> None:
        if self._listed[SHOP]:
            product_id = self._chance.choice([*self._listed[SHOP]])
            variant = self._chance.choice([*self._variants[product_id].values()])
            variant |= changed
            self._say(variant, self._listed[SHOP][product_id])

    def _say(self, *items: Payload) -> None:
        self._versions += 1
        for item in items:
            item["updatedAt"] = (OPENED + timedelta(minutes=self._versions)).isoformat()


def _record(record_id: str, item: Payload) -> Record:
    created, updated = datetime.fromisoformat(item["createdAt"]), datetime.fromisoformat(item["updatedAt"])
    return Record(record_id, created, updated, json.dumps(item).encode())
