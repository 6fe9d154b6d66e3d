"""TikTok Shop's Open API: one signed request, its envelope, its shop."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode

import msgspec

from tributary.channels.answer import Answer
from tributary.channels.payloads import neutralised, refusal
from tributary.channels.tiktok_shop.refusals import AUTHORISE_AGAIN, ENVELOPE, TOKEN_EXPIRED, explain, has_code, place
from tributary.channels.tiktok_shop.signing import signature
from tributary.http import AuthError, BrokenResponse, Budget, HttpClient, Request, RequestRefused, Response, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

HOST = "https://open-api.tiktokglobalshop.com"
OFFICIAL_RETRY = RetryPolicy(attempts=5, base=1.0, longest_back_off=60.0, jitter=0.5)
"""The back-off that TikTok Shop's documentation asks for."""
_MODERATE = 10.0
"""Requests a second to everything but analytics; TikTok's limits are dynamic and nowhere near as low."""


def budgets(requests_per_second: float) -> dict[str, Budget]:
    """A budget for each group of endpoints, which TikTok limits apart; analytics are the slow ones."""
    rates = dict.fromkeys(("orders", "returns", "finance", "products", "authorization"), _MODERATE)
    rates["analytics"] = requests_per_second
    return {group: Budget(rate=rate, capacity=max(1.0, rate)) for group, rate in rates.items()}


class TokenSource(Protocol):
    """Gives an access token, and may be able to get a newer one."""

    def value(self) -> str:
        """The token to send now."""

    def renew(self, refused: str) -> bool:
        """Looks for another token than the refused one; False when there is none to be had."""


@dataclass(frozen=True)
class App:
    """What signs: an app's key, and its secret, which never leaves."""

    key: str
    secret: str = field(repr=False)


class Shop(msgspec.Struct, frozen=True):
    """A shop that the seller has authorised the app for."""

    id: str
    cipher: str
    name: str = ""
    region: str = ""
    seller_type: str = ""

    def __str__(self) -> str:
        return f"{self.id} ({self.name}, {self.region})"


class _Authorised(msgspec.Struct):
    shops: list[Shop] = []


_AUTHORISED = msgspec.json.Decoder(_Authorised)


class TikTokShopApi:
    """Asks for one shop's records; each attempt is signed anew, by the vendor's clock as soon as it is known."""

    def __init__(
        self,
        client: HttpClient,
        base_url: str,
        app: App,
        token: TokenSource,
        shop_id: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._base_url = base_url
        self._app = app
        self._token = token
        self._shop_id = shop_id
        self._now = now
        self._warned: set[str] = set()

    @cached_property
    def shop(self) -> Shop:
        """The shop that is read: the one that `shop_id` names, or the only one; asked once."""
        answer = self.get("/authorization/202309/shops", {}, budget="authorization", cipher=False)
        shop = self._choose(answer.read(_AUTHORISED).shops, answer.where)
        self._client.redact.add(shop.cipher)
        return shop

    @property
    def skew_seconds(self) -> float:
        """How far the vendor's clock is ahead of this machine's, as the last answer showed."""
        return self._client.skew.total_seconds()

    def now(self) -> datetime:
        """The present moment by the vendor's own clock, which is the one that its records are stamped with."""
        _ = self.shop  # Until TikTok has answered once, its clock is unknown.
        return self._now() + self._client.skew

    def get(self, path: str, query: Mapping[str, str], *, budget: str, cipher: bool = True) -> Answer:
        """Reads; `cipher` is False for the addresses that refuse a shop cipher: /authorization/* and /seller/*."""
        return self._call("GET", path, query, None, budget, cipher)

    def post(self, path: str, query: Mapping[str, str], body: Mapping[str, object], *, budget: str) -> Answer:
        """Searches; the body is made into bytes once, for the signature and for sending."""
        return self._call("POST", path, query, msgspec.json.encode(body), budget, cipher=True)

    def warn_once(self, message: str) -> None:
        """Logs what holds for the whole of a sync, not once more for every page."""
        if message not in self._warned:
            log.warning("%s", message)
            self._warned.add(message)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    def _call(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None, budget: str, cipher: bool
    ) -> Answer:
        if cipher:
            query = {**query, "shop_cipher": self.shop.cipher}
        token = self._token.value()
        try:
            return self._send(method, path, query, body, budget, token)
        except AuthError as error:
            if not has_code(error, TOKEN_EXPIRED) or not self._token.renew(token):
                raise
            return self._send(method, path, query, body, budget, self._token.value())

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None, budget: str, token: str
    ) -> Answer:
        self._client.redact.add(token)
        headers = {"Content-Type": "application/json", "Accept": "application/json", "x-tts-access-token": token}

        def signed() -> Request:
            moment = self._now() + self._client.skew
            pairs = {**query, "app_key": self._app.key, "timestamp": str(int(moment.timestamp()))}
            pairs["sign"] = signature(self._app.secret, path, pairs, body)
            return Request(method, f"{self._base_url}{path}?{urlencode(pairs, quote_via=quote)}", headers, body)

        return self._client.send(signed, self._read, budget=budget)

    def _read(self, response: Response) -> Answer:
        if error := explain(response, None):
            raise error
        flaw = refusal(response.body)
        clean = neutralised(response.body) if flaw else response.body
        where = place(response)
        try:
            envelope = ENVELOPE.decode(clean)
        except msgspec.ValidationError as error:
            remedy = "Check the connection's field api_host."
            raise RequestRefused(f"The answer is not TikTok Shop's: {error}", where=where, remedy=remedy) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            excerpt = self._client.redact.body(response.body)
            raise BrokenResponse(f"The answer is not whole JSON: {excerpt}", where=where) from None
        if bytes(envelope.data) == b"null":
            raise BrokenResponse("The answer succeeds but holds no data", where=where)
        return Answer(flaw, envelope.data, clean, response.body, where)

    def _choose(self, shops: list[Shop], where: str) -> Shop:
        if not shops:
            raise AuthError("The authorisation covers no shop", where=where, remedy=AUTHORISE_AGAIN)
        if self._shop_id is None and len(shops) == 1:
            return shops[0]
        for shop in shops:
            if shop.id == self._shop_id:
                return shop
        what = (
            f"The authorisation does not cover the shop {self._shop_id}"
            if self._shop_id
            else f"The authorisation covers {len(shops)} shops, and the connection names none"
        )
        known = ", ".join(map(str, shops))
        remedy = f"Put the id of the one to read into the connection's field shop_id: {known}."
        raise AuthError(what, where=where, remedy=remedy)
