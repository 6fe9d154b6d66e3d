"""The fields of QueryRoot that the sandbox simulates, for one request."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from sandbox.shopify import search, shop_views, shopifyql
from sandbox.shopify.access import not_simulated, require
from sandbox.shopify.cost import MAX_PAGE_SIZE
from sandbox.shopify.pages import connection
from sandbox.shopify.values import View, gid
from sandbox.shopify.views import OrderView

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.business.order import Order
    from sandbox.shop import Shop
    from sandbox.shopify.access import Grant, Info
    from sandbox.shopify.pages import Rows
    from sandbox.world import Settings, World

SUPPORTED_VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")
HORIZON = timedelta(days=60)
TIMES = {"UPDATED_AT": "updated_at", "CREATED_AT": "created_at"}
SORTS = {
    "orders": {**TIMES, "PROCESSED_AT": "processed_at", "ID": "id"},
    "products": {**TIMES, "ID": "id", "TITLE": "title"},
    "variants": {"ID": "id", "SKU": "sku"},
    "customers": {**TIMES, "ID": "id"},
}
SEARCHES = {
    "orders": search.ORDERS,
    "products": search.PRODUCTS,
    "variants": search.VARIANTS,
    "customers": search.CUSTOMERS,
}
SCOPES = {
    "orders": "read_orders",
    "products": "read_products",
    "variants": "read_products",
    "customers": "read_customers",
}
NODES = {
    "Order": "orders",
    "Refund": "orders",
    "LineItem": "orders",
    "Customer": "customers",
    "Product": "products",
    "ProductVariant": "variants",
}
"""The kinds of objects that can be had by their global id, and the table that has them."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of a top-level connection in ascending order, and how to show one."""

    rows: Rows
    view: Callable[[int], Any]


