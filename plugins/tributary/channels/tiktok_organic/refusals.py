"""What the Accounts API's codes mean, and what to do about each; it sends them with HTTP 200."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.channels.payloads import neutralised
from tributary.channels.tiktok_business import envelope, located
from tributary.http import AuthError, HttpError, RateLimited, RequestRefused, VendorUnavailable

if TYPE_CHECKING:
    from tributary.http import Response

AUTHORISE = "Authorise the app for the account again and put the new refresh token into the connection."
TOKEN, SCOPE, ACCOUNT = 40105, 40130, 40006
TOO_MANY = 40100
VENDOR_FAULTS = 50000
"""From here on the codes blame the vendor."""
_REMEDIES = {
    SCOPE: "Allow the app to read the account's videos and their insights (video.list, video.insights), then authorise "
    "it again.",
    ACCOUNT: "Put the business_id (the open_id that came with the tokens) of the account that was authorised, and the "
    "app's client id and secret, into the connection.",
}


class TokenRefused(AuthError):  # noqa: N818 (an error that names what happened needs no suffix)
    """The access token is expired, replaced or revoked; another one may do."""


def explain(response: Response, retry_after: float | None) -> HttpError | None:
    """The exception that an answer stands for; None when it succeeded or is no envelope."""
    answer = envelope(neutralised(response.body))
    if answer is None or answer.code == 0:
        return None
    where = located(response.where, answer.request_id)
    what = f"TikTok refuses with {answer.code}: {answer.message or 'without a message'}"
    if answer.code == TOKEN:
        return TokenRefused(what, where=where, remedy=AUTHORISE)
    if answer.code == SCOPE:
        return AuthError(what, where=where, remedy=_REMEDIES[SCOPE])
    if answer.code == TOO_MANY or response.status == 429:
        return RateLimited(what, where=where, remedy="The quota refills by itself.", retry_after=retry_after)
    if answer.code >= VENDOR_FAULTS or response.status >= 500:
        return VendorUnavailable(what, where=where, retry_after=retry_after)
    return RequestRefused(what, where=where, remedy=_REMEDIES.get(answer.code, ""))
