"""What errors of Google's client mean, and what to do about each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from google.ads.googleads.v26.errors.types.errors import ErrorCode, GoogleAdsError, GoogleAdsFailure, QuotaErrorDetails
from google.protobuf.message import DecodeError
from grpc import StatusCode

from tributary.channels.google_ads.remedies import FIELDS, REMEDIES, UPDATE
from tributary.http import (
    AuthError,
    BrokenResponse,
    Fatal,
    HttpError,
    RequestRefused,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from google.api_core.exceptions import GoogleAPICallError

    from tributary.http import Redactor, RetryPolicy

_FAILURE = re.compile(r"google\.ads\.googleads\.v[0-9]+\.errors\.googleadsfailure-bin")
_QUOTAS = frozenset(
    {
        "RESOURCE_EXHAUSTED",
        "RESOURCE_TEMPORARILY_EXHAUSTED",
        "EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION",
        "EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION",
    }
)
_ACCESS = frozenset({"authenticationError", "authorizationError", "headerError"})
_REFUSED = frozenset(
    {
        StatusCode.INVALID_ARGUMENT,
        StatusCode.NOT_FOUND,
        StatusCode.FAILED_PRECONDITION,
        StatusCode.OUT_OF_RANGE,
        StatusCode.UNIMPLEMENTED,
    }
)


class TooMuchError(Fatal):
    """The answer is too large or takes too long; fewer days may pass."""


class Refusal(NamedTuple):
    """An error, and how long the whole project has to wait for it."""

    error: HttpError
    closes_for: float | None = None


@dataclass(frozen=True)
class Refusals:
    """Turns errors into words."""

    retry: RetryPolicy
    redact: Redactor
    now: Callable[[], datetime]

    def explained(self, error: GoogleAPICallError, where: str) -> Refusal:
        """The error as one of the project's, without a secret in it."""
        failure = _failure(error)
        if request_id := (failure.request_id if failure else "") or str(_metadata(error).get("request-id") or ""):
            where = f"{where}, request id {request_id}"
        found = self._said(failure.errors[0], where) if failure and failure.errors else None
        found = found or Refusal(self._by_status(error, failure, where))
        found.error.args = (self.redact(str(found.error)),)
        return found

    def _said(self, said: GoogleAdsError, where: str) -> Refusal | None:
        family, code = _named(said.error_code)
        what = f"Google Ads refuses with {family}.{code}: {self._brief(said.message)}"
        remedy = REMEDIES.get(code, "")
        if family == "quotaError" and code in _QUOTAS:
            return self._exhausted(said, what, where)
        if family == "internalError":
            if code == "DEADLINE_EXCEEDED":
                return Refusal(TooMuchError(what, where=where))
            return Refusal(VendorUnavailable(what, where=where))
        if family in _ACCESS or code == "ACCESS_PROHIBITED":
            return Refusal(AuthError(what, where=where, remedy=remedy or FIELDS))
        if code in ("EXPIRED_PAGE_TOKEN", "INVALID_PAGE_TOKEN"):
            remedy = "Nothing of these days was kept; the next run reads them again."
            return Refusal(BrokenResponse(what, where=where, remedy=remedy))
        if family in ("queryError", "requestError"):
            return Refusal(RequestRefused(what, where=where, remedy=remedy or UPDATE))
        return None

    def _exhausted(self, said: GoogleAdsError, what: str, where: str) -> Refusal:
        details = said.details.quota_error_details
        asked = details.retry_delay.total_seconds() if details.retry_delay else 0.0
        wait = asked if asked > 0 else None
        of = f" (quota: {self._brief(details.rate_name)})" if details.rate_name else ""
        told = self.retry.told(wait, self.now)
        error = self.retry.rate_limited(wait)(what + of, where=where, remedy=told, retry_after=wait)
        # Of an account's own quota the others need not know.
        is_own = details.rate_scope == QuotaErrorDetails.QuotaRateScope.ACCOUNT
        return Refusal(error, None if is_own else wait)

    def _by_status(self, error: GoogleAPICallError, failure: GoogleAdsFailure | None, where: str) -> HttpError:
        status = error.grpc_status_code
        name = status.name if status else "UNKNOWN"
        said = failure.errors[0] if failure and failure.errors else None
        code = ".".join(_named(said.error_code)) if said else name
        message = self._brief(said.message if said else str(error.message or "")) or "without a message"
        what = f"Google Ads refuses with {code}: {message}"
        if status is StatusCode.DEADLINE_EXCEEDED:
            return TooMuchError("Google Ads did not answer in time", where=where)
        if status is StatusCode.RESOURCE_EXHAUSTED:
            if "larger than max" in message:
                return TooMuchError(f"The answer is too large: {message}", where=where)
            return self.retry.rate_limited(None)(what, where=where)
        if status in (StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED):
            return AuthError(what, where=where, remedy=REMEDIES.get(error.reason or "", FIELDS))
        if status in _REFUSED:
            remedy = "Check the connection's api_host." if status is StatusCode.UNIMPLEMENTED and not said else UPDATE
            return RequestRefused(what, where=where, remedy=remedy)
        if status is StatusCode.UNAVAILABLE and not said:
            remedy = "Check the connection's api_host and the network."
            return VendorUnavailable(f"Google Ads is not there: {message}", where=where, remedy=remedy)
        return VendorUnavailable(what, where=where)

    def _brief(self, text: str) -> str:
        return self.redact.body(text.encode()).rstrip(".")


def _metadata(error: GoogleAPICallError) -> dict[str, str | bytes]:
    trailing = getattr(error.response, "trailing_metadata", None)
    return dict(trailing() or ()) if trailing else {}


def _failure(error: GoogleAPICallError) -> GoogleAdsFailure | None:
    for key, value in _metadata(error).items():
        if _FAILURE.fullmatch(key) and isinstance(value, bytes):
            try:
                failure: GoogleAdsFailure = GoogleAdsFailure.deserialize(value)
            except DecodeError:
                return None
            return failure
    return None


def _named(error_code: ErrorCode) -> tuple[str, str]:
    """The family and the code, as Google's REST interface writes them: `quotaError` and `RESOURCE_EXHAUSTED`."""
    message = ErrorCode.pb(error_code)
    family = message.WhichOneof("error_code")
    if family is None:
        return "error", "UNKNOWN"
    head, *rest = family.split("_")
    code = getattr(error_code, family)
    # A code that is newer than the client is a number.
    return head + "".join(word.title() for word in rest), getattr(code, "name", str(code))
