"""The access token that a refresh token is exchanged for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from tributary.http import AuthError, BrokenResponse, HttpError, Request, RequestRefused, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from tributary.http import HttpClient

MARGIN = timedelta(minutes=1)
"""So long before its end a token is replaced, lest it ends on the way."""

NEW_CONSENT = (
    "Authorise the app again as a user of the account, with the scope https://www.googleapis.com/auth/adwords, and "
    "put the new token into the connection's field refresh_token. If it ends after 7 days, publish the app's consent "
    "screen."
)
_CLIENT = "Put the OAuth client's id into the connection's login and its secret into the password."


@dataclass(frozen=True)
class Secrets:
    """What an access token is asked for with."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


class _Grant(msgspec.Struct):
    access_token: str
    expires_in: int


class AccessToken:
    """The token of the hour."""

    def __init__(
        self,
        http: HttpClient,
        token_uri: str,
        secrets: Secrets,
        now: Callable[[], datetime],
        learn: Callable[[str], None],
    ) -> None:
        """`learn` is told each token, so that none shows."""
        self._http = http
        self._uri = token_uri
        self._secrets = secrets
        self._now = now
        self._learn = learn
        self._token = ""
        self._ends: datetime | None = None

    def now(self) -> datetime:
        """The present moment by Google's own clock, as the token's answer showed it."""
        if self._ends is None:
            self.renew()
        return self._now() + self._http.skew

    def value(self) -> str:
        """A token that is good for a while."""
        if self._ends is None or self._now() > self._ends - MARGIN:
            self.renew()
        return self._token

    def renew(self) -> None:
        """Asks for a new one."""
        form = {
            "grant_type": "refresh_token",
            "client_id": self._secrets.client_id,
            "client_secret": self._secrets.client_secret,
            "refresh_token": self._secrets.refresh_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        request = Request("POST", self._uri, headers, urlencode(form).encode())
        grant = self._http.send(request, _granted, budget="token")
        self._learn(grant.access_token)
        self._token, self._ends = grant.access_token, self._now() + timedelta(seconds=grant.expires_in)

    def close(self) -> None:
        """Gives the connection back."""
        self._http.close()


def _granted(answer: Response) -> _Grant:
    try:
        grant = msgspec.json.decode(answer.body, type=_Grant)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Nothing of such an answer is shown: half of it may be a token.
        what = "The answer holds no access token"
        raise BrokenResponse(what, where=answer.where, remedy="Check the connection's token_uri.") from None
    if not grant.access_token:
        raise BrokenResponse("The access token is empty", where=answer.where)
    return grant


def explain(answer: Response, retry_after: float | None) -> HttpError | None:
    """What a refusal at the token's address means; None leaves it to its status."""
    try:
        said = json.loads(answer.body)
        code, text = str(said["error"]), str(said.get("error_description", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        if answer.status < 500 and answer.status not in (408, 429):
            what = f"The token's address answers with HTTP {answer.status}"
            return RequestRefused(what, where=answer.where, remedy="Check the connection's token_uri.")
        return None
    if answer.status >= 500 or answer.status == 429:
        return None
    what = f"Google gives no access token and says {code!r}" + (f": {text[:300]}" if text else "")
    return AuthError(what, where=answer.where, remedy=NEW_CONSENT if code == "invalid_grant" else _CLIENT)
