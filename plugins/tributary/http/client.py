"""Sends requests that may be repeated, and either returns a whole answer or says clearly why not."""

from __future__ import annotations

import logging
import time
import zlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from tributary.http.errors import (
    AuthError,
    BrokenResponse,
    HttpError,
    RateLimited,
    RequestRefused,
    VendorUnavailable,
)
from tributary.http.retry import RetryPolicy, http_date, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tributary.http.budget import Budget, Quota
    from tributary.http.redaction import Redactor

log = logging.getLogger(__name__)

T = TypeVar("T")

CHUNK = 256 * 1024
TOLERATED_SKEW = timedelta(minutes=1)
"""Clocks that are further apart are worth a warning."""


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds: to connect, between two bytes, and for one whole answer however slowly it drips."""

    connect: float = 10.0
    read: float = 60.0
    total: float = 180.0


@dataclass(frozen=True)
class Request:
    """What is sent; headers and body may hold credentials and never show."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Response:
    """A complete answer, and the words for where it came from."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    where: str
    status: int = 200


class HttpClient:
    """A connection pool, a retry policy, rate budgets and a redactor, composed.

    A budget that other processes draw from too has a quota of the same name beside it. `remedies` says, by HTTP status,
    what a person should do about this vendor's refusals. A vendor whose refusals have codes of their own in the body
    reads them with `explain`, which may leave an answer to its status.
    """

    def __init__(
        self,
        *,
        redact: Redactor,
        budgets: Mapping[str, Budget],
        quotas: Mapping[str, Quota] | None = None,
        remedies: Mapping[int, str] | None = None,
        explain: Callable[[Response, float | None], HttpError | None] = lambda response, retry_after: None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.redact = redact
        self.budgets = budgets
        self._quotas = quotas or {}
        self._remedies = remedies or {}
        self._explain = explain
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self.skew = timedelta()
        """How far the vendor's clock is ahead of this machine's, as its last answer showed; signing needs to know."""
        self._skew_mentioned = False
        self._session = requests.Session()
        # What is unpacked below; requests would also offer what its installed packages can.
        self._session.headers["Accept-Encoding"] = "gzip"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=2, pool_maxsize=8, max_retries=0))

    def send(
        self, request: Request | Callable[[], Request], read: Callable[[Response], T], *, budget: str, cost: float = 1.0
    ) -> T:
        """Returns what `read` makes of the answer.

        A request that carries the time, as signed ones do, is given as a function and made anew for each attempt.
        `read` runs inside the retry loop: it raises `BrokenResponse` or `RateLimited` for what only the body tells.
        """
        result: T = self._retry.retrying(self._sleep)(self._attempt, request, read, budget, cost)
        return result

    def download(self, request: Request, file: BinaryIO) -> None:
        """Streams an answer into the file. After a break it goes on from there, or anew where the server cannot."""
        self._retry.retrying(self._sleep)(self._download, request, file)

    def close(self) -> None:
        """Gives the connections back."""
        self._session.close()

    def _attempt(
        self, request: Request | Callable[[], Request], read: Callable[[Response], T], budget: str, cost: float
    ) -> T:
        self.budgets[budget].take(cost)
        quota = self._quotas.get(budget)
        if quota is not None:
            quota.take()
        try:
            return read(self._exchange(request() if callable(request) else request))
        except HttpError as error:
            error.args = (self.redact(str(error)),)
            if quota is not None and isinstance(error, RateLimited) and error.retry_after is not None:
                quota.close(error.retry_after, self.redact(error.what))
            raise

    def _download(self, request: Request, file: BinaryIO) -> None:
        # Only bytes that were not compressed on the way can be counted and continued.
        headers = {**request.headers, "Accept-Encoding": "identity", "Range": f"bytes={file.tell()}-"}
        if not file.tell():
            del headers["Range"]
        try:
            self._exchange(replace(request, headers=headers), file)
        except HttpError as error:
            error.args = (self.redact(str(error)),)
            raise

    def _exchange(self, request: Request, file: BinaryIO | None = None) -> Response:
        where = f"{request.method} {self.redact(request.url)}"
        limits = self._timeouts
        deadline = self._clock() + limits.total
        sent = self._now()
        try:
            answer = self._session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body,
                timeout=(limits.connect, limits.read),
                stream=True,
                # Only `Authorization` is dropped on a redirect to another host; vendors' own token headers are not.
                allow_redirects=False,
            )
        except (requests.Timeout, requests.ConnectionError) as error:
            raise self._unreachable(error, where) from None
        except requests.RequestException as error:
            raise RequestRefused(f"The request cannot be sent: {type(error).__name__}: {error}", where=where) from None
        with answer:
            if request_id := answer.headers.get("X-Request-Id"):
                where = f"{where}, request id {request_id}"
            self._compare_clocks(sent, http_date(answer.headers.get("Date")), where)
            chunks = self._chunks(answer, deadline, where)
            if file is None or answer.status_code >= 300:
                body = b"".join(chunks)
            else:
                body = b""
                if answer.status_code != 206:
                    file.seek(0)
                    file.truncate()
                file.writelines(chunks)
        self._classify(answer.status_code, answer.headers, body, where)
        return Response(answer.headers, body, where, answer.status_code)

    def _chunks(self, answer: requests.Response, deadline: float, where: str) -> Iterator[bytes]:
        packed = self._packed_chunks(answer, deadline, where)
        try:
            yield from _unpacked(packed) if answer.headers.get("Content-Encoding") == "gzip" else packed
        except (urllib3.exceptions.TimeoutError, TimeoutError):
            raise VendorUnavailable(f"The answer stalled for {self._timeouts.read:g} s", where=where) from None
        except zlib.error as error:
            raise BrokenResponse(f"The answer cannot be unpacked: {error}", where=where) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            what = f"The answer broke off or is garbled: {type(error).__name__}"
            raise BrokenResponse(what, where=where) from None

    def _packed_chunks(self, answer: requests.Response, deadline: float, where: str) -> Iterator[bytes]:
        # read1 returns with what one receive brought; a plain read would wait for the whole chunk, drip by drip, and
        # so would unpacking inside it.
        while chunk := answer.raw.read1(CHUNK, decode_content=False):
            yield chunk
            if self._clock() > deadline:
                what = f"The answer was not complete after {self._timeouts.total:g} s"
                raise VendorUnavailable(what, where=where)

    def _compare_clocks(self, sent: datetime, theirs: datetime | None, where: str) -> None:
        """Measures the skew; an honest clock shows a moment between sending and receiving, in whole seconds."""
        if theirs is None:
            return
        ours = self._now()
        self.skew = max(theirs - ours, timedelta()) or min(theirs + timedelta(seconds=1) - sent, timedelta())
        if abs(self.skew) > TOLERATED_SKEW and not self._skew_mentioned:
            self._skew_mentioned = True
            log.warning(
                "The vendor's clock shows %s when this machine's shows %s: %d s apart (%s). Figures may come late, and "
                "signed requests may be refused; if this machine's clock is the wrong one, set it (by NTP).",
                f"{theirs:%Y-%m-%d %H:%M:%S} UTC",
                f"{ours:%Y-%m-%d %H:%M:%S} UTC",
                abs(self.skew).total_seconds(),
                where,
            )

    def _unreachable(self, error: requests.RequestException, where: str) -> VendorUnavailable:
        if isinstance(error, requests.ConnectTimeout):
            what = f"No connection within {self._timeouts.connect:g} s"
        elif isinstance(error, requests.Timeout):
            what = f"No answer within {self._timeouts.read:g} s"
        elif isinstance(error, requests.exceptions.SSLError):
            what = "No secure connection: the certificate was not accepted"
        else:
            what = f"No connection: {_innermost(error)}"
        return VendorUnavailable(what, where=where, remedy="Check the host name and the network.")

    def _classify(self, status: int, headers: Mapping[str, str], body: bytes, where: str) -> None:
        if status < 300:
            return
        wait = retry_after(headers, self._now)
        if error := self._explain(Response(headers, body, where, status), wait):
            raise error
        what = f"HTTP {status}: {self.redact.body(body) or 'no body'}"
        remedy = self._remedies.get(status, "")
        if status == 429:
            raise self._retry.rate_limited(wait)(
                what, where=where, remedy=remedy or self._retry.told(wait, self._now), retry_after=wait
            )
        if status >= 500 or status == 408:
            raise VendorUnavailable(
                what, where=where, remedy=remedy or self._retry.told(wait, self._now), retry_after=wait
            )
        if status in (401, 403):
            raise AuthError(what, where=where, remedy=remedy or "Check the connection's credentials and permissions.")
        if status < 400:
            target = headers.get("Location", "nowhere")
            remedy = remedy or f"It redirects to {target}; name the final host in the connection."
        raise RequestRefused(what, where=where, remedy=remedy)


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Gzip undone as it comes. Unlike urllib3's, this notices an end that comes too early."""
    member = None
    for chunk in chunks:
        rest = chunk
        while rest:
            if member is None or member.eof:
                member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            yield member.decompress(rest)
            rest = member.unused_data
    if member is not None and not member.eof:
        raise zlib.error("it ends early")


def _innermost(error: BaseException) -> str:
    """The reason at the bottom of nested connection errors, as the operating system or the peer put it."""
    reason = error
    while (inner := getattr(reason, "reason", None) or next(iter(reason.args), None)) is not None:
        if not isinstance(inner, BaseException):
            break
        reason = inner
    return f"{type(reason).__name__}: {reason}"
