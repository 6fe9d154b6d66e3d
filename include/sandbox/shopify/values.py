"""The small values that all views are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.business.money import rounded, vendor_text
from sandbox.business.order import PPM
from sandbox.clock import iso

if TYPE_CHECKING:
    from datetime import datetime

View = dict[str, Any]


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def instant(value: datetime | None) -> str | None:
    return iso(value) if value else None


def money(cents: int, currency: str) -> View:
    return {"__typename": "MoneyV2", "amount": vendor_text(cents), "currencyCode": currency}


@dataclass(frozen=True, slots=True)
class MoneyBag:
    """An amount in the shop's money and in the customer's, each written out when asked for."""

    cents: int
    currency: str
    presentment_currency: str
    presentment_rate: int

    def __getitem__(self, name: str) -> View:
        if name == "shopMoney":
            return money(self.cents, self.currency)
        return money(rounded(self.cents * self.presentment_rate, PPM), self.presentment_currency)
