"""What can be made to happen in a merchant's TikTok Shop from outside, below `/_admin/shops/{shop}/tiktok`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.admin_request import NotThereError, body, cents
from sandbox.business.money import decimal_text
from sandbox.business.tiktok_order import REFUNDED_CANCELLATION, REFUNDED_RETURN, REPLACED_RETURN
from sandbox.business.tiktok_truth import Truth
from sandbox.clock import iso

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from sandbox.business.tiktok_order import TikTokOrder
    from sandbox.shop import Shop
    from sandbox.world import World

    Handler = Callable[[Request], Awaitable[Any]]

ACTIONS: dict[str, set[str]] = {
    "pay": set(),
    "ship": set(),
    "deliver": set(),
    "complete": set(),
    "settle": set(),
    "cancel": {"units", "role", "reason", "status"},
    "return": {"units", "type", "role", "reason", "shipping", "amount", "exchange", "status"},
    "return_status": {"return", "status", "amount", "buyer_rejected"},
    "edit_return": {"return", "type", "status"},
}
"""What can happen to an order, with the details that it takes."""


class TikTokSalesAdmin:
    """Handlers over the TikTok Shops of one sandbox."""

    def __init__(self, world: World, shop: Callable[[Request], Shop]) -> None:
        self._world = world
        self._shop = shop

    def handlers(self) -> list[tuple[str, Handler, tuple[str, ...]]]:
        """Paths with what answers them, and to which methods."""
        return [
            ("/tiktok/orders", self.place_order, ("POST",)),
            ("/tiktok/orders/{order:int}", self.order_itself, ("GET",)),
            ("/tiktok/orders/{order:int}/{action}", self.act, ("POST",)),
            ("/tiktok/truth", self.truth, ("GET",)),
        ]

    async def place_order(self, request: Request) -> Any:
        """A new order; see `sandbox.business.tiktok_placing.place` for its fields."""
        shop = self._shop(request)
        return summary(self._world.happen(shop, "place_tiktok_order", cents(await body(request))))

    async def order_itself(self, request: Request) -> Any:
        return summary(self._order(request, self._shop(request)))

    async def act(self, request: Request) -> Any:
        """Something happens to an order now; cancellations and returns are complete unless `status` says otherwise.

        cancel: {units, role, reason, status}, of the whole order without units; return: {units, type, shipping, amount,
        exchange, role, reason, status}, where `amount` is what the seller proposed to pay back instead;
        return_status: {return, status, amount, buyer_rejected}; edit_return: {return, type, status}.
        """
        shop = self._shop(request)
        order = self._order(request, shop)
        action = request.path_params["action"]
        if action not in ACTIONS:
            raise NotThereError(f"no action {action!r}; there are {sorted(ACTIONS)}")
        data = cents(await body(request, ACTIONS[action]))
        if "return" in data:
            data["key"] = self._return_key(order, str(data.pop("return")))
        new_key = len(order.aftersales) + 50
        if action == "cancel":
            data = {"key": new_key, "status": REFUNDED_CANCELLATION, **data}
        elif action == "return":
            done = REPLACED_RETURN if data.get("type") == "REPLACEMENT" else REFUNDED_RETURN
            data = {"key": new_key, "status": done, **data}
        elif action == "edit_return":
            data = {"new_key": new_key, **data}
        self._world.happen(shop, "tiktok_event", {"order": order.id, "event": action, "data": data})
        return summary(order)

    async def truth(self, request: Request) -> Any:
        """Every order and every business day as product rules define them."""
        shop = self._shop(request)
        truth = Truth(shop.tiktok, set(shop.orders))
        today = self._world.now().astimezone(shop.merchant.zone).date()
        return {"orders": truth.orders(), "days": truth.days(self._world.first_day, today)}

    def _order(self, request: Request, shop: Shop) -> TikTokOrder:
        order = shop.tiktok.known.get(request.path_params["order"])
        if order is None:
            raise NotThereError(f"{shop.merchant.domain} has no TikTok order {request.path_params['order']}")
        return order

    def _return_key(self, order: TikTokOrder, return_id: str) -> int:
        for one in order.returns:
            if str(one.id) == return_id:
                return one.key
        raise NotThereError(f"TikTok order {order.id} has no return {return_id}")


def summary(order: TikTokOrder) -> dict[str, Any]:
    """An order in brief."""
    return {
        "id": str(order.id),
        "user_id": order.user_id,
        "status": order.status,
        "created_at": iso(order.created_at),
        "updated_at": iso(order.updated_at),
        "total": decimal_text(order.total),
        "hidden": order.hidden,
        "settled": order.settled_at is not None,
        "mirror_id": str(order.mirror.id) if order.mirror else None,
        "units": [{"id": str(unit.id), "sku": unit.product.sku} for unit in order.units],
        "cancellations": [
            {"id": str(one.id), "status": one.status, "refund": decimal_text(one.money.total)}
            for one in order.cancellations
        ],
        "returns": [
            {"id": str(one.id), "type": one.kind, "status": one.status, "refund": decimal_text(one.money.total)}
            for one in order.returns
        ],
    }
