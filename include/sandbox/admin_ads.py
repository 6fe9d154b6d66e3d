"""What can be made to happen to a merchant's ad accounts and campaigns, and the truth of their days."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from sandbox.admin_request import NotThereError, body, route
from sandbox.business.ads_plans import PLATFORMS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.business.ads import Row
    from sandbox.business.ads_plans import Account
    from sandbox.shop import Shop
    from sandbox.world import World

COUNTERS = {
    "spend": "spend_micros",
    "impressions": "impressions",
    "clicks": "clicks",
    "conversions": "conversions_micros",
    "value": "value_micros",
}
"""What a counter is called here -> and in the business, where amounts are millionths."""


class AdsAdmin:
    """Handlers over the advertising of every shop."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        ads = "/shops/{merchant}/ads"
        return [
            route(ads + "/truth", self.truth, "GET"),
            route(ads + "/campaigns", self.campaigns, "GET"),
            route(ads + "/campaigns/{campaign}/rename", self.rename, "POST"),
            route(ads + "/campaigns/{campaign}/delete", self.delete, "POST"),
            route(ads + "/accounts/{account}/disable", self.disable, "POST"),
            route(ads + "/accounts/{account}/enable", self.enable, "POST"),
            route(ads + "/days/{day}/{campaign}/adjust", self.adjust, "POST"),
        ]

    async def truth(self, request: Request) -> Any:
        """Every campaign's days as they look now, or with `final` in the end; `platform`, `account` and `day` choose.
        Amounts and conversions are decimal strings, amounts in the account's currency."""
        shop, query = self._shop(request), request.query_params
        ads, now = shop.ads, self._world.now()
        day = date.fromisoformat(query["day"]) if "day" in query else None
        told = []
        for account in self._accounts(shop, query.get("platform"), query.get("account")):
            first, last = day or ads.first_day, day or account.today(now)
            rows = ads.final(account, first, last) if "final" in query else ads.rows(account, first, last, now)
            told += [_told(account, row) for row in rows]
        return told

    async def campaigns(self, request: Request) -> Any:
        """Every campaign that a platform knows now; `platform` and `account` choose."""
        shop, query = self._shop(request), request.query_params
        return [
            {
                "platform": account.platform,
                "account": account.account_id,
                "campaign": campaign.campaign_id,
                "name": campaign.name,
                "kind": campaign.kind,
                "type": campaign.type,
                "status": campaign.status,
                "created_on": campaign.created_on.isoformat(),
            }
            for account in self._accounts(shop, query.get("platform"), query.get("account"))
            for campaign in shop.ads.campaigns(account, self._world.now())
        ]

    async def rename(self, request: Request) -> Any:
        """{name}: what the campaign is called from now on."""
        asked = await body(request, {"name"})
        name = asked.get("name")
        if not isinstance(name, str) or not name:
            raise ValueError(f'name {name!r} is not a name; write it like "Autumn"')
        return self._happen(request, "rename_ad_campaign", {**self._campaign(request), "name": name})

    async def delete(self, request: Request) -> Any:
        """The campaign is deleted; with {forget: true} the platform has no record of it any more."""
        forget = (await body(request, {"forget"})).get("forget", False)
        if not isinstance(forget, bool):
            raise ValueError(f"forget {forget!r} is neither true nor false")
        return self._happen(request, "delete_ad_campaign", {**self._campaign(request), "forget": forget})

    async def disable(self, request: Request) -> Any:
        """The platform closes the account, and says so."""
        return self._switch(request, "disabled")

    async def enable(self, request: Request) -> Any:
        """The account is open again."""
        return self._switch(request, "active")

    async def adjust(self, request: Request) -> Any:
        """{counter, by}: the campaign's day has so much more or less from now on."""
        asked = await body(request, {"counter", "by"})
        counter = asked.get("counter")
        if counter not in COUNTERS:
            raise ValueError(f"a campaign's day has no counter {counter!r}; it has {list(COUNTERS)}")
        day = date.fromisoformat(request.path_params["day"]).isoformat()
        by = _whole(asked.get("by"), micros=COUNTERS[counter].endswith("_micros"))
        data = {**self._campaign(request), "day": day, "counter": COUNTERS[counter], "by": by}
        return self._happen(request, "adjust_ad_day", data)

    def _switch(self, request: Request, status: str) -> Any:
        account = request.path_params["account"]
        self._accounts(self._shop(request), None, account)
        return self._happen(request, "switch_ad_account", {"account": account, "status": status})

    def _happen(self, request: Request, kind: str, data: dict[str, Any]) -> Any:
        self._world.happen(self._shop(request), kind, data)
        return data

    def _shop(self, request: Request) -> Shop:
        merchant = request.path_params["merchant"]
        shop = self._world.shop(f"{merchant}.myshopify.com")
        if shop is None:
            raise NotThereError(f"there is no merchant {merchant!r}")
        return shop

    def _accounts(self, shop: Shop, platform: str | None, account_id: str | None) -> list[Account]:
        every = [account for one in ([platform] if platform else PLATFORMS) for account in shop.ads.accounts(one)]
        if account_id is None:
            return every
        found = [account for account in every if account.account_id == account_id]
        if not found:
            raise NotThereError(f"there is no ad account {account_id!r}; there are {[a.account_id for a in every]}")
        return found

    def _campaign(self, request: Request) -> dict[str, str]:
        shop, campaign = self._shop(request), request.path_params["campaign"]
        known = [
            each.campaign_id
            for account in self._accounts(shop, None, None)
            for each in shop.ads.campaigns(account, self._world.now())
        ]
        if campaign not in known:
            raise NotThereError(f"there is no campaign {campaign!r}; there are {known}")
        return {"campaign": campaign}


def _told(account: Account, row: Row) -> dict[str, Any]:
    return {
        "platform": account.platform,
        "account": account.account_id,
        "account_name": account.name,
        "currency": account.currency,
        "time_zone": account.zone.key,
        "campaign": row.campaign.campaign_id,
        "name": row.campaign.name,
        "kind": row.campaign.kind,
        "type": row.campaign.type,
        "day": row.day.isoformat(),
        "spend": _decimal(row.spend_micros),
        "impressions": row.impressions,
        "clicks": row.clicks,
        "conversions": _decimal(row.conversions_micros),
        "value": _decimal(row.value_micros),
    }


def _decimal(micros: int) -> str:
    return str(Decimal(micros).scaleb(-6))


def _whole(by: Any, micros: bool) -> int:
    """So many units, or millionths of them."""
    try:
        value = Decimal(str(by)) * (1_000_000 if micros else 1)
    except InvalidOperation:
        raise ValueError(f'by {by!r} is not a number; write it like "-12.50"') from None
    if not value.is_finite() or value != value.to_integral_value():
        raise ValueError(f"by {by!r} is finer than the platform counts")
    return int(value)
