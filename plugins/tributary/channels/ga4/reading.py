"""Days of a report, read whole: each day is a slice of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from tributary.channels.ga4 import records
from tributary.channels.ga4.records import ONE_DAY
from tributary.channels.records import noon
from tributary.declaration import Page, Record, Reject, Slice
from tributary.http import BrokenResponse, Cut, follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.channels.ga4.answers import Answer
    from tributary.channels.ga4.api import Ga4Api
    from tributary.channels.ga4.reports import Report

_CAVEATS = {
    "dataLossFromOtherRow": "rolled small rows into one named (other)",
    "subjectToThresholding": "withholds rows of few users",
    "samplingMetadatas": "counted only a sample of the events",
    "dataTruncationReasons": "left data out",
    "schemaRestrictionResponse": "hides metrics, which come as 0, from the role that the service account has",
}


@dataclass(frozen=True)
class Daily:
    """A report as a stream of days, each of which stands at noon UTC."""

    report: Report

    def changed(self, api: Ga4Api, start: datetime, end: datetime) -> Iterator[Page]:
        """The days whose noon lies in the window, as Google Analytics shows them now."""
        for on in _dates(start, end):
            yield from self._day(api, on)

    def happened(self, api: Ga4Api, start: datetime, end: datetime) -> Iterator[Page]:
        """The same, up to today: a report of a day that has not begun would make one that is not over look final."""
        wanted = _dates(start, end)
        if wanted:
            today = api.now().astimezone(api.look_ahead(self.report, wanted[0]).time_zone).date()
            for on in wanted:
                if on <= today:
                    yield from self._day(api, on)

    def history(self, api: Ga4Api, start: datetime, end: datetime) -> Iterator[Slice]:
        """A slice for each day from the one that the window starts in to today, where the property is."""
        first = start.astimezone(UTC).date()
        if start >= end:
            return
        today = end.astimezone(api.look_ahead(self.report, first).time_zone).date()
        for on in _days(first, today):
            yield Slice(noon(on), noon(on + ONE_DAY), self.changed)

    def by_id(self, api: Ga4Api, ids: Sequence[str]) -> Iterator[Page]:
        """A day's report is all there is of the day: what it does not show is gone."""
        yield Page((), gone=ids)

    def replay(self, api: Ga4Api, payload: bytes) -> Page:
        """A dead letter through the checks again."""
        return records.replayed(self.report, payload)

    def _day(self, api: Ga4Api, on: date) -> Iterator[Page]:
        row_count: int | None = None

        def fetch(cursor: str | None) -> Cut[Page]:
            nonlocal row_count
            offset = int(cursor or 0)
            answer = api.report(self.report, on, offset)
            if row_count is None:
                row_count = answer.row_count
                self._warn(api, answer)
            end = offset + len(answer.rows)
            self._check(answer, row_count, end)
            page = self._page(answer, is_first=offset == 0)
            keys = [record.record_id for record in page.records]
            return Cut(page, keys, str(end) if end < row_count else None, answer.where)

        return follow(fetch)

    def _check(self, answer: Answer, row_count: int, end: int) -> None:
        """Pages are no snapshot: one that belongs to another state of the day would lose rows, or make them gone."""
        if answer.row_count != row_count:
            what = f"The day changed while it was read: it had {row_count} rows, then {answer.row_count}"
        elif end > row_count:
            what = f"The report says that it has {row_count} rows, and gives {end}"
        elif end < row_count and not answer.rows:
            what = f"The report says that it has {row_count} rows, and ends after {end}"
        else:
            return
        raise BrokenResponse(what, where=answer.where, remedy="Nothing of this day was kept; it is read again.")

    def _page(self, answer: Answer, is_first: bool) -> Page:
        payloads = [records.row_payload(on, row) for on, row in answer.rows]
        if is_first:
            payloads.append(records.report_payload(answer.on, answer.row_count, answer.metadata))
        found = [records.taken(self.report, payload) for payload in payloads]
        good = [one for one in found if isinstance(one, Record)]
        if len({record.record_id for record in good}) < len(good):
            raise BrokenResponse("The report shows the same row twice on one page", where=answer.where)
        return Page(good, [one for one in found if isinstance(one, Reject)])

    def _warn(self, api: Ga4Api, answer: Answer) -> None:
        for name in answer.metadata.keys() & _CAVEATS.keys():
            api.warn_once(
                f"Google Analytics {_CAVEATS[name]} in the report {self.report.name} ({name}). The report's own record "
                "of each day keeps it; the contract names the days."
            )


def _days(first: date, last: date) -> list[date]:
    return [first + n * ONE_DAY for n in range((last - first).days + 1)]


def _dates(start: datetime, end: datetime) -> list[date]:
    around = _days(start.astimezone(UTC).date(), end.astimezone(UTC).date())
    return [on for on in around if start <= noon(on) < end]
