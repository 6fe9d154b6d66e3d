"""The Data API of Google Analytics: one report of one day, a page at a time, within the property's quotas."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeVar

import requests
from google.analytics.data_v1beta.types import (
    CheckCompatibilityRequest,
    Compatibility,
    DateRange,
    Dimension,
    Filter,
    FilterExpression,
    Metric,
    OrderBy,
    RunReportRequest,
)
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from google.protobuf.json_format import ParseError

from tributary.channels.ga4.answers import Answer, answered
from tributary.channels.ga4.refusals import DAY, HOUR, Refusals
from tributary.channels.ga4.reports import PAGE_SIZE
from tributary.http import Budget, HttpError, RateLimited, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from google.analytics.data_v1beta import BetaAnalyticsDataClient
    from google.analytics.data_v1beta.types import RunReportResponse

    from tributary.channels.ga4.clock import VendorClock
    from tributary.channels.ga4.reports import Report
    from tributary.channels.ga4.token import Token
    from tributary.http import Quota

log = logging.getLogger(__name__)

T = TypeVar("T")

_ERRORS = (GoogleAPICallError, GoogleAuthError, requests.RequestException, ParseError, UnicodeDecodeError, HttpError)
_TOKENS = (
    ("tokens_per_hour", "tokens an hour", HOUR),
    ("tokens_per_project_per_hour", "tokens an hour of this Google Cloud project", HOUR),
    ("tokens_per_day", "tokens a day", DAY),
)


def smoothing() -> Budget:
    """Google limits how many requests run at once, not how fast they follow each other; this only smooths a storm."""
    return Budget(rate=10, capacity=10)


class Ga4Api:
    """Reads the reports of one property."""

    def __init__(
        self,
        client: BetaAnalyticsDataClient,
        property_id: str,
        *,
        token: Token,
        clock: VendorClock,
        quota: Quota,
        refusals: Refusals,
        retry: RetryPolicy,
        timeout: float,
        budget: Budget,
        page_size: int = PAGE_SIZE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`quota` is shared by all tasks that read the property."""
        self._client = client
        self.name = f"property {property_id}"
        self._property = f"properties/{property_id}"
        self._token = token
        self._clock = clock
        self._quota = quota
        self._refusals = refusals
        self._retry = retry
        self._timeout = timeout
        self._budget = budget
        self.page_size = page_size
        self._sleep = sleep
        self._costliest = 0
        self._ahead: tuple[Report, date, Answer] | None = None
        self._warned: set[str] = set()
        self.tokens_left: dict[str, int] = {}
        """What the last report left of each kind of tokens."""

    def now(self) -> datetime:
        """The present moment by Google's own clock, which says what today is."""
        if not self._clock.is_known:
            # A token costs nothing, and is needed anyway.
            self._ask("token", self._token.refresh, counted=False)
        return self._clock.now()

    def report(self, report: Report, on: date, offset: int = 0) -> Answer:
        """A page of the day's report, from that row on."""
        if self._ahead is not None and self._ahead[:2] == (report, on) and offset == 0:
            answer, self._ahead = self._ahead[2], None
            return answer
        return self._report(report, on, offset, self.page_size)

    def look_ahead(self, report: Report, on: date) -> Answer:
        """The first page of a day that is about to be read; `report` then gives it without another request."""
        answer = self.report(report, on)
        self._ahead = report, on, answer
        return answer

    def try_out(self, report: Report, on: date) -> Answer:
        """The smallest report."""
        return self._report(report, on, 0, 1)

    def incompatible(self, report: Report) -> list[str]:
        """The fields of a report that cannot be asked for together; an error when Google refuses to tell them."""
        request = CheckCompatibilityRequest(
            property=self._property,
            dimensions=_dimensions(report),
            metrics=_metrics(report),
            dimension_filter=_only(report),
        )
        answer = self._ask(
            "checkCompatibility",
            lambda: self._client.check_compatibility(request, retry=None, timeout=self._timeout),
        )
        wanted = {"date", *report.dimensions, *report.metrics}
        found = {
            **{one.dimension_metadata.api_name: one.compatibility for one in answer.dimension_compatibilities},
            **{one.metric_metadata.api_name: one.compatibility for one in answer.metric_compatibilities},
        }
        return sorted(name for name in wanted if found.get(name) == Compatibility.INCOMPATIBLE)

    def warn_once(self, message: str) -> None:
        """Logs what holds for the whole of a sync, not once more for every day."""
        if message not in self._warned:
            log.warning("%s", message)
            self._warned.add(message)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.transport.close()
        self._token.close()

    def _report(self, report: Report, on: date, offset: int, limit: int) -> Answer:
        request = RunReportRequest(
            property=self._property,
            date_ranges=[DateRange(start_date=f"{on}", end_date=f"{on}")],
            dimensions=_dimensions(report),
            metrics=_metrics(report),
            dimension_filter=_only(report),
            # Pages are cut from whatever order the rows are in.
            order_bys=[_by(name) for name in ("date", *report.dimensions)],
            offset=offset,
            limit=limit,
            return_property_quota=True,
        )
        where = f"the report {report.name} of {on}"

        def run() -> Answer:
            response = self._client.run_report(request, retry=None, timeout=self._timeout)
            self._watch(response)
            return answered(response, report, on, self._where(where))

        return self._ask(where, run)

    def _ask(self, what: str, call: Callable[[], T], counted: bool = True) -> T:
        """What the call brings, however often it has to be made; the errors are the project's."""

        def attempt() -> T:
            if counted:
                self._budget.take()
                self._quota.take()
            try:
                return call()
            except _ERRORS as error:
                found = self._refusals.explained(error, self._where(what))
            if isinstance(found, RateLimited) and found.retry_after is not None:
                self._quota.close(found.retry_after, self._refusals.redact(found.what))
            raise found

        result: T = self._retry.retrying(self._sleep)(attempt)
        return result

    def _watch(self, response: RunReportResponse) -> None:
        """Closes the quota for everybody before Google does: a refusal is a call too, and says less."""
        left = type(response).pb(response).property_quota
        self._costliest = max(self._costliest, left.tokens_per_hour.consumed, left.tokens_per_day.consumed)
        for name, words, span in _TOKENS:
            if not left.HasField(name):
                continue
            remaining = getattr(left, name).remaining
            self.tokens_left[words] = remaining
            if remaining < 2 * self._costliest:
                reason = (
                    f"of the {words} that Google Analytics allows, {remaining} are left, and a report may take "
                    f"{self._costliest}; they come back at {span.ends}"
                )
                self._quota.close(span.left(self._clock.now()), reason)

    def _where(self, what: str) -> str:
        return f"{what}, {self._property}"


def _dimensions(report: Report) -> list[Dimension]:
    return [Dimension(name=name) for name in ("date", *report.dimensions)]


def _by(name: str) -> OrderBy:
    return OrderBy(dimension=OrderBy.DimensionOrderBy(dimension_name=name))


def _metrics(report: Report) -> list[Metric]:
    return [Metric(name=name) for name in report.metrics]


def _only(report: Report) -> FilterExpression | None:
    if not report.only_events:
        return None
    wanted = Filter.InListFilter(values=report.only_events, case_sensitive=True)
    return FilterExpression(filter=Filter(field_name="eventName", in_list_filter=wanted))
