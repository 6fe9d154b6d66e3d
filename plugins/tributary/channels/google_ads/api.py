"""The Google Ads API: what accounts there are, what their campaigns' days brought, and which campaigns it knows."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from google.ads.googleads.v26.services.types.google_ads_service import (
    GoogleAdsRow,
    SearchGoogleAdsRequest,
    SearchGoogleAdsResponse,
)
from google.api_core.exceptions import GoogleAPICallError
from google.protobuf.json_format import MessageToDict

from tributary.channels.ad_days import ONE_DAY, ad_account
from tributary.channels.google_ads import queries
from tributary.channels.google_ads.refusals import TooMuchError
from tributary.channels.google_ads.remedies import MANAGER
from tributary.channels.records import Rows, chunks
from tributary.http import BrokenResponse, Budget, Cut, RequestRefused, VendorUnavailable, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, datetime
    from typing import Any

    from google.ads.googleads.v26.services.services.google_ads_service import GoogleAdsServiceClient

    from tributary.channels.ad_days import AdAccount
    from tributary.channels.google_ads.refusals import Refusals
    from tributary.channels.google_ads.token import AccessToken
    from tributary.http import Quota, RetryPolicy

log = logging.getLogger(__name__)

IDS_AT_A_TIME = 1000
"""Campaigns that one query asks for."""


def smoothing() -> Budget:
    """How many requests a second Google allows moves with its load; this only smooths a storm."""
    return Budget(rate=10, capacity=10)


class GoogleAdsApi:
    """Reads the accounts of one connection."""

    def __init__(
        self,
        client: GoogleAdsServiceClient,
        customer_ids: Sequence[str],
        *,
        token: AccessToken,
        quota: Quota,
        refusals: Refusals,
        retry: RetryPolicy,
        timeout: float,
        budget: Budget,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`quota` is shared by all tasks that ask with the same OAuth client."""
        self._client = client
        self._customer_ids = customer_ids
        self._token = token
        self._quota = quota
        self._refusals = refusals
        self._retry = retry
        self._timeout = timeout
        self._budget = budget
        self._sleep = sleep
        self._accounts: list[AdAccount] | None = None

    def now(self) -> datetime:
        """The present moment by Google's own clock, which says what today is."""
        return self._token.now()

    def accounts(self) -> Sequence[AdAccount]:
        """The accounts of the connection; asked once."""
        if self._accounts is None:
            self._accounts = [self._account(customer_id) for customer_id in self._customer_ids]
        return self._accounts

    def campaign_days(self, account: AdAccount, first: date, last: date) -> Iterator[Rows]:
        """The rows of an account's days, both included; of fewer days at a time when Google cannot give them all."""
        where = f"campaigns from {first} to {last} of account {account.id}"

        def fetch(cursor: str | None) -> Cut[Rows]:
            # Later than on the first page it is too late: rows would come twice.
            may_halve = cursor is None and first < last
            answer = self._search(account.id, queries.campaign_days(first, last), where, cursor, may_halve)
            keys = [_checked(row, account, first, last, where) for row in answer.results]
            # `sound` is found out row by row: a campaign's name may hold anything.
            rows = Rows([_json(row) for row in answer.results], sound=False)
            return Cut(rows, keys, answer.next_page_token or None, where)

        try:
            yield from follow(fetch)
        except TooMuchError as error:
            log.warning("%s The days are halved.", error)
            middle = first + timedelta(days=(last - first).days // 2)
            yield from self.campaign_days(account, first, middle)
            yield from self.campaign_days(account, middle + ONE_DAY, last)

    def known(self, account: AdAccount, campaigns: Sequence[str]) -> set[str]:
        """Those of the campaigns that Google still knows, removed ones included."""
        where = f"campaigns of account {account.id}"
        return {
            str(row.campaign.id)
            for some in chunks(campaigns, IDS_AT_A_TIME)
            for row in self._rows(account.id, queries.known_campaigns(some), where)
        }

    def close(self) -> None:
        """Gives the connections back."""
        self._client.transport.close()
        self._token.close()

    def _account(self, customer_id: str) -> AdAccount:
        where = f"account {customer_id}"
        found = [row.customer for row in self._rows(customer_id, queries.ACCOUNT, where)]
        if [str(customer.id) for customer in found] != [customer_id]:
            raise BrokenResponse("Google Ads answers with another account, or with none", where=where)
        [customer] = found
        if customer.manager:
            clients = [
                f"{row.customer_client.id} ({row.customer_client.descriptive_name})"
                for row in self._rows(customer_id, queries.CLIENTS, where)
            ]
            told = f" They are {', '.join(clients)}." if clients else ""
            name = f"{customer_id} ({customer.descriptive_name})"
            raise RequestRefused(f"Account {name} holds no campaigns", where=where, remedy=MANAGER + told)
        name = customer.descriptive_name or customer_id
        return ad_account(customer_id, name, customer.currency_code, customer.time_zone, where)

    def _rows(self, customer_id: str, query: str, where: str) -> Iterator[Any]:
        """All rows of a query that brings few."""

        def fetch(cursor: str | None) -> Cut[list[Any]]:
            answer = self._search(customer_id, query, where, cursor)
            return Cut(
                list(answer.results), [str(row) for row in answer.results], answer.next_page_token or None, where
            )

        for page in follow(fetch):
            yield from page

    def _search(self, customer_id: str, query: str, where: str, cursor: str | None, may_halve: bool = False) -> Any:
        """A page, as the protocol's own message: the client's wrapper around it makes each value a slow one."""
        request = SearchGoogleAdsRequest(customer_id=customer_id, query=query, page_token=cursor or "")
        # Fetched before the loop: asking for a token has a loop of its own.
        self._token.value()

        def attempt() -> Any:
            self._budget.take()
            self._quota.take()
            try:
                pager = self._client.search(request, retry=None, timeout=self._timeout)
            except GoogleAPICallError as error:
                refusal = self._refusals.explained(error, where)
            else:
                return _answering(next(iter(pager.pages)), query, where)
            if refusal.closes_for is not None:
                self._quota.close(refusal.closes_for, refusal.error.what)
            if isinstance(refusal.error, TooMuchError) and not may_halve:
                raise VendorUnavailable(str(refusal.error).removesuffix("."))
            raise refusal.error

        return self._retry.retrying(self._sleep)(attempt)


def _answering(page: SearchGoogleAdsResponse, query: str, where: str) -> Any:
    told = SearchGoogleAdsResponse.pb(page)
    if not queries.fields(query) <= set(told.field_mask.paths):
        # Something that is no answer, such as an empty message, must not pass for an account without campaigns.
        what = f"The answer is of other fields than were asked for: {', '.join(told.field_mask.paths) or 'none'}"
        raise BrokenResponse(what[:500], where=where)
    return told


def _checked(row: Any, account: AdAccount, first: date, last: date, where: str) -> tuple[str, int]:
    """What tells the row from others; BrokenResponse when it is not of what was asked for."""
    if str(row.customer.id) != account.id or not str(first) <= row.segments.date <= str(last):
        what = f"The answer holds a row of account {row.customer.id} and of the day {row.segments.date!r}"
        raise BrokenResponse(what, where=where)
    return row.segments.date, row.campaign.id


def _json(row: GoogleAdsRow) -> bytes:
    """The row as Google's REST interface writes it."""
    return msgspec.json.encode(MessageToDict(row))
