"""Where the access token comes from: a fixed one, or the vendor's authorisation host, which gives pairs for pairs."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

import msgspec

from tributary.channels.tiktok_shop.refusals import ENVELOPE, explain, place
from tributary.channels.vendor_tokens import TokenPair
from tributary.http import BrokenResponse, HttpClient, Request, Response


class StaticToken:
    """An access token that somebody put into the connection: valid for its seven days, and never renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def value(self) -> str:
        """The token."""
        return self._token

    def renew(self, refused: str) -> bool:
        """There is no other."""
        return False


class _Grant(msgspec.Struct):
    # Despite their names the ends are moments, in seconds since 1970.
    access_token: str
    access_token_expire_in: int
    refresh_token: str
    refresh_token_expire_in: int


_GRANT = msgspec.json.Decoder(_Grant)


def refreshed(client: HttpClient, auth_host: str, app_key: str, app_secret: str, refresh_token: str) -> TokenPair:
    """The pair that replaces the one of this refresh token, which may be worth nothing from here on."""
    for secret in (app_secret, refresh_token):
        client.redact.add(secret)
    query = {
        "app_key": app_key,
        "app_secret": app_secret,
        "refresh_token": refresh_token,
        "grant_type": "refresh_token",
    }
    # The vendor wants the secrets in the query, unsigned; whatever shows an address leaves the query out.
    request = Request("GET", f"{auth_host}/api/v2/token/refresh?{urlencode(query)}", {"Accept": "application/json"})
    return client.send(request, _read, budget="authorization")


def _read(response: Response) -> TokenPair:
    if error := explain(response, None):
        raise error
    # Nothing of such an answer is shown: half of it may be a token.
    try:
        grant = _GRANT.decode(ENVELOPE.decode(response.body).data)
        return TokenPair(
            grant.access_token,
            datetime.fromtimestamp(grant.access_token_expire_in, UTC),
            grant.refresh_token,
            datetime.fromtimestamp(grant.refresh_token_expire_in, UTC),
        )
    except (msgspec.DecodeError, ValueError, OverflowError, OSError):
        raise BrokenResponse(
            "The authorisation host answered something else than a token pair", where=place(response)
        ) from None
