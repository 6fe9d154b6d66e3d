"""The sandbox's own routes, below `/_admin`: move the clock, make things happen, inject faults, and tell the truth.

Amounts are decimal strings. What cannot be done is answered with 400, 404 or 409 and a sentence in `error`.
"""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.business import truth
from sandbox.business.merchants import DIRECT
from sandbox.business.money import decimal_text
from sandbox.clock import iso, parse_instant
from sandbox.faults import Fault
from sandbox.shopify.routes import SCOPES, Shopify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from sandbox.business.order import Order, Visit
    from sandbox.slack import Slack
    from sandbox.world import Shop, World

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
}
AMOUNTS = {"price", "discount", "shipping", "tip", "amount", "withheld"}


class NotThereError(LookupError):
    """Something that an admin route names does not exist."""


class Admin:
    """Handlers over one sandbox."""

    def __init__(self, world: World, shopify: Shopify, slack: Slack, faults: list[Fault]) -> None:
        self._world = world
        self._shopify = shopify
        self._slack = slack
        self._faults = faults

    def routes(self) -> list[Route]:
        def route(path: str, handler: Callable[[Request], Awaitable[Any]], *methods: str) -> Route:
            async def answer(request: Request) -> Response:
                try:
                    return JSONResponse(await handler(request))
                except NotThereError as error:
                    return JSONResponse({"error": str(error)}, 404)
                except (ValueError, LookupError, TypeError) as error:
                    return JSONResponse({"error": str(error)}, 400)
                except RuntimeError as error:
                    return JSONResponse({"error": str(error)}, 409)

            return Route("/_admin" + path, answer, methods=list(methods))

        return [
            route("/health", self.health, "GET"),
            route("/clock", self.clock, "GET", "POST"),
            route("/faults", self.faults, "GET", "POST", "DELETE"),
            route("/tokens/{token}/{verb:str}", self.token, "POST"),
            route("/slack/messages", self.slack_messages, "GET", "DELETE"),
            route("/shops/{shop}/tokens", self.issue_token, "POST"),
            route("/shops/{shop}/orders", self.place_order, "POST"),
            route("/shops/{shop}/orders/{order:int}", self.order, "GET"),
            route("/shops/{shop}/orders/{order:int}/{action}", self.act, "POST"),
            route("/truth/{shop}/days", self.truth_days, "GET"),
            route("/truth/{shop}/orders/{order:int}", self.truth_order, "GET"),
        ]

    async def health(self, request: Request) -> Any:
        shops = {domain: self._world.shop(domain) for domain in self._shopify.domains}
        return {
            "status": "ok",
            "now": iso(self._world.now()),
            "seed": self._world.seed,
            "first_day": self._world.first_day.isoformat(),
            "orders": {domain: len(shop.orders) for domain, shop in shops.items() if shop},
        }

    async def clock(self, request: Request) -> Any:
        """`{"freeze": "<time>" or true}`, `{"advance_seconds": n}` or `{"run": true}`."""
        clock = self._world.clock
        if request.method == "POST":
            asked = await _body(request, {"freeze", "advance_seconds", "run"})
            if "freeze" in asked:
                clock.freeze(clock.now() if asked["freeze"] is True else parse_instant(asked["freeze"]))
            if "advance_seconds" in asked:
                clock.advance(timedelta(seconds=int(asked["advance_seconds"])))
            if asked.get("run"):
                clock.run()
            self._world.record_clock()
        return clock.state()

    async def faults(self, request: Request) -> Any:
        if request.method == "DELETE":
            self._faults.clear()
        elif request.method == "POST":
            self._faults.append(Fault(**await _body(request, {"route", "kind", "times", "skip", "options"})))
        return [
            {"route": f.route, "kind": f.kind, "times": f.times, "skip": f.skip, "options": f.options, "hits": f.hits}
            for f in self._faults
        ]

    async def token(self, request: Request) -> Any:
        """Revoke a token, or make it good again."""
        name, verb = request.path_params["token"], request.path_params["verb"]
        token = self._shopify.tokens.get(name)
        if token is None or verb not in ("revoke", "restore"):
            raise NotThereError("no such token, or not one of revoke and restore")
        token.revoked = verb == "revoke"
        return {"revoked": token.revoked}

    async def issue_token(self, request: Request) -> Any:
        """A token with chosen `scopes`, valid for `expires_in` seconds or for ever."""
        asked = await _body(request, {"scopes", "expires_in"})
        name = f"shpat_{secrets.token_hex(16)}"
        scopes = frozenset(asked.get("scopes", SCOPES))
        self._shopify.issue(self._shop(request).merchant.domain, name, scopes, asked.get("expires_in"))
        return {"access_token": name, "scopes": sorted(scopes)}

    async def slack_messages(self, request: Request) -> Any:
        if request.method == "DELETE":
            self._slack.messages.clear()
        return self._slack.messages

    async def place_order(self, request: Request) -> Any:
        """A new order, visible at once; see `sandbox.world.new_order` for its fields."""
        shop = self._shop(request)
        return summary(self._world.place(shop, _cents(await _body(request))))

    async def order(self, request: Request) -> Any:
        return summary(self._order(request, self._shop(request)))

    async def act(self, request: Request) -> Any:
        """Something happens to an order now; without details a refund is a full one.

        refunds: {full, amount, lines: [{line, quantity}], shipping, processed_at, status, note, withheld};
        edit: {remove: [{line, quantity}], add: [{sku, price, quantity}], remove_shipping}; cancel: {reason};
        pay: {amount}; settle: {status}.
        """
        shop = self._shop(request)
        order = self._order(request, shop)
        action = request.path_params["action"]
        if action not in ACTIONS:
            raise NotThereError(f"no action {action!r}; there are {sorted(ACTIONS)}")
        data = _cents(await _body(request))
        for name in ("lines", "remove"):
            if name in data:
                data[name] = [[int(item["line"]), int(item["quantity"])] for item in data[name]]
        if data.get("shipping"):
            data["shipping"] = "all"
        if action == "refunds" and not {"full", "amount", "lines", "shipping"} & set(data):
            data["full"] = True
        if not self._world.react(shop, order, ACTIONS[action], data):
            raise RuntimeError(f"order {order.id} is {order.financial_status} and cannot take {action} {data}")
        return summary(order)

    async def truth_days(self, request: Request) -> Any:
        shop = self._shop(request)
        today = self._world.now().astimezone(shop.merchant.zone).date()
        totals = truth.days(shop.merchant, shop.orders.values(), self._world.first_day, today)
        return [{"date_day": day.isoformat(), **total.row()} for day, total in totals.items()]

    async def truth_order(self, request: Request) -> Any:
        order = self._order(request, self._shop(request))
        source = order.true_source
        lines = [truth.line_amounts(order.merchant, line) for line in order.lines]
        refunds = [truth.refund_amounts(refund) for refund in order.refunds]
        return {
            **summary(order),
            "is_counted": truth.is_counted(order),
            "gross_sales": decimal_text(sum(gross for gross, _ in lines)),
            "discounts": decimal_text(sum(discount for _, discount in lines)),
            "shipping": decimal_text(truth.shipping_amount(order)),
            "tax": decimal_text(order.tax - sum(tax for _, tax in refunds)),
            "refunds": decimal_text(sum(sales for sales, _ in refunds)),
            "source": {"source": source.source, "medium": source.medium, "campaign": source.campaign}
            if source
            else None,
            "visits": [_visit(visit) for visit in order.visits],
        }

    def _shop(self, request: Request) -> Shop:
        name = request.path_params["shop"]
        shop = self._world.shop(name if "." in name else f"{name}.myshopify.com")
        if shop is None:
            raise NotThereError(f"no shop {name!r}; there are {self._shopify.domains}")
        return shop

    def _order(self, request: Request, shop: Shop) -> Order:
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


