"""What a shop sells, as its product pages stand now; orders keep what was sold, whatever happens here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.business.money import rounded

if TYPE_CHECKING:
    from sandbox.business.merchants import Merchant, Product

CHANGES = {"title", "status", "price", "cost", "sku"}
STATUSES = {"ACTIVE", "ARCHIVED", "DRAFT", "UNLISTED"}
MAX_VARIANTS = 2048
WITHOUT_COST = 10
"""Which product of every merchant has no cost: shops leave some out."""


@dataclass(slots=True)
class Variant:
    id: int
    product_id: int
    title: str
    sku: str
    price: int
    cost: int | None
    position: int
    taxable: bool
    created_at: datetime
    updated_at: datetime

    @property
    def inventory_item_id(self) -> int:
        return self.id + 40_000_000_000


@dataclass(slots=True)
class CatalogueProduct:
    id: int
    title: str
    handle: str
    vendor: str
    product_type: str
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    variants: list[Variant]
    status: str = "ACTIVE"

    def change(self, changes: dict[str, Any], at: datetime) -> None:
        """A new title or status; a new price or cost, of all variants or of the one with `sku`."""
        unknown = set(changes) - CHANGES
        if unknown:
            raise ValueError(f"a product cannot change {sorted(unknown)}; it has {sorted(CHANGES)}")
        if changes.get("status", "ACTIVE") not in STATUSES:
            raise ValueError(f"there is no product status {changes['status']!r}; there are {sorted(STATUSES)}")
        meant = [variant for variant in self.variants if changes.get("sku", variant.sku) == variant.sku]
        if not meant:
            raise LookupError(f"product {self.id} has no variant {changes['sku']!r}")
        self.title = changes.get("title", self.title)
        self.status = changes.get("status", self.status)
        for variant in meant if {"price", "cost"} & set(changes) else ():
            variant.price = changes.get("price", variant.price)
            variant.cost = changes.get("cost", variant.cost)
            variant.updated_at = at
        self.updated_at = at


def opening(merchant: Merchant, opened: datetime) -> dict[int, CatalogueProduct]:
    """The merchant's products, made and last changed on days before the simulation begins."""
    products = {}
    for number, product in enumerate(merchant.products):
        created_at = opened - timedelta(days=200 - 7 * number, hours=number)
        updated_at = opened - timedelta(days=3 + number, minutes=11 * number)
        products[product.id] = _first(merchant, product, number, created_at, updated_at)
    return products


def _first(
    merchant: Merchant, product: Product, number: int, created_at: datetime, updated_at: datetime
) -> CatalogueProduct:
    cost = None if number == WITHOUT_COST else rounded(product.price * (35 + 4 * (number % 7)), 100)
    variant = Variant(
        product.variant_id,
        product.id,
        "Default Title",
        product.sku,
        product.price,
        cost,
        1,
        product.taxable,
        created_at,
        updated_at,
    )
    kind = product.sku.split("-")[1].title()
    return CatalogueProduct(
        product.id,
        product.title,
        _handle(product.title),
        merchant.name,
        kind,
        ("bestseller", kind.lower()) if number % 3 == 0 else (),
        created_at,
        updated_at,
        [variant],
    )


def added(merchant: Merchant, number: int, at: datetime, spec: dict[str, Any]) -> CatalogueProduct:
    """A new product from a plain description, with `variants` of them, at one `price` and `cost`."""
    known = {"title", "price", "cost", "variants"}
    if set(spec) - known:
        raise ValueError(f"a product has no field {sorted(set(spec) - known)}; it has {sorted(known)}")
    count = int(spec.get("variants", 1))
    if not 1 <= count <= MAX_VARIANTS:
        raise ValueError(f"a product cannot have {count} variants; it has 1 to {MAX_VARIANTS}")
    product_id = merchant.products[0].id + 1_000_000 * (number + 1)
    title = str(spec.get("title", f"Novelty {number + 1}"))
    variants = [
        Variant(
            product_id + 500 + position,
            product_id,
            "Default Title" if count == 1 else f"Size {position}",
            f"{merchant.products[0].sku[:2]}-NEW{number + 1}-{position}",
            int(spec.get("price", 1_000)),
            int(spec["cost"]) if spec.get("cost") is not None else None,
            position,
            True,
            at,
            at,
        )
        for position in range(1, count + 1)
    ]
    return CatalogueProduct(product_id, title, _handle(title), merchant.name, "Novelty", (), at, at, variants)


def _handle(title: str) -> str:
    """A title as it stands in an address."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
