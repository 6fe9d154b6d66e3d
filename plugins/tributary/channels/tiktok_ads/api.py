"""The Marketing API of TikTok for Business: one request, its answer, and what the ad accounts are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from tributary.channels.answer import Answer
from tributary.channels.payloads import neutralised, refusal
from tributary.channels.records import chunks
from tributary.channels.tiktok_ads.accounts import FIELDS, Advertisers, accounts_of
from tributary.channels.tiktok_ads.refusals import explain
from tributary.channels.tiktok_business import envelope, located
from tributary.http import BrokenResponse, Budget, HttpClient, Request, RequestRefused, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tributary.channels.ad_days import AdAccount

API_HOST = "https://business-api.tiktok.com"
API_VERSION = "v1.3"
BUDGET = "reports"
MOST_IDS = 100
"""How many ids a request may name."""
MOST_STORES = 10
KINDS = ("PRODUCT", "LIVE")
"""The kinds of GMV Max campaigns, which are asked for one by one."""


def budgets() -> dict[str, Budget]:
    """An app of the lowest level may ask 240 times a minute; two tasks of a merchant share that."""
    return {BUDGET: Budget(rate=1.5, capacity=4)}


class _Store(msgspec.Struct):
    store_id: str
    is_gmv_max_available: bool = False


class _Stores(msgspec.Struct):
    store_list: list[_Store] = []


class _Campaign(msgspec.Struct):
    campaign_id: str


class _Campaigns(msgspec.Struct):
    campaigns: list[_Campaign] = msgspec.field(default_factory=list, name="list")


_ADVERTISERS = msgspec.json.Decoder(Advertisers)
_STORES = msgspec.json.Decoder(_Stores)
_CAMPAIGNS = msgspec.json.Decoder(_Campaigns)


class TikTokAdsApi:
    """Reads the ad accounts of one connection."""

    def __init__(
        self,
        client: HttpClient,
        host: str,
        token: str,
        advertiser_ids: Sequence[str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._url = f"{host}/open_api/{API_VERSION}"
        self._token = token
        self._ids = advertiser_ids
        self._now = now
        self._accounts: list[AdAccount] | None = None
        self._stores: dict[str, list[str]] = {}

    def now(self) -> datetime:
        """The present moment by TikTok's own clock; until it answered once, that is unknown."""
        self.accounts()
        return self._now() + self._client.skew

    def accounts(self) -> Sequence[AdAccount]:
        """The connection's ad accounts; asked once."""
        if self._accounts is None:
            found: list[AdAccount] = []
            for ids in chunks(self._ids, MOST_IDS):
                answer = self.get("/advertiser/info/", {"advertiser_ids": ids, "fields": FIELDS})
                found += accounts_of(ids, answer.read(_ADVERTISERS).advertisers, answer.where)
            self._accounts = found
        return self._accounts

    def stores(self, account: AdAccount) -> Sequence[str]:
        """The TikTok Shops whose GMV Max campaigns the account runs; asked once."""
        if account.id not in self._stores:
            answer = self.get("/gmv_max/store/list/", {"advertiser_id": account.id})
            found = answer.read(_STORES).store_list
            self._stores[account.id] = [store.store_id for store in found if store.is_gmv_max_available]
        return self._stores[account.id]

    def known(self, account: AdAccount, campaigns: Sequence[str]) -> set[str]:
        """Those of the campaigns that TikTok still knows, of either sort, deleted ones included."""
        known: set[str] = set()
        for ids in chunks(campaigns, MOST_IDS):
            known |= self._campaigns("/campaign/get/", account, {"campaign_ids": ids})
        rest = [campaign for campaign in campaigns if campaign not in known]
        # Only shops that are read: of others a row is missing because nobody asked for it.
        for stores in chunks(self.stores(account), MOST_STORES) if rest else ():
            for kind in KINDS:
                for ids in chunks(rest, MOST_IDS):
                    wanted = {"gmv_max_promotion_types": [f"{kind}_GMV_MAX"], "store_ids": stores, "campaign_ids": ids}
                    known |= self._campaigns("/gmv_max/campaign/get/", account, wanted)
        return known

    def get(self, path: str, asked: Mapping[str, object]) -> Answer:
        """Asks for something; what is no text or number goes as JSON."""
        params = {name: value if isinstance(value, str | int) else _json(value) for name, value in asked.items()}
        request = Request(
            "GET",
            f"{self._url}{path}?{urlencode(params)}",
            {"Access-Token": self._token, "Accept": "application/json"},
        )
        return self._client.send(request, self._read, budget=BUDGET)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    def _campaigns(self, path: str, account: AdAccount, wanted: Mapping[str, object]) -> set[str]:
        found: set[str] = set()
        for status in ({}, {"primary_status": "STATUS_DELETE"}):  # Deleted ones are only told when they are asked for.
            asked = {
                "advertiser_id": account.id,
                "filtering": {**wanted, **status},
                "fields": ["campaign_id"],
                "page": 1,
                "page_size": MOST_IDS,
            }
            found |= {campaign.campaign_id for campaign in self.get(path, asked).read(_CAMPAIGNS).campaigns}
        return found

    def _read(self, response: Response) -> Answer:
        if error := explain(response, None):
            raise error
        flaw = refusal(response.body)
        clean = neutralised(response.body) if flaw else response.body
        answer = envelope(clean)
        if answer is None:
            excerpt = self._client.redact.body(response.body)
            raise BrokenResponse(f"The answer is not TikTok's: {excerpt}", where=response.where)
        where = located(response.where, answer.request_id)
        if cut := response.headers.get("X-Tt-Ads-Throttle"):
            raise RequestRefused(
                f"TikTok left something out: {cut}",
                where=where,
                remedy="The account has more campaigns than a report shows; TikTok's support has to help.",
            )
        return Answer(flaw, answer.data, clean, response.body, where)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
