"""What the Graph API's errors mean, and what to do about each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.meta_ads.usage import A_WHILE, pause
from tributary.channels.payloads import neutralised
from tributary.http import AuthError, HttpError, RequestRefused, RetryPolicy, VendorUnavailable

if TYPE_CHECKING:
    from tributary.http import Response

_AUTHORISE = (
    "Create a new access token with the permission ads_read (in Meta Business Suite, Settings, System users: a system "
    "user's token need not expire) and put it into the connection's password."
)
_PERMISSION = (
    "Give the token's user the ad account with the right to view its performance, and create the token with the "
    "permission ads_read; the app needs access to the Marketing API."
)
NO_ACCOUNT = (
    "Check the number in the connection's field account_ids, and give the token's user that ad account with the right "
    "to view its performance."
)
_PROOF = (
    "Put the secret of the app that the access token belongs to into the connection's field app_secret, or empty it if "
    "the app does not require a proof."
)
_HORIZON = "Meta keeps 37 months; name a later first day."
_UPDATE = "Meta does not serve this any more, or not in this way; update Tributary."

_TOKENS = {102, 104, 190}
_ENDED = {
    458: "is no more: its user took the app away",
    459: "does not work until its user has logged in at Facebook",
    460: "is no more: its user's password was changed",
    463: "has expired",
    467: "is no more: its user logged out",
}
_PERMISSIONS = {3, 10, *range(200, 300)}
_RATES = {4, 17, 341, 613, *range(80000, 80015)}
_TOO_MUCH = {(100, 1487534), (100, 1504018), (2, 1504038)}
_REDUCE = "reduce the amount of data"
"""What those say that come with the code of an unknown error."""
_PROOF_FIELD = "appsecret_proof"
_NOT_THERE = {(100, 33), (803, None)}
_TRANSIENT = {1, 2}
"""And all negative ones: Meta blames itself."""
_TOO_OLD = 3018


class TooMuchData(RequestRefused):
    """The range is too wide for one answer: a narrower one may do."""


class NotThere(RequestRefused):
    """What was asked for by its id is not there, is there no more, or is not shown to this token."""


class RunFailed(VendorUnavailable):
    """An asynchronous report was not made."""


class RunUnfinished(RunFailed):
    """It was not made in the time that is waited for it."""


class Error(msgspec.Struct):
    """What the Graph API says of an error; a failed run says it in the same terms."""

    code: int
    message: str = ""
    error_subcode: int | None = None
    error_user_title: str | None = None
    error_user_msg: str | None = None
    is_transient: bool = False
    fbtrace_id: str = ""

    def __str__(self) -> str:
        number = f"{self.code}/{self.error_subcode}" if self.error_subcode else f"{self.code}"
        said = [part.rstrip(".") for part in (self.message, self.error_user_title, self.error_user_msg) if part]
        return f"{number}: {'; '.join(dict.fromkeys(said)) or 'without a message'}"


class _Refusal(msgspec.Struct):
    error: Error


_REFUSAL = msgspec.json.Decoder(_Refusal, strict=False)


def refusal(body: bytes) -> Error | None:
    """The error in a body, if it holds one."""
    try:
        return _REFUSAL.decode(neutralised(body)).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def explain(response: Response, retry_after: float | None) -> HttpError | None:
    """The exception that an answer stands for; None when it is no error of the Graph API's."""
    error = refusal(response.body)
    if error is None:
        return None
    where = f"{response.where}, Meta's trace id {error.fbtrace_id}" if error.fbtrace_id else response.where
    told = pause(response.headers)
    return meant(error, where, max(retry_after or 0, told.seconds if told else 0) or None)


def meant(error: Error, where: str, wait: float | None = None) -> HttpError:
    """The exception for an error; `wait` are the seconds that Meta asks for, if it does."""
    what = f"Meta refuses with {error}"
    kind = error.code, error.error_subcode
    if kind in _TOO_MUCH or _REDUCE in error.message.lower():
        return TooMuchData(what, where=where)
    if error.code in _RATES:
        return _rate_limited(what, where, wait or A_WHILE)
    if error.code in _TOKENS:
        ended = _ENDED.get(error.error_subcode or 0, "is not accepted")
        return AuthError(f"The access token {ended}. {what}", where=where, remedy=_AUTHORISE)
    if error.code in _PERMISSIONS:
        return AuthError(what, where=where, remedy=_PERMISSION)
    if error.code in _TRANSIENT or error.code < 0 or error.is_transient:
        return VendorUnavailable(what, where=where, retry_after=wait)
    if kind in _NOT_THERE:
        return NotThere(what, where=where, remedy=_PERMISSION)
    if _PROOF_FIELD in error.message:
        return AuthError(what, where=where, remedy=_PROOF)
    return RequestRefused(what, where=where, remedy=_HORIZON if error.code == _TOO_OLD else _UPDATE)


def _rate_limited(what: str, where: str, wait: float) -> HttpError:
    patience = RetryPolicy()
    remedy = f"Nothing more is asked of the ad account for {math.ceil(wait / 60)} minutes."
    if not patience.stays_for(wait):
        remedy = f"{remedy} A run after that goes on where this one stopped."
    return patience.rate_limited(wait)(what, where=where, remedy=remedy, retry_after=wait)
