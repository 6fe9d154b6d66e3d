"""Reports that are made in the background: asked for, polled until they are done, and then read page by page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.meta_ads.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sandbox.meta_ads.insights import Report

KEPT = timedelta(days=30)
COMPLETED, FAILED, SKIPPED = "Job Completed", "Job Failed", "Job Skipped"
POLLS = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """How a run ends that brings nothing."""

    status: str = FAILED
    code: int = -2
    subcode: int = 2490547
    message: str = "The report run failed. Please try again later."


TOO_MANY_ROWS = Failure(code=100, subcode=1487534, message="Please reduce the amount of data you're asking for.")


@dataclass(slots=True)
class Limits:
    """What one report may be; without a number there is no limit."""

    rows: int | None = None
    """How many rows a report has that is answered at once."""
    days: int | None = None
    """How many days a report covers that is answered at once, before it takes too long."""
    run_rows: int | None = None
    timeout: int = 100
    """The code with which a report is refused that takes too long: 100 or 2."""
    polls: int = POLLS
    """How often a run is asked about before it is done."""


@dataclass(slots=True)
class Run:
    """One report in the making."""

    id: str
    merchant_id: str
    report: Report
    started_at: datetime
    failure: Failure | None = None
    polls: int = 0
    status: str = "Job Not Started"
    percent: int = 0
    done_at: datetime | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def poll(self, limits: Limits, now: datetime, read: Callable[[Report], list[dict[str, Any]]]) -> None:
        """Asking is what makes it go on, so that it also does while the world's clock stands still."""
        if self.done_at is not None:
            return
        self.polls += 1
        if self.polls <= limits.polls:
            if self.polls > 1:
                # A run may say 100 per cent while it still runs.
                self.status, self.percent = "Job Running", 100 * (self.polls - 1) // (limits.polls - 1)
            return
        self.done_at = now
        rows = [] if self.failure else read(self.report)
        if limits.run_rows is not None and len(rows) > limits.run_rows:
            self.failure = TOO_MANY_ROWS
        if self.failure is not None:
            self.status, self.percent = self.failure.status, 0
        else:
            self.status, self.percent, self.rows = COMPLETED, 100, rows

    def told(self) -> dict[str, Any]:
        report, failure = self.report, self.failure if self.done_at is not None else None
        known: dict[str, Any] = {
            "id": self.id,
            "account_id": report.account.account_id,
            "time_ref": int(self.started_at.timestamp()),
            "async_status": self.status,
            "async_percent_completion": self.percent,
            "is_running": self.done_at is None,
            "date_start": report.first.isoformat(),
            "date_stop": report.last.isoformat(),
        }
        if self.done_at is not None:
            known["time_completed"] = int(self.done_at.timestamp())
        if failure is not None:
            known |= {
                "error_code": failure.code,
                "error_subcode": failure.subcode,
                "error_message": failure.message,
                "error_user_title": "Report not available",
                "error_user_msg": failure.message,
            }
        return known

    def result(self) -> list[dict[str, Any]]:
        if self.status != COMPLETED:
            raise Refused(
                2601,
                "Error accessing adreport job.",
                subcode=1815107,
                is_transient=True,
                title="Loading Async Ads Report Failed",
                advice="Sorry, the loading of this async ads report has failed. It may be that it is not completed.",
            )
        return self.rows


class Runs:
    """The runs that were asked for since the sandbox started, and which of the next ones fail."""

    def __init__(self) -> None:
        self.known: dict[str, Run] = {}
        self.failing: list[Failure] = []

    def start(self, merchant_id: str, report: Report, now: datetime) -> Run:
        failure = self.failing.pop(0) if self.failing else None
        run = Run(f"60{len(self.known) + 1:013d}", merchant_id, report, now, failure)
        self.known[run.id] = run
        return run

    def find(self, number: str, merchant_id: str, now: datetime) -> Run | None:
        run = self.known.get(number)
        is_there = run is not None and run.merchant_id == merchant_id and now - run.started_at < KEPT
        return run if is_there else None
