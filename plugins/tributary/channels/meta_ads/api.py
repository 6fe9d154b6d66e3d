"""The Graph API of one access token: a request, its answer, and what its headers say of the quota."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from tributary.channels.answer import Answer
from tributary.channels.meta_ads.accounts import FIELDS, account_of
from tributary.channels.meta_ads.refusals import NO_ACCOUNT, NotThere, explain
from tributary.channels.meta_ads.shapes import Account, Listed, Run, Started
from tributary.channels.meta_ads.usage import pause
from tributary.channels.payloads import neutralised, refusal
from tributary.channels.records import Rows
from tributary.http import AuthError, BrokenResponse, Budget, Cut, HttpClient, Request, RequestRefused, Response, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tributary.channels.ad_days import AdAccount
    from tributary.http import Quota

HOST = "https://graph.facebook.com"
API_VERSION = "v26.0"
PAGE_SIZE = 1000
RUN_FIELDS = (
    "async_status",
    "async_percent_completion",
    "error_code",
    "error_subcode",
    "error_message",
    "error_user_title",
    "error_user_msg",
)

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ACCOUNT = msgspec.json.Decoder(Account)
_LISTED = msgspec.json.Decoder(Listed)
_STARTED = msgspec.json.Decoder(Started, strict=False)
_RUN = msgspec.json.Decoder(Run, strict=False)


def smoothing() -> Budget:
    """Meta counts an hour's requests and their cost, and says how much is used; this only smooths a storm."""
    return Budget(rate=5, capacity=10)


class MetaAdsApi:
    """Reads the ad accounts that were named."""

    def __init__(
        self,
        client: HttpClient,
        quotas: Mapping[str, Quota],
        host: str,
        token: str,
        app_secret: str | None = None,
        *,
        page_size: int = PAGE_SIZE,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`quotas` are those of the accounts, by their ids; the client has a budget and a quota of the same names."""
        self._client = client
        self._quotas = quotas
        self._url = f"{host}/{API_VERSION}"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._proof: dict[str, str] = {}
        if app_secret:
            proof = hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
            client.redact.add(proof)
            self._proof = {"appsecret_proof": proof}
        self._page_size = str(page_size)
        self.sleep = sleep
        self._now = now

    def now(self) -> datetime:
        """The present moment by Meta's own clock, which every answer shows."""
        self.accounts()
        return self._now() + self._client.skew

    def accounts(self) -> Sequence[AdAccount]:
        """The ad accounts of the connection; asked once."""
        return self._accounts

    def known(self, account: AdAccount, campaigns: Sequence[str]) -> set[str]:
        """Those of the campaigns that Meta still has: a deleted one is found by its own id, and only by it."""
        return {campaign for campaign in campaigns if self._has(account, campaign)}

    def insights(self, account: AdAccount, params: Mapping[str, str]) -> Iterator[Rows]:
        """The rows of a report that is made at once, page by page."""
        return self._pages(account, f"act_{account.id}/insights", params)

    def start(self, account: AdAccount, params: Mapping[str, str]) -> str:
        """Asks for a report that is made in the background; the id of its run."""
        return self._ask("POST", account.id, f"act_{account.id}/insights", params).read(_STARTED).report_run_id

    def run(self, account: AdAccount, run_id: str) -> Run:
        """How far such a report is."""
        return self._ask("GET", account.id, run_id, {"fields": ",".join(RUN_FIELDS)}).read(_RUN)

    def results(self, account: AdAccount, run_id: str) -> Iterator[Rows]:
        """Its rows, page by page."""
        return self._pages(account, f"{run_id}/insights", {})

    def close_quota(self, account: AdAccount, seconds: float, reason: str) -> None:
        """Nothing more is asked of the account for so long, by whatever task."""
        self._quotas[account.id].close(seconds, reason)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    @cached_property
    def _accounts(self) -> Sequence[AdAccount]:
        found = []
        for account_id in self._quotas:
            try:
                answer = self._ask("GET", account_id, f"act_{account_id}", {"fields": ",".join(FIELDS)})
            except NotThere as error:
                what = f"Meta shows no ad account {account_id} to this token: {error.what}"
                raise AuthError(what, remedy=NO_ACCOUNT) from None
            found.append(account_of(answer.read(_ACCOUNT), answer.where))
        return found

    def _has(self, account: AdAccount, campaign: str) -> bool:
        try:
            self._ask("GET", account.id, campaign, {"fields": "id"})
        except NotThere:
            return False
        return True

    def _pages(self, account: AdAccount, path: str, params: Mapping[str, str]) -> Iterator[Rows]:
        def fetch(cursor: str | None) -> Cut[Rows]:
            # Never by the address that Meta gives for the next page: it holds the token.
            place = {"after": cursor} if cursor else {}
            answer = self._ask("GET", account.id, path, {**params, "limit": self._page_size, **place})
            page = answer.read(_LISTED)
            if page.goes_on and not page.after:
                raise BrokenResponse("Meta says that the rows go on but not where", where=answer.where)
            payloads = list(answer.slices(page.data))
            return Cut(
                Rows(payloads, answer.flaw is None), payloads, page.after if page.goes_on else None, answer.where
            )

        return follow(fetch)

    def _ask(self, method: str, account_id: str, path: str, params: Mapping[str, str]) -> Answer:
        query = urlencode({**params, **self._proof})
        request = Request("GET", f"{self._url}/{path}?{query}", self._headers)
        if method == "POST":
            form = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
            request = Request("POST", f"{self._url}/{path}", form, query.encode())

        def read(response: Response) -> Answer:
            if asked := pause(response.headers):
                # What came is kept; whoever asks next is told.
                self._quotas[account_id].close(asked.seconds, asked.reason)
            return self._read(response)

        return self._client.send(request, read, budget=account_id)

    def _read(self, response: Response) -> Answer:
        if error := explain(response, None):
            raise error
        flaw = refusal(response.body)
        clean = neutralised(response.body) if flaw else response.body
        try:
            _OBJECT.decode(clean)
        except msgspec.ValidationError as error:
            remedy = "Check the connection's field api_host."
            raise RequestRefused(f"The answer is not Meta's: {error}", where=response.where, remedy=remedy) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            excerpt = self._client.redact.body(response.body)
            raise BrokenResponse(f"The answer is not whole JSON: {excerpt}", where=response.where) from None
        return Answer(flaw, msgspec.Raw(clean), clean, response.body, response.where)