@dataclass(slots=True)
class Root:
    """What a token sees of a shop."""

    world: World
    shop: Shop
    grant: Grant
    settings: Settings
    search_notes: list[dict[str, Any]] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """The value that a query is executed on."""
        return {
            **{name: self._pager(name) for name in self.listings},
            "shop": self._shop,
            "ordersCount": self._counter("orders"),
            "customersCount": self._counter("customers"),
            "productsCount": self._counter("products"),
            "order": self._single("Order"),
            "customer": self._single("Customer"),
            "product": self._single("Product"),
            "productVariant": self._single("ProductVariant"),
            "shopifyqlQuery": self._report,
            "node": lambda info, id: self._node(info, id),  # noqa: A006 (the vendor's name)
            "nodes": self._nodes,
            "publicApiVersions": [
                {"handle": version, "displayName": version, "supported": version != "unstable"}
                for version in (*SUPPORTED_VERSIONS, "unstable")
            ],
            "currentAppInstallation": self._installation,
        }

    @property
    def listings(self) -> dict[str, Callable[[Info, dict[str, Any]], Listing]]:
        """The connections, before they are cut into pages; a bulk operation reads them whole."""
        return {
            "orders": self._lister("orders"),
            "products": self._lister("products"),
            "productVariants": self._lister("variants"),
            "customers": self._lister("customers"),
            "draftOrders": self._drafts,
        }

    def _pager(self, name: str) -> Callable[..., Any]:
        def page(info: Info, **arguments: Any) -> Any:
            listing = self.listings[name](info, arguments)
            return connection(listing.rows, listing.view, arguments, self.settings.page_cap)

        return page

    def _lister(self, table: str) -> Callable[[Info, dict[str, Any]], Listing]:
        def listing(info: Info, arguments: dict[str, Any]) -> Listing:
            sort = SORTS[table].get(arguments["sortKey"])
            if sort is None:
                raise not_simulated(f"{table} sorted by {arguments['sortKey']}; they sort by {sorted(SORTS[table])}")
            rows = self._matching(info, table, arguments.get("query"), sort)
            items = self.shop.table(table)
            return Listing(rows, lambda number: self._view(table, items[number]))

        return listing

    def _drafts(self, info: Info, arguments: dict[str, Any]) -> Listing:
        require(info, self.grant, "read_orders", "read_draft_orders")
        by_id = {draft.id: draft for draft in self.shop.drafts}
        rows = [(number, number) for number in sorted(by_id)]
        return Listing(rows, lambda number: shop_views.draft(by_id[number], self.shop.merchant))

    def _counter(self, table: str) -> Callable[..., Any]:
        def count(info: Info, limit: int | None, query: str | None = None, **_: Any) -> Any:
            found = len(self._matching(info, table, query, "id"))
            exact = limit is None or found <= limit
            return {"count": found if exact else limit, "precision": "EXACT" if exact else "AT_LEAST"}

        return count

    def _matching(self, info: Info, table: str, query: str | None, sort: str) -> list[tuple[Any, int]]:
        """What a search finds and the token may see, in order."""
        require(info, self.grant, SCOPES[table])
        found = search.parse(query, self.shop.merchant.zone, SEARCHES[table])
        if found.warnings:
            self.search_notes.append({"path": [info.field_name], "query": query, "warnings": list(found.warnings)})
        rows = self.shop.sorted_by(sort, table)
        low, high = found.windows.get(sort, (None, None))
        start = bisect_left(rows, low, key=itemgetter(0)) if low else 0
        stop = bisect_left(rows, high, key=itemgetter(0)) if high else len(rows)
        items = self.shop.table(table)
        tests = list(found.tests)
        if table == "orders" and "read_all_orders" not in self.grant.scopes:
            tests.append(self._visible)
        return [row for row in rows[start:stop] if all(test(items[row[1]]) for test in tests)]

    def _view(self, table: str, item: Any) -> View:
        if table == "orders":
            return OrderView(item, self.shop, self.world.now, self.settings.journey_delay).build()
        if table == "customers":
            return shop_views.customer(self.shop, item.id)
        return (shop_views.product if table == "products" else shop_views.variant)(self.shop, item, self.grant)

    def _visible(self, order: Order) -> bool:
        """Without read_all_orders, only the last 60 days exist."""
        return "read_all_orders" in self.grant.scopes or order.created_at >= self.world.now() - HORIZON

    def _single(self, kind: str) -> Callable[..., Any]:
        return lambda info, id: self._node(info, id, kind)  # noqa: A006 (the vendor's name)

    def _nodes(self, info: Info, ids: list[str]) -> Any:
        if len(ids) > MAX_PAGE_SIZE:
            raise GraphQLError(
                f"The input array size of {len(ids)} is greater than the maximum allowed of {MAX_PAGE_SIZE}.",
                extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
            )
        return [self._node(info, gid) for gid in ids]

    def _node(self, info: Info, gid: str, only: str | None = None) -> Any:
        """An object by its global id; the number of a refund or line begins with its order's."""
        match = re.fullmatch(r"gid://shopify/(\w+)/(\d+)", gid)
        if match is None:
            raise GraphQLError(f"Invalid global id '{gid}'", extensions={"code": "argumentLiteralsIncompatible"})
        kind, number = match[1], int(match[2])
        if kind not in NODES or (only and kind != only):
            return None
        table = NODES[kind]
        require(info, self.grant, SCOPES[table])
        child = kind in ("Refund", "LineItem")
        item = self.shop.table(table).get(number // 1000 if child else number)
        if item is None or (table == "orders" and not self._visible(item)):
            return None
        view = self._view(table, item)
        if not child:
            return view
        children = view["refunds"](None) if kind == "Refund" else view["lineItems"](None)["nodes"](None)
        return next((one for one in children if one["id"] == gid), None)

    def _report(self, info: Info, query: str) -> View:
        require(info, self.grant, "read_reports")
        return shopifyql.answer(query, self.shop)

    def _shop(self, info: Info) -> View:
        local = self.world.now().astimezone(self.shop.merchant.zone)
        return shop_views.shop_itself(self.shop.merchant, local.utcoffset() or timedelta(), local.tzname() or "")

    def _installation(self, info: Info) -> View:
        scopes = [{"handle": scope, "description": scope.replace("_", " ")} for scope in sorted(self.grant.scopes)]
        return {"id": gid("AppInstallation", 1), "accessScopes": scopes}
