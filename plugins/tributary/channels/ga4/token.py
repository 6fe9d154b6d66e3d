"""The access token that a service account's key is exchanged for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import requests
from google.auth import credentials, transport
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from tributary.channels.ga4.refusals import PUT_IN_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tributary.channels.ga4.clock import VendorClock

SCOPE = "https://www.googleapis.com/auth/analytics.readonly"


def key(text: str) -> service_account.Credentials:
    """The credentials in a key file; ValueError says what is wrong with it, and nothing of what is in it."""
    try:
        info = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON (line {error.lineno}, column {error.colno}). {PUT_IN_KEY}") from None
    if not isinstance(info, dict) or info.get("type") != "service_account":
        raise ValueError(f"is not the key file of a service account. {PUT_IN_KEY}")
    missing = [name for name in ("client_email", "private_key", "token_uri") if not info.get(name)]
    if missing:
        raise ValueError(f"lacks {' and '.join(missing)}. {PUT_IN_KEY}")
    try:
        found: service_account.Credentials = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
    except Exception:
        # Not the library's words, which may quote the key.
        raise ValueError(f"holds a private_key that cannot be read. {PUT_IN_KEY}") from None
    return found


class Token(credentials.Credentials):
    """Google's credentials, of which every token is told to whoever hides secrets and every answer tells the time.

    Those of the service account itself would, beside each request, also ask iamcredentials.googleapis.com about the
    account's region, whatever host the connection names.
    """

    def __init__(
        self, key: service_account.Credentials, clock: VendorClock, learn: Callable[[str], None], timeout: float
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._key = key
        self._clock = clock
        self._learn = learn
        self._session = requests.Session()
        self._request = _Told(Request(self._session), clock, timeout)

    def refresh(self, request: transport.Request | None = None) -> None:
        """Fetches a new token, by this object's own connection."""
        try:
            self._key.refresh(self._request)
        except (TypeError, AttributeError, KeyError):
            # What Google's library meets in an answer that is no object.
            raise RefreshError("The answer holds no token") from None
        self.token, self.expiry = self._key.token, self._key.expiry
        if self.token is not None:
            self._learn(self.token)

    def close(self) -> None:
        """Gives the connection back."""
        self._session.close()


class _Told(transport.Request):
    """Asks for tokens, with a limit of its own to the time, and listens to the `Date` of the answer."""

    def __init__(self, ask: Request, clock: VendorClock, timeout: float) -> None:
        self._ask = ask
        self._clock = clock
        self._timeout = timeout

    def __call__(self, **asked: Any) -> transport.Response:  # type: ignore[override]
        """The answer to one request."""
        answer: transport.Response = self._ask(**{**asked, "timeout": self._timeout})
        self._clock.hear(answer.headers.get("Date"))
        return answer
