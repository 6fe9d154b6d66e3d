"""The sandbox's own routes, below `/_admin`: move the clock, make things happen, inject faults, and tell the truth.

Amounts are decimal strings. What cannot be done is answered with 400, 404 or 409 and a sentence in `error`.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.admin_request import NotThereError, body, route
from sandbox.admin_shops import ShopAdmin, summary
from sandbox.admin_tiktok_sales import TikTokSalesAdmin
from sandbox.business import truth
from sandbox.business.merchants import DIRECT
from sandbox.business.money import decimal_text
from sandbox.business.true_sources import true_sources
from sandbox.clock import iso, parse_instant
from sandbox.faults import Fault
from sandbox.shopify.routes import SCOPES, Shopify

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.business.order import Visit
    from sandbox.pagerduty import PagerDuty
    from sandbox.slack import Slack
    from sandbox.world import World


class Admin:
    """Handlers over one sandbox."""

    def __init__(self, world: World, shopify: Shopify, slack: Slack, pagerduty: PagerDuty, faults: list[Fault]) -> None:
        self._world = world
        self._shopify = shopify
        self._slack = slack
        self._pagerduty = pagerduty
        self._faults = faults
        self._shops = ShopAdmin(world, shopify)
        self._tiktok = TikTokSalesAdmin(world, self._shops.shop)

    def routes(self) -> list[Route]:
        handlers = [*self._shops.handlers(), *self._tiktok.handlers()]
        return [
            route("/health", self.health, "GET"),
            route("/clock", self.clock, "GET", "POST"),
            route("/faults", self.faults, "GET", "POST", "DELETE"),
            route("/tokens/{token}/{verb:str}", self.token, "POST"),
            route("/slack/messages", self.slack_messages, "GET", "DELETE"),
            route("/pagerduty/alerts", self.pagerduty_alerts, "GET", "DELETE"),
            route("/shops/{shop}/tokens", self.issue_token, "POST"),
            route("/shops/{shop}/truth/sources", self.truth_sources, "GET"),
            *(route("/shops/{shop}" + path, handler, *methods) for path, handler, methods in handlers),
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
            asked = await body(request, {"freeze", "advance_seconds", "run"})
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
            self._faults.append(Fault(**await body(request, {"route", "kind", "times", "skip", "options"})))
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
        asked = await body(request, {"scopes", "expires_in"})
        name = f"shpat_{secrets.token_hex(16)}"
        scopes = frozenset(asked.get("scopes", SCOPES))
        self._shopify.issue(self._shops.shop(request).merchant.domain, name, scopes, asked.get("expires_in"))
        return {"access_token": name, "scopes": sorted(scopes)}

    async def slack_messages(self, request: Request) -> Any:
        if request.method == "DELETE":
            self._slack.messages.clear()
        return self._slack.messages

    async def pagerduty_alerts(self, request: Request) -> Any:
        if request.method == "DELETE":
            self._pagerduty.alerts.clear()
        return self._pagerduty.alerts

    async def truth_days(self, request: Request) -> Any:
        """With `without_mirrors`, only what is not told by TikTok Shop already: a sale counts once."""
        shop = self._shops.shop(request)
        today = self._world.now().astimezone(shop.merchant.zone).date()
        told = {order.mirror.id for order in shop.tiktok.orders if order.mirror is not None}
        left_out = told if "without_mirrors" in request.query_params else set()
        orders = [order for order in shop.orders.values() if order.id not in left_out]
        totals = truth.days(shop.merchant, orders, self._world.first_day, today)
        return [{"date_day": day.isoformat(), **total.row()} for day, total in totals.items()]

    async def truth_order(self, request: Request) -> Any:
        order = self._shops.order(request, self._shops.shop(request))
        source = order.true_source
        lines = [truth.line_amounts(order.merchant, line) for line in order.lines]
        refunds = truth.refund_amounts(order)
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

    async def truth_sources(self, request: Request) -> Any:
        """Where every order came from, as the business would say it, and the visits that led to it."""
        return true_sources(self._shops.shop(request))


def _visit(visit: Visit) -> dict[str, Any]:
    source = visit.source
    return {
        "occurred_at": iso(visit.at),
        "source": source.source,
        "medium": source.medium,
        "campaign": source.campaign,
        "is_direct": source is DIRECT,
    }
