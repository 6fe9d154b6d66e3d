"""Where the access token comes from: a static one, or the client-credentials grant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import msgspec

from tributary.http import BrokenResponse, HttpClient, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

EARLY = timedelta(minutes=5)
"""A token is replaced this long before its end, so that none expires between two requests."""


class TokenSource(Protocol):
    """Gives a token, and may be able to get a new one."""

    def value(self) -> str:
        """The token to send now."""

    def renew(self) -> bool:
        """Forgets a token that was refused; False when there is no other to be had."""


class StaticToken:
    """A custom app's Admin API access token: valid until someone revokes it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def value(self) -> str:
        """The token."""
        return self._token

    def renew(self) -> bool:
        """There is no other."""
        return False


class _Grant(msgspec.Struct):
    access_token: str
    expires_in: float


class ClientCredentials:
    """A Dev Dashboard app's grant: a token for 24 hours, fetched when needed, without a refresh token."""

    def __init__(
        self,
        client: HttpClient,
        base_url: str,
        client_id: str,
        client_secret: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._request = Request(
            "POST",
            f"{base_url}/admin/oauth/access_token",
            {"Content-Type": "application/json", "Accept": "application/json"},
            msgspec.json.encode(
                {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
            ),
        )
        self._now = now
        self._token: str | None = None
        self._ends = datetime.min.replace(tzinfo=UTC)

    def value(self) -> str:
        """A token that lives for a while yet."""
        if self._token is None or self._now() >= self._ends - EARLY:
            grant = self._client.send(self._request, _read_grant, budget="graphql", cost=0)
            self._client.redact.add(grant.access_token)
            self._token = grant.access_token
            self._ends = self._now() + timedelta(seconds=grant.expires_in)
        return self._token

    def renew(self) -> bool:
        """Fetches another at the next use."""
        self._token = None
        return True


def _read_grant(response: Response) -> _Grant:
    try:
        return msgspec.json.decode(response.body, type=_Grant)
    except msgspec.DecodeError:
        raise BrokenResponse("The token endpoint answered something else than a token", where=response.where) from None
