"""What the Marketing API's codes mean, and what to do about each; it sends them with HTTP 200."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tributary.channels.payloads import neutralised
from tributary.channels.tiktok_business import envelope, located
from tributary.http import AuthError, HttpError, RateLimited, RequestRefused, VendorUnavailable

if TYPE_CHECKING:
    from tributary.http import Response

AUTHORISE = "Authorise the app for the ad accounts again and put the new access token into the connection's password."
PERMISSION = (
    "Authorise the app again with the permissions Ad Account Management, Campaign and Reporting for this ad account "
    "(GMV Max too, if it sells a TikTok Shop's products), or take the account out of the connection's field "
    "advertiser_ids."
)
WRONG_ACCOUNT = "Correct the connection's field advertiser_ids."
TOKENS = frozenset({40102, 40104, 40105})
NOT_ALLOWED, PARAMETERS, TOO_MANY = 40001, 40002, 40100
PASSING = frozenset({40200, 40201, 40202, 40700})
VENDOR_FAULTS = 50000
"""From here on the codes blame the vendor."""
_TOO_LONG = re.compile(r"time (span|range)")


class TooLong(RequestRefused):
    """The range has more days than the report allows."""


class TooHeavy(VendorUnavailable):
    """TikTok could not work it out; of a long report, perhaps because of its length."""


def explain(response: Response, retry_after: float | None) -> HttpError | None:
    """The exception that an answer stands for; None when it succeeded or is no envelope."""
    answer = envelope(neutralised(response.body))
    if answer is None or answer.code == 0:
        return None
    where = located(response.where, answer.request_id)
    what = f"TikTok refuses with {answer.code}: {answer.message or 'without a message'}"
    if answer.code == TOO_MANY or response.status == 429:
        return RateLimited(what, where=where, remedy="The quota refills by itself.", retry_after=retry_after)
    if answer.code in TOKENS:
        return AuthError(what, where=where, remedy=AUTHORISE)
    if answer.code == NOT_ALLOWED:
        return AuthError(what, where=where, remedy=PERMISSION)
    if answer.code >= VENDOR_FAULTS or response.status >= 500:
        return TooHeavy(what, where=where, retry_after=retry_after)
    if answer.code in PASSING:
        return VendorUnavailable(what, where=where, retry_after=retry_after)
    if answer.code == PARAMETERS and _TOO_LONG.search(answer.message):
        return TooLong(what, where=where)
    is_unknown = answer.code == PARAMETERS and "deleted" in answer.message
    return RequestRefused(what, where=where, remedy=WRONG_ACCOUNT if is_unknown else "")
