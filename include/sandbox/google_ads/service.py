"""The API without a transport: the same requests and answers, as JSON objects, over REST and over gRPC."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.google_ads.access import Access
from sandbox.google_ads.customers import customers, reached
from sandbox.google_ads.fields import camel
from sandbox.google_ads.query import read
from sandbox.google_ads.quota import Ordered, Quota
from sandbox.google_ads.refusals import Refused
from sandbox.google_ads.rows import as_json, find

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sandbox.business.ads import Ads
    from sandbox.google_ads.access import Client
    from sandbox.google_ads.customers import Customer
    from sandbox.google_ads.query import Query
    from sandbox.world import World

PAGE_ROWS = 10_000
TOKEN_LIFETIME = timedelta(hours=2)
SEARCH_NAMES = {"query", "pageToken", "pageSize", "validateOnly", "searchSettings"}
STREAM_NAMES = {"query"}


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page token goes on in rows that were found before."""

    asked: tuple[str, str]
    rows: list[dict[str, Any]]
    start: int
    until: datetime


class Service:
    """Every merchant's accounts, each for its own user."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.access = Access(world)
        self.quota = Quota(world.now)
        self.ordered: list[Ordered] = []
        self.page_rows = PAGE_ROWS
        self._pages: dict[str, Page] = {}

    def now(self) -> datetime:
        return self._world.now()

    def accessible(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """The accounts that the user reaches without a manager."""
        client = self.access.check(headers)
        self.quota.open()
        self._strike(None, 0)
        self.quota.take()
        own = customers(self._ads(client))
        return {"resourceNames": [f"customers/{one.id}" for one in own.values() if one.manager_id is None]}

    def search(self, headers: Mapping[str, str], customer_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """One page of what the query finds."""
        client, customer = self._customer(headers, customer_id)
        query = _query(body, SEARCH_NAMES)
        if body.get("pageSize"):
            raise Refused("requestError.PAGE_SIZE_NOT_SUPPORTED")
        settings, token = body.get("searchSettings", {}), body.get("pageToken")
        if settings.get("returnSummaryRow"):
            raise Refused("UNIMPLEMENTED", message="The sandbox does not simulate summary rows.")
        page = self._page(token, (customer_id, body["query"])) if token else None
        rows = page.rows if page else self._rows(client, customer, query)
        if body.get("validateOnly"):
            return {}
        start = page.start if page else 0
        end = start + self.page_rows
        answer = _batch(rows[start:end], query)
        if end < len(rows):
            answer["nextPageToken"] = secrets.token_urlsafe(24)
            kept = Page((customer_id, body["query"]), rows, end, self.now() + TOKEN_LIFETIME)
            self._pages[answer["nextPageToken"]] = kept
        if settings.get("returnTotalResultsCount"):
            answer["totalResultsCount"] = str(len(rows))
        return {} if settings.get("omitResults") and not answer.get("totalResultsCount") else answer

    def stream(
        self, headers: Mapping[str, str], customer_id: str, body: dict[str, Any], request_id: str
    ) -> list[dict[str, Any]]:
        """All that the query finds, in batches as large as a page."""
        client, customer = self._customer(headers, customer_id)
        query = _query(body, STREAM_NAMES)
        rows = self._rows(client, customer, query)
        starts = range(0, max(1, len(rows)), self.page_rows)
        return [_batch(rows[start : start + self.page_rows], query) | {"requestId": request_id} for start in starts]

    def _customer(self, headers: Mapping[str, str], customer_id: str) -> tuple[Client, Customer]:
        client = self.access.check(headers)
        self.quota.open()
        everyones = {one.merchant_id: customers(self._ads(one)) for one in self.access.clients.values()}
        others = {known for own in everyones.values() for known in own}
        return client, reached(customer_id, headers.get("login-customer-id"), everyones[client.merchant_id], others)

    def _rows(self, client: Client, customer: Customer, query: Query) -> list[dict[str, Any]]:
        first, last = query.days()
        self._strike(customer.id, (last - first).days + 1 if query.is_segmented else 0)
        found = find(customer, self._ads(client), query, self.now())
        self.quota.take()
        return [as_json(row, query) for row in found]

    def _page(self, token: str, asked: tuple[str, str]) -> Page:
        page = self._pages.get(token)
        if page is None or page.asked != asked:
            raise Refused("requestError.INVALID_PAGE_TOKEN")
        if page.until <= self.now():
            raise Refused("requestError.EXPIRED_PAGE_TOKEN")
        return page

    def _strike(self, customer_id: str | None, days: int) -> None:
        for one in self.ordered:
            one.strike(customer_id, days)

    def _ads(self, client: Client) -> Ads:
        shop = self._world.shop(client.domain)
        assert shop is not None
        return shop.ads


def _query(body: dict[str, Any], names: set[str]) -> Query:
    if unknown := sorted(set(body) - names):
        raise Refused(
            "INVALID_ARGUMENT",
            message=f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.',
        )
    if not isinstance(body.setdefault("query", ""), str):
        raise Refused("INVALID_ARGUMENT", message="Invalid value at 'query' (TYPE_STRING).")
    return read(body["query"])


def _batch(rows: list[dict[str, Any]], query: Query) -> dict[str, Any]:
    """Rows with the names of what was selected; an empty list is left out, as everywhere in Google's JSON."""
    answer: dict[str, Any] = {"fieldMask": ",".join(camel(name) for name in query.fields)}
    return {"results": rows, **answer} if rows else answer
