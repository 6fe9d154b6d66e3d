"""Customers: who they are, without their names and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tributary.channels.records import decoded
from tributary.channels.shopify.reading import CHANGED, CREATED, Accepted, Collection, read, read_by_id, to_page
from tributary.channels.shopify.shapes import Key, Time, instant
from tributary.declaration import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import Page


class _EmailAddress(msgspec.Struct, rename="camel", gc=False):
    email_address: str


class Customer(msgspec.Struct, rename="camel", gc=False):
    """A customer account, or what Shopify keeps of a guest."""

    legacy_resource_id: Key
    created_at: Time
    updated_at: Time
    verified_email: bool
    default_email_address: _EmailAddress | None

    def record(self, payload: bytes) -> Record:
        """The customer as a record, at the time it was created."""
        created_at, updated_at = instant("createdAt", self.created_at), instant("updatedAt", self.updated_at)
        return Record(self.legacy_resource_id, created_at, updated_at, payload)


_CUSTOMER = msgspec.json.Decoder(Customer, strict=False)


def accept(_: ShopifyApi, payload: bytes, sound: bool) -> Accepted:
    """A customer: nothing in it can be cut."""
    return Accepted(decoded(_CUSTOMER, payload, sound)[1], {})


CUSTOMERS = Collection("Customer", "customers", "Customers", "CustomersById", accept)


def changed_customers(api: ShopifyApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Customers by the time of their last change; each order is one."""
    return read(api, CUSTOMERS, CHANGED, start, end)


def customers_created(api: ShopifyApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Customers by the time they were created."""
    return read(api, CUSTOMERS, CREATED, start, end)


def customers_by_id(api: ShopifyApi, ids: Sequence[str]) -> Iterator[Page]:
    """Customers as they are now."""
    return read_by_id(api, CUSTOMERS, ids)


def replayed_customer(api: ShopifyApi, payload: bytes) -> Page:
    """A dead letter's bytes as a page of one customer, or of one reject."""
    return to_page(api, CUSTOMERS, [payload], sound=False)
