"""What can be made to happen to Google Ads' answers: refusals, tokens, the day's quota, the size of pages."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sandbox.admin_request import NotThereError, body, route
from sandbox.google_ads.quota import Ordered

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.google_ads.service import Service

ORDER = {"code", "times", "skip", "retry_delay", "customer_id", "longer_than"}


class GoogleAdsAdmin:
    """Handlers over the service that REST and gRPC share."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        base = "/google_ads"
        return [
            route(base + "/refuse", self.refuse, "GET", "POST", "DELETE"),
            route(base + "/refresh_token/{merchant}/{done}", self.refresh_token, "POST"),
            route(base + "/tokens/expire", self.expire, "POST"),
            route(base + "/quota", self.quota, "GET", "POST"),
            route(base + "/pages", self.pages, "POST"),
        ]

    async def refuse(self, request: Request) -> Any:
        """{code, times, skip, retry_delay, customer_id, longer_than}: requests that would be answered are refused;
        DELETE forgets all of it."""
        ordered = self._service.ordered
        if request.method == "DELETE":
            ordered.clear()
        if request.method == "POST":
            asked = await body(request, ORDER)
            if "code" not in asked:
                raise ValueError(f"code is missing; this route takes {sorted(ORDER)}")
            ordered.append(Ordered(**asked))
        return [asdict(one) for one in ordered]

    async def refresh_token(self, request: Request) -> Any:
        """Revoke the user's consent, with every access token, or restore it."""
        merchant, done = request.path_params["merchant"], request.path_params["done"]
        clients = self._service.access.clients
        if merchant not in clients:
            raise NotThereError(f"there is no merchant {merchant!r}; there are {sorted(clients)}")
        if done not in ("revoke", "restore"):
            raise NotThereError(f"a refresh token cannot be {done!r}; it can be revoke or restore")
        clients[merchant].revoked = done == "revoke"
        return {"merchant": merchant, "revoked": clients[merchant].revoked}

    async def expire(self, request: Request) -> Any:
        """Every access token, now."""
        tokens, now = self._service.access.tokens, self._service.now()
        for token, (client, _) in tokens.items():
            tokens[token] = (client, now)
        return {"expired": len(tokens)}

    async def quota(self, request: Request) -> Any:
        """Operations left until the day ends in Los Angeles; POST {left} sets them."""
        quota = self._service.quota
        if request.method == "POST":
            quota.left = int((await body(request, {"left"}))["left"])
        return {"left": quota.left, "spent": quota.spent}

    async def pages(self, request: Request) -> Any:
        """{rows}: how many a page or a batch has; Google's have 10,000."""
        rows = int((await body(request, {"rows"}))["rows"])
        if rows < 1:
            raise ValueError(f"a page has at least one row, not {rows}")
        self._service.page_rows = rows
        return {"rows": rows}
