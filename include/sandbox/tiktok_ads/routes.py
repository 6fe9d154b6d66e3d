"""The routes of TikTok's API for Business that read advertising; everything is answered with HTTP 200."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.admin_request import body, route
from sandbox.tiktok_ads import asking, objects, reports
from sandbox.tiktok_ads.access import MESSAGES, TOKENS, Access, Refusal, Refused
from sandbox.tiktok_ads.stores import stores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from sandbox.business.ads import Ads
    from sandbox.world import World

BASE = "/open_api/v1.3"
Answer = dict[str, Any]


class TikTokAds:
    """Handlers over the advertising accounts of every merchant that has some on TikTok."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.access = Access(world)

    def routes(self) -> list[Route]:
        return [
            self._route("advertiser/info", self._advertisers),
            self._route("campaign/get", self._of_account(objects.campaigns)),
            self._route("report/integrated/get", self._of_account(reports.integrated)),
            self._route("gmv_max/store/list", self._of_account(lambda ads, account, query, now: stores(account))),
            self._route("gmv_max/campaign/get", self._of_account(objects.gmv_max_campaigns)),
            self._route("gmv_max/report/get", self._of_account(reports.gmv_max)),
            route("/tiktok_ads/refuse", self.refuse, "POST"),
            route("/tiktok_ads/revoke", self.revoke, "POST"),
            route("/tiktok_ads/requests", self.requests, "GET"),
        ]

    async def refuse(self, request: Request) -> Any:
        """{code, times, message}: the next requests are refused with that code, once by default."""
        asked = await body(request, {"code", "times", "message"})
        code, times = int(asked["code"]), int(asked.get("times", 1))
        if times < 1:
            raise ValueError(f"times {times} is not 1 or more")
        refusal = Refusal(code, str(asked.get("message") or MESSAGES.get(code, "")), times)
        self.access.refusals.append(refusal)
        return {"code": code, "times": times, "message": refusal.message}

    async def revoke(self, request: Request) -> Any:
        """{merchant, revoked}: its access token does not work any more, or works again."""
        asked = await body(request, {"merchant", "revoked"})
        found = {token for token, merchant in TOKENS.items() if merchant == asked.get("merchant")}
        if not found:
            raise ValueError(f"there is no merchant {asked.get('merchant')!r}; there are {sorted(TOKENS.values())}")
        if asked.get("revoked", True):
            self.access.revoked |= found
        else:
            self.access.revoked -= found
        return {"revoked": asked.get("revoked", True)}

    async def requests(self, request: Request) -> Any:
        """How many requests there were, refused ones included."""
        return {"requests": self.access.requests}

    def _route(self, path: str, answer: Callable[[Ads, Mapping[str, str]], Answer]) -> Route:
        async def respond(request: Request) -> Response:
            try:
                ads = self.access.enter(request.headers.get("access-token", ""))
                return _told(answer(ads, request.query_params))
            except Refused as refused:
                return _told({}, refused.code, refused.message)

        return Route(f"{BASE}/{path}/", respond, methods=["GET"])

    def _of_account(self, answer: Callable[..., Answer]) -> Callable[[Ads, Mapping[str, str]], Answer]:
        """An answer about one account, which must be the merchant's own."""

        def respond(ads: Ads, query: Mapping[str, str]) -> Answer:
            account = self.access.account(ads, asking.advertiser(query))
            return answer(ads, account, query, self._world.now())

        return respond

    def _advertisers(self, ads: Ads, query: Mapping[str, str]) -> Answer:
        """One account that is not the merchant's spoils the whole answer."""
        asked = asking.listed(query, "advertiser_ids", most=100)
        return objects.advertisers([self.access.account(ads, one) for one in asked], query)


def _told(data: Answer, code: int = 0, message: str = "OK") -> Response:
    return JSONResponse({"code": code, "message": message, "request_id": uuid.uuid4().hex, "data": data})
