"""Trades a refresh token for the next pair of tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.tiktok_business import envelope, located
from tributary.channels.tiktok_organic.api import API_VERSION
from tributary.channels.tiktok_organic.refusals import explain
from tributary.channels.vendor_tokens import TokenPair
from tributary.http import BrokenResponse, HttpClient, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float
    refresh_token: str
    refresh_token_expires_in: float


_GRANTED = msgspec.json.Decoder(_Granted)


def refreshed(
    client: HttpClient,
    host: str,
    client_id: str,
    client_secret: str,
    refresh_token: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> TokenPair:
    """The pair that replaces the one of this refresh token: the access token lives a day, the other a year."""
    for secret in (client_secret, refresh_token):
        client.redact.add(secret)
    body = {
        "client_id": client_id,
        "client_secret": client_secret,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
    }
    request = Request(
        "POST",
        f"{host}/open_api/{API_VERSION}/tt_user/oauth2/refresh_token/",
        {"Content-Type": "application/json", "Accept": "application/json"},
        msgspec.json.encode(body),
    )
    granted = client.send(request, _read, budget="videos")
    moment = now()
    return TokenPair(
        access_token=granted.access_token,
        access_ends_at=moment + timedelta(seconds=granted.expires_in),
        refresh_token=granted.refresh_token,
        authorisation_ends_at=moment + timedelta(seconds=granted.refresh_token_expires_in),
    )


def _read(response: Response) -> _Granted:
    if error := explain(response, None):
        raise error
    # Nothing of such an answer is shown: half of it may be a token.
    answer = envelope(response.body)
    try:
        return _GRANTED.decode(answer.data if answer else b"")
    except msgspec.DecodeError:
        where = located(response.where, answer.request_id) if answer else response.where
        raise BrokenResponse("TikTok answered something else than a pair of tokens", where=where) from None
