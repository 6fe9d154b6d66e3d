"""What can be made to happen in a shop from outside, below `/_admin/shops/{shop}`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sandbox.admin_request import NotThereError, body, cents
from sandbox.business.money import decimal_text
from sandbox.clock import iso
from sandbox.shopify.bulk import LIMIT, Plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from sandbox.business.catalogue import CatalogueProduct
    from sandbox.business.order import Order
    from sandbox.shop import Shop
    from sandbox.shopify.routes import Shopify
    from sandbox.world import World

    Handler = Callable[[Request], Awaitable[Any]]

ACTIONS = {
    "refunds": "refund",
    "edit": "edit",
    "cancel": "cancel",
    "pay": "pay",
    "capture": "capture",
    "void": "void",
    "settle": "settle",
    "fulfil": "fulfil",
    "touch": "touch",
    "move": "move",
}


class ShopAdmin:
    """Handlers over the shops of one sandbox."""

    def __init__(self, world: World, shopify: Shopify) -> None:
        self._world = world
        self._shopify = shopify

    def handlers(self) -> list[tuple[str, Handler, tuple[str, ...]]]:
        """Paths with what answers them, and to which methods."""
        return [
            ("/bulk", self.bulk, ("GET", "POST", "DELETE")),
            ("/customers/merge", self.merge_customers, ("POST",)),
            ("/orders", self.place_order, ("POST",)),
            ("/orders/{order:int}", self.order_itself, ("GET", "DELETE")),
            ("/orders/{order:int}/{action}", self.act, ("POST",)),
            ("/products", self.products, ("GET", "POST")),
            ("/products/{product:int}", self.product_itself, ("GET", "POST", "DELETE")),
        ]

    async def place_order(self, request: Request) -> Any:
        """A new order, visible at once; see `sandbox.world.new_order` for its fields."""
        shop = self.shop(request)
        return summary(self._world.place(shop, cents(await body(request))))

    async def order_itself(self, request: Request) -> Any:
        """The order; DELETE takes it out as if it had never been."""
        shop = self.shop(request)
        order = self.order(request, shop)
        if request.method == "DELETE":
            self._world.happen(shop, "delete_order", {"order": order.id})
        return summary(order)

    async def act(self, request: Request) -> Any:
        """Something happens to an order now; without details a refund is a full one.

        refunds: {full, amount, lines: [{line, quantity}], shipping, processed_at, status, note, withheld};
        edit: {remove: [{line, quantity}], add: [{sku, price, quantity}], remove_shipping}; cancel: {reason};
        pay: {amount}; settle: {status}; move: {processed_at}, to another business day.
        """
        shop = self.shop(request)
        order = self.order(request, shop)
        action = request.path_params["action"]
        if action not in ACTIONS:
            raise NotThereError(f"no action {action!r}; there are {sorted(ACTIONS)}")
        data = cents(await body(request))
        for name in ("lines", "remove"):
            if name in data:
                data[name] = [[int(item["line"]), int(item["quantity"])] for item in data[name]]
        if data.get("shipping"):
            data["shipping"] = "all"
        if action == "refunds" and not {"full", "amount", "lines", "shipping"} & set(data):
            data["full"] = True
        if action == "move" and "processed_at" not in data:
            raise ValueError("a move needs processed_at, the time that the order belongs to")
        if not self._world.react(shop, order, ACTIONS[action], data):
            raise RuntimeError(f"order {order.id} is {order.financial_status} and cannot take {action} {data}")
        return summary(order)

    async def merge_customers(self, request: Request) -> Any:
        """{kept, gone}: two customer ids; the orders of `gone` become those of `kept`."""
        shop = self.shop(request)
        asked = await body(request, {"kept", "gone"})
        if set(asked) != {"kept", "gone"}:
            raise ValueError("a merge needs two customer ids: kept and gone")
        self._world.happen(shop, "merge_customers", asked)
        orders = shop.customers()[int(asked["kept"])].orders
        return {"kept": str(asked["kept"]), "orders": [str(order.id) for order in orders]}

    async def products(self, request: Request) -> Any:
        """What the shop sells; POST adds {title, price, cost, variants}, all of them optional."""
        shop = self.shop(request)
        if request.method == "POST":
            return product_summary(self._world.happen(shop, "add_product", cents(await body(request))))
        return [product_summary(product) for product in shop.products.values()]

    async def product_itself(self, request: Request) -> Any:
        """The product; POST changes {title, status, price, cost}, of one variant if it says which `sku`."""
        shop = self.shop(request)
        product = shop.products.get(request.path_params["product"])
        if product is None:
            raise NotThereError(f"{shop.merchant.domain} has no product {request.path_params['product']}")
        if request.method == "POST":
            changes = cents(await body(request))
            self._world.happen(shop, "change_product", {"product": product.id, "changes": changes})
        elif request.method == "DELETE":
            self._world.happen(shop, "remove_product", {"product": product.id})
        return product_summary(product)

    async def bulk(self, request: Request) -> Any:
        """How the next bulk operations go: POST {polls, outcome, error_code, partial} plans one more of them, {limit}
        says how many may run at once; DELETE takes both back. See `sandbox.shopify.bulk.Plan`."""
        bulk = self._shopify.bulk[self.shop(request).merchant.domain]
        if request.method == "DELETE":
            bulk.plans.clear()
            bulk.limit = LIMIT
        elif request.method == "POST":
            asked = await body(request, {"polls", "outcome", "error_code", "partial", "limit"})
            bulk.limit = int(asked.pop("limit", bulk.limit))
            if asked:
                bulk.plans.append(Plan(**asked))
        operations = [
            {
                "id": str(operation.id),
                "status": operation.status,
                "objects": operation.objects,
                "reason": operation.reason,
                "query": operation.text,
            }
            for operation in bulk.operations.values()
        ]
        return {"limit": bulk.limit, "plans": [asdict(plan) for plan in bulk.plans], "operations": operations}

    def shop(self, request: Request) -> Shop:
        name = request.path_params["shop"]
        shop = self._world.shop(name if "." in name else f"{name}.myshopify.com")
        if shop is None:
            raise NotThereError(f"no shop {name!r}; there are {self._shopify.domains}")
        return shop

    def order(self, request: Request, shop: Shop) -> Order:
        order = shop.orders.get(request.path_params["order"])
        if order is None:
            raise NotThereError(
                f"{shop.merchant.domain} has no order {request.path_params['order']} by {self._world.now()}"
            )
        return order


def summary(order: Order) -> dict[str, Any]:
    """An order in brief."""
    return {
        "id": str(order.id),
        "gid": f"gid://shopify/Order/{order.id}",
        "name": f"#{order.number}",
        "created_at": iso(order.created_at),
        "processed_at": iso(order.processed_at),
        "updated_at": iso(order.updated_at),
        "date_day": order.processed_at.astimezone(order.merchant.zone).date().isoformat(),
        "financial_status": order.financial_status,
        "cancelled": order.cancelled_at is not None,
        "test": order.test,
        "total": decimal_text(order.total),
        "received": decimal_text(order.received),
        "refunded": decimal_text(order.refunded),
        "lines": [
            {"sku": line.product.sku, "quantity": line.quantity, "kept": line.kept, "current": line.current}
            for line in order.lines
        ],
        "refunds": [
            {"id": str(r.id), "processed_at": iso(r.processed_at), "money": decimal_text(r.money)}
            for r in order.refunds
        ],
    }


def product_summary(product: CatalogueProduct) -> dict[str, Any]:
    """A product in brief."""
    return {
        "id": str(product.id),
        "gid": f"gid://shopify/Product/{product.id}",
        "title": product.title,
        "status": product.status,
        "created_at": iso(product.created_at),
        "updated_at": iso(product.updated_at),
        "variants": [
            {
                "id": str(variant.id),
                "sku": variant.sku,
                "price": decimal_text(variant.price),
                "cost": decimal_text(variant.cost) if variant.cost is not None else None,
            }
            for variant in product.variants
        ],
    }
