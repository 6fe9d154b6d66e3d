"""What errors of Google's client mean, wherever they come from, and what to do about each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import requests
from google.api_core import exceptions as google
from google.auth import exceptions as auth

from tributary.http import (
    AuthError,
    BrokenResponse,
    HttpError,
    RateLimited,
    Redactor,
    RequestRefused,
    RetryPolicy,
    VendorUnavailable,
)
from tributary.http.retry import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tributary.channels.ga4.clock import VendorClock

GOOGLES_MIDNIGHT = ZoneInfo("America/Los_Angeles")
"""Where the day of a quota begins."""

PUT_IN_KEY = "Put the whole JSON key file of the service account into the connection's password."
_NEW_KEY = (
    "Create a new key for the service account in the Google Cloud console; " + PUT_IN_KEY[0].lower() + PUT_IN_KEY[1:]
)
_LATER = "A run after that goes on where this one stopped."


class Span(NamedTuple):
    """How long a quota stays used up."""

    words: str
    ends: str

    def left(self, now: datetime) -> float:
        """Seconds until it is filled up again."""
        if self is DAY:
            here = now.astimezone(GOOGLES_MIDNIGHT)
            midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            return midnight.timestamp() - now.timestamp()
        return 3600 - now.timestamp() % 3600


HOUR = Span("the hour's", "the next full hour")
DAY = Span("the day's", "midnight in Los Angeles")


@dataclass(frozen=True)
class Refusals:
    """Turns errors into words; knows who asked, for the remedies."""

    account: str
    """The service account's address."""
    property_id: str
    clock: VendorClock
    retry: RetryPolicy
    redact: Redactor

    def explained(self, error: Exception, where: str) -> HttpError:
        """The error as one of the project's, without a secret in it."""
        found = self._explained(error, where)
        found.args = (self.redact(str(found)),)
        return found

    def _explained(self, error: Exception, where: str) -> HttpError:
        if isinstance(error, HttpError):
            return error
        if isinstance(error, google.GoogleAPICallError):
            return self._refused(error, where)
        if isinstance(error, auth.GoogleAuthError):
            return self._no_token(error, where)
        if isinstance(error, requests.HTTPError):
            said = google.from_http_status(error.response.status_code, error.response.text, response=error.response)
            return self._refused(said, where)
        if isinstance(error, requests.RequestException):
            return _unreachable(error, where)
        what = f"The answer is not what Google Analytics sends: {type(error).__name__}: {self._brief(str(error))}"
        return BrokenResponse(what, where=where)

    def _refused(self, error: google.GoogleAPICallError, where: str) -> HttpError:
        headers = _headers(error)
        self.clock.hear(headers.get("Date"))
        wait = retry_after(headers, self.clock.now)
        code = int(error.code or 0)
        message = self._message(error)
        what = f"Google Analytics refuses with {_name(error)}: {message}"
        if isinstance(error, google.TooManyRequests):
            return self._exhausted(what, message, wait, where)
        if isinstance(error, google.Unauthorized):
            return AuthError(what, where=where, remedy=_NEW_KEY)
        if isinstance(error, google.Forbidden):
            return AuthError(what, where=where, remedy=self._access(error, message))
        if isinstance(error, google.BadRequest) and not isinstance(error, google.FailedPrecondition):
            return RequestRefused(what, where=where, remedy="Press Test: it names the fields that do not go together.")
        if isinstance(error, google.NotFound | google.MethodNotImplemented):
            remedy = "Check the connection's api_host; it is the address alone, without a path."
            return RequestRefused(what, where=where, remedy=remedy)
        if 300 <= code < 500 and code not in (408, 409, 499):
            return RequestRefused(what, where=where, remedy="Check the connection's property_id and api_host.")
        return VendorUnavailable(what, where=where, retry_after=wait)

    def _exhausted(self, what: str, message: str, wait: float | None, where: str) -> HttpError:
        if re.search(r"concurrent", message, re.IGNORECASE):
            remedy = "Other requests for the property run at the same time; give the pool ga4 fewer slots."
            return RateLimited(what, where=where, remedy=remedy, retry_after=wait)
        if wait is not None:
            until = self.clock.now() + timedelta(seconds=wait)
            remedy = f"It asks to wait {wait:.0f} s, until {until:%Y-%m-%d %H:%M:%S} UTC. {_LATER}"
            return self.retry.rate_limited(wait)(what, where=where, remedy=remedy, retry_after=wait)
        # A refusal that names no quota is taken for the hour's: to ask earlier would cost another refusal.
        span = DAY if re.search(r"\b(day|daily|24 hours)\b", message, re.IGNORECASE) else HOUR
        wait = span.left(self.clock.now())
        until = self.clock.now() + timedelta(seconds=wait)
        remedy = f"It comes back at {span.ends}, {until:%Y-%m-%d %H:%M:%S} UTC. {_LATER}"
        return self.retry.rate_limited(wait)(what, where=where, remedy=remedy, retry_after=wait)

    def _access(self, error: google.GoogleAPICallError, message: str) -> str:
        if error.reason == "SERVICE_DISABLED" or "has not been used in project" in message:
            return "Enable the Google Analytics Data API in the Google Cloud project that the service account is of."
        return (
            f"In Google Analytics, under Admin, Property access management, give {self.account} the role Viewer for "
            f"property {self.property_id}; or put the right id into the connection's field property_id."
        )

    def _no_token(self, error: auth.GoogleAuthError, where: str) -> HttpError:
        # Its other arguments are what the token's address answered.
        said = self._brief(str(error.args[0]) if error.args else type(error).__name__)
        what = f"Google gives no access token and says {said!r}"
        if isinstance(error, auth.TransportError | auth.TimeoutError):
            return VendorUnavailable(what, where=where, remedy="Check the key file's token_uri and the network.")
        if error.retryable:
            return VendorUnavailable(what, where=where)
        if "reasonable timeframe" in said or "short-lived" in said:
            return AuthError(what, where=where, remedy="Set this machine's clock (by NTP): it signs with its time.")
        if not re.match(r"[a-z_]+: ", said):
            return BrokenResponse(what, where=where, remedy="Google answers otherwise; check the key's token_uri.")
        return AuthError(what, where=where, remedy=_NEW_KEY)

    def _message(self, error: google.GoogleAPICallError) -> str:
        # Over REST the client puts method and address before it, which `where` says already.
        message = re.sub(r"^(POST|GET) \S+: ", "", str(error.message or ""))
        return self._brief(message) or "without a message"

    def _brief(self, text: str) -> str:
        return self.redact.body(text.encode())


def _name(error: google.GoogleAPICallError) -> str:
    if error.grpc_status_code is not None:
        return str(error.grpc_status_code.name)
    return f"HTTP {int(error.code or 0)}"


def _headers(error: google.GoogleAPICallError) -> Mapping[str, str]:
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    return headers


def _unreachable(error: requests.RequestException, where: str) -> HttpError:
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return BrokenResponse(f"The answer broke off or is garbled: {type(error).__name__}", where=where)
    if isinstance(error, requests.exceptions.SSLError):
        what = "No secure connection: the certificate was not accepted"
    elif isinstance(error, requests.ConnectTimeout):
        what = "No connection in time"
    elif isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        what = "No answer in time"
    elif isinstance(error, requests.ConnectionError):
        what = f"No connection: {type(error).__name__}"
    else:
        return RequestRefused(f"The request cannot be sent: {type(error).__name__}: {error}", where=where)
    return VendorUnavailable(what, where=where, remedy="Check the connection's api_host and the network.")
