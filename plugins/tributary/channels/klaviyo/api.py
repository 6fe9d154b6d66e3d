"""Klaviyo's API: one request of the pinned revision, its JSON:API document, and what holds for the whole account."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import msgspec

from tributary.channels.answer import Answer
from tributary.channels.klaviyo.account import Account, Accounts, Metric, account_of, conversion_metric
from tributary.channels.klaviyo.reading import paged
from tributary.channels.payloads import neutralised, refusal
from tributary.http import AuthError, BrokenResponse, HttpClient, Request, RequestRefused, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tributary.channels.klaviyo.limits import Limits
    from tributary.channels.records import Rows

log = logging.getLogger(__name__)

HOST = "https://a.klaviyo.com"
REVISION = "2026-07-15"
_JSON_API = "application/vnd.api+json"


class _Document(msgspec.Struct):
    data: msgspec.Raw


_DOCUMENT = msgspec.json.Decoder(_Document)
_ACCOUNTS = msgspec.json.Decoder(Accounts)
_METRIC = msgspec.json.Decoder(Metric)


class KlaviyoApi:
    """Asks for one account's records."""

    def __init__(
        self,
        client: HttpClient,
        limits: Limits,
        base_url: str,
        key: str,
        conversion_metric_id: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._limits = limits
        self._base_url = base_url
        self._headers = {"Authorization": f"Klaviyo-API-Key {key}", "revision": REVISION, "Accept": _JSON_API}
        self._wanted_metric = conversion_metric_id
        self._now = now
        self._has_answered = False
        self._warned: set[str] = set()

    def now(self) -> datetime:
        """The present moment by Klaviyo's own clock, which is the one that its records are stamped with."""
        if not self._has_answered:
            # Until Klaviyo has answered once, its clock is unknown; a refusal tells it too.
            try:
                _ = self._metrics
            except AuthError:
                self._has_answered = True
        return self._now() + self._client.skew

    def get(self, path: str, params: Mapping[str, str], *, budget: str) -> Answer:
        """Reads one document; the answer's data is the whole of it."""
        return self._send(Request("GET", self._address(path, params), self._headers), budget)

    def post(
        self, path: str, body: Mapping[str, object], *, budget: str, params: Mapping[str, str] | None = None
    ) -> Answer:
        """Asks for a report."""
        headers = {**self._headers, "Content-Type": _JSON_API}
        return self._send(
            Request("POST", self._address(path, params or {}), headers, msgspec.json.encode(body)), budget
        )

    def pages(self, path: str, params: Mapping[str, str], *, budget: str) -> Iterator[Rows]:
        """The items of a list, page by page to the last one."""
        return paged(
            lambda address: self._send(Request("GET", address, self._headers), budget), self._address(path, params)
        )

    def account(self) -> Account:
        """The account that the key belongs to; asked once."""
        return self._account

    def conversion_metric(self) -> str:
        """The id of the metric whose events are conversions; when it is not clear which, the error has the choices."""
        return self.conversion.id

    @property
    def conversion(self) -> Metric:
        """That metric with its name."""
        return conversion_metric(self._metrics, self._wanted_metric)

    def metric_ids(self) -> Mapping[str, Sequence[str]]:
        """The ids of the metrics of each name; several integrations may use the same one. Asked once."""
        ids = defaultdict(list)
        for metric in self._metrics:
            ids[metric.name].append(metric.id)
        return ids

    def warn_once(self, text: str) -> None:
        """Logs what holds for the whole of a sync, not once more for every page."""
        if text not in self._warned:
            log.warning("%s", text)
            self._warned.add(text)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    @cached_property
    def _account(self) -> Account:
        answer = self.get("/api/accounts", {}, budget="accounts")
        return account_of(answer.read(_ACCOUNTS), answer.where)

    @cached_property
    def _metrics(self) -> list[Metric]:
        found = []
        for rows in self.pages("/api/metrics", {}, budget="metrics"):
            for payload in rows.payloads:
                try:
                    found.append(_METRIC.decode(neutralised(payload)))
                except msgspec.DecodeError as error:
                    raise BrokenResponse(f"A metric does not fit the query: {error}") from None
        return found

    def _address(self, path: str, params: Mapping[str, str]) -> str:
        query = urlencode(params, quote_via=quote)
        return f"{self._base_url}{path}?{query}" if query else f"{self._base_url}{path}"

    def _send(self, request: Request, budget: str) -> Answer:
        def read(response: Response) -> Answer:
            self._limits.heard(budget, response.headers)
            return self._read(response)

        answer = self._client.send(request, read, budget=budget)
        self._has_answered = True
        return answer

    def _read(self, response: Response) -> Answer:
        flaw = refusal(response.body)
        clean = neutralised(response.body) if flaw else response.body
        try:
            _DOCUMENT.decode(clean)
        except msgspec.ValidationError as error:
            remedy = "Check the connection's field api_host."
            raise RequestRefused(f"The answer is not Klaviyo's: {error}", where=response.where, remedy=remedy) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            excerpt = self._client.redact.body(response.body)
            raise BrokenResponse(f"The answer is not whole JSON: {excerpt}", where=response.where) from None
        return Answer(flaw, msgspec.Raw(clean), clean, response.body, response.where)
