"""What Klaviyo's refusals mean, and what to do about each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.payloads import neutralised
from tributary.http import AuthError, HttpError, RequestRefused, RetryPolicy, VendorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tributary.http import Response

SCOPES = {
    "accounts": "accounts:read",
    "campaigns": "campaigns:read",
    "campaign-values-reports": "campaigns:read",
    "flows": "flows:read",
    "flow-series-reports": "flows:read",
    "metrics": "metrics:read",
    "metric-aggregates": "metrics:read",
    "profiles": "profiles:read",
    "events": "events:read",
}
"""The scope that each address needs, as the API's description names it."""
NEW_KEY = (
    "The scopes of a private key cannot be changed: create a new one in Klaviyo (Settings, API keys) that may read "
    "accounts, campaigns, events, flows, metrics and profiles, and put it into the connection's password "
    "(Private API key)."
)
_ADDRESS = re.compile(r"/api/([a-z-]+)")
_WRONG_KEY = (
    "Put a private key of the account (pk_..., from Klaviyo's Settings, API keys) into the connection's password."
)
_UPDATE = "Klaviyo does not serve this any more, or not in this way; update Tributary."
_CONVERSION = (
    "Put the id of one of the account's metrics into the connection's field conversion_metric_id, or empty it."
)


class ScopeMissing(AuthError):  # noqa: N818 (an error that names what happened needs no suffix)
    """The key is good, but may not read this."""

    def __init__(self, what: str, *, where: str, scope: str | None) -> None:
        lacking = f"The private key lacks the scope {scope}. " if scope else ""
        super().__init__(what, where=where, remedy=f"{lacking}{NEW_KEY}")
        self.scope = scope


class NotThere(RequestRefused):
    """What was asked for by its id is not there, or is there no more."""


class _Source(msgspec.Struct):
    pointer: str | None = None
    parameter: str | None = None


class _Error(msgspec.Struct):
    code: str = ""
    title: str = ""
    detail: str = ""
    id: str = ""
    source: _Source | None = None

    def __str__(self) -> str:
        place = self.source and (self.source.pointer or self.source.parameter)
        words = self.detail or self.title or "without a reason"
        return f"{words.rstrip('.')}{f' (at {place})' if place else ''}"


class _Refusal(msgspec.Struct):
    errors: list[_Error]


_REFUSAL = msgspec.json.Decoder(_Refusal)


def explained(response: Response, retry_after: float | None, now: Callable[[], datetime]) -> HttpError | None:
    """The exception that a refusal stands for; None when it is no document of Klaviyo's and only its status tells."""
    try:
        errors = _REFUSAL.decode(neutralised(response.body)).errors
    except (msgspec.DecodeError, UnicodeDecodeError):
        errors = []
    if not errors and response.status != 429:
        return None
    reasons = "; ".join(map(str, errors)) or "without a reason"
    what = f"Klaviyo refuses with {response.status}: {reasons}"
    where = ", ".join([response.where, *(f"Klaviyo's error id {error.id}" for error in errors[:1] if error.id)])
    if response.status == 429:
        patience = RetryPolicy()
        return patience.rate_limited(retry_after)(
            what, where=where, remedy=patience.told(retry_after, now), retry_after=retry_after
        )
    if response.status >= 500:
        return VendorUnavailable(what, where=where, retry_after=retry_after)
    if response.status == 401:
        return AuthError(what, where=where, remedy=_WRONG_KEY)
    if response.status == 403:
        found = _ADDRESS.search(response.where)
        return ScopeMissing(what, where=where, scope=SCOPES.get(found[1]) if found else None)
    kind = NotThere if response.status == 404 else RequestRefused
    return kind(what, where=where, remedy=_remedy(errors))


def _remedy(errors: list[_Error]) -> str:
    places = [error.source for error in errors if error.source]
    if any("metric_id" in (place.pointer or "") for place in places):
        return _CONVERSION
    if any(re.search("api.key", f"{error.title} {error.detail}", re.IGNORECASE) for error in errors):
        return _WRONG_KEY
    return _UPDATE