def _visit(visit: Visit) -> dict[str, Any]:
    source = visit.source
    return {
        "occurred_at": iso(visit.at),
        "source": source.source,
        "medium": source.medium,
        "campaign": source.campaign,
        "is_direct": source is DIRECT,
    }


async def _body(request: Request, known: set[str] | None = None) -> dict[str, Any]:
    raw = await request.body()
    asked = json.loads(raw) if raw else {}
    if not isinstance(asked, dict):
        raise ValueError("the body is not a JSON object")
    if known is not None and set(asked) - known:
        raise ValueError(f"unknown fields {sorted(set(asked) - known)}; this route takes {sorted(known)}")
    return asked


def _cents(value: Any) -> Any:
    """The body with its amounts in cents, wherever they stand."""
    if isinstance(value, list):
        return [_cents(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _amount(key, inner) if key in AMOUNTS and isinstance(inner, str | int) and not isinstance(inner, bool)
        else _cents(inner)
        for key, inner in value.items()
    }  # fmt: skip


def _amount(name: str, value: str | int) -> int:
    try:
        cents = Decimal(value) * 100
    except InvalidOperation:
        raise ValueError(f'{name} {value!r} is not an amount; write it like "12.50"') from None
    if cents != cents.to_integral_value() or cents < 0:
        raise ValueError(f"{name} {value!r} is negative or has fractions of a cent")
    return int(cents)
