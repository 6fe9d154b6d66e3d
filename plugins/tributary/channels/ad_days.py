"""What channels of advertising share: the days of ad accounts, read again for as long as a platform corrects them.

A record is a campaign's day, `<date>/<account>/<campaign>`. Beside them each account's day has one of its own,
`<date>/<account>`: platforms leave out campaigns without delivery, so a day that shows none is known to have been read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tributary.channels.records import Kind, Rows, first_noon, noon
from tributary.declaration import Page, Record, Slice
from tributary.http import BrokenResponse, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ONE_DAY = timedelta(days=1)


class AdAccount(msgspec.Struct, frozen=True):
    """Whose money is spent, and by which clock its days begin."""

    id: str
    name: str
    currency: str
    time_zone: str

    def today(self, now: datetime) -> date:
        """The date where the account is."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()


def ad_account(number: str, name: str, currency: str, time_zone: str, where: str) -> AdAccount:
    """The account as its platform tells it; an error when nobody knows when its days begin."""
    try:
        ZoneInfo(time_zone)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        what = f"Ad account {number} ({name}) has a time zone that this machine does not know: {time_zone!r}"
        raise RequestRefused(what, where=where, remedy="Update the package tzdata.") from None
    return AdAccount(number, name, currency, time_zone)


class CampaignDay(Protocol):
    """A platform's row: its shape checks the figures, and these two say whose they are."""

    @property
    def on(self) -> date:
        """The day, by the account's clock."""

    @property
    def campaign(self) -> str:
        """The campaign's id, which stays when its name changes."""


class AdPlatform(Protocol):
    """What a channel's API gives."""

    def now(self) -> datetime:
        """The present moment by the vendor's clock."""

    def accounts(self) -> Sequence[AdAccount]:
        """The accounts of the connection; asked once."""

    def known(self, account: AdAccount, campaigns: Sequence[str]) -> set[str]:
        """Those of the campaigns that the vendor still knows, deleted ones included."""


RowT = TypeVar("RowT", bound=CampaignDay)


class Reported(msgspec.Struct, Generic[RowT]):
    """A payload: the account as it is now, and either a campaign's row or the date alone."""

    account: AdAccount
    row: RowT | None = None
    date: date | None = None

    def record(self, payload: bytes) -> Record:
        """The record, which stands at noon UTC of the account's date."""
        on = self.row.on if self.row else self.date
        if on is None:
            raise ValueError("There is neither a row nor a date")
        record_id = f"{on}/{self.account.id}" + (f"/{self.row.campaign}" if self.row else "")
        return Record(record_id, noon(on), noon(on), payload)


class Report(Protocol):
    """Asks an API for the vendor's rows of an account's days, both included, page by page."""

    def __call__(self, api: Any, account: AdAccount, first: date, last: date, /) -> Iterable[Rows]: ...


@dataclass(frozen=True)
class AdDays:
    """The readers of a stream of campaigns' days."""

    report: Report
    kind: Kind
    width: timedelta
    """How many days a slice may have: as many as one request."""

    def changed(self, api: AdPlatform, start: datetime, end: datetime) -> Iterator[Page]:
        """The days whose noon lies in the window, as the platform shows them now."""
        first, last = first_noon(start), first_noon(end) - ONE_DAY
        for account in api.accounts():
            # A day that has not begun would make another one look final.
            yield from self._days(api, account, first, min(last, account.today(api.now())))

    happened = changed

    def history(self, api: AdPlatform, start: datetime, end: datetime) -> Iterator[Slice]:
        """Slices from the day that the window starts in to today, where the latest account is."""
        first = start.astimezone(UTC).date()
        last = max((account.today(end) for account in api.accounts()), default=first)
        while start < end and first <= last:
            following = min(first + self.width, last + ONE_DAY)
            yield Slice(noon(first), noon(following), self.changed)
            first = following

    def by_id(self, api: AdPlatform, ids: Sequence[str]) -> Iterator[Page]:
        """Days that the report does not show any more: gone, unless the vendor forgot the campaign itself.

        What was spent on a campaign that the vendor has no record of any more was spent all the same.
        """
        gone: list[str] = []
        asked = sorted((record_id.split("/") for record_id in ids), key=lambda parts: parts[1])
        accounts = {account.id: account for account in api.accounts()}
        for account_id, group in groupby(asked, key=lambda parts: parts[1]):
            if account_id not in accounts:
                continue
            parts = list(group)
            campaigns = sorted({rest[0] for _, _, *rest in parts if rest})
            known = api.known(accounts[account_id], campaigns) if campaigns else set()
            gone += ["/".join(one) for one in parts if len(one) == 2 or one[2] in known]
        yield Page((), gone=gone)

    def replay(self, api: Any, payload: bytes) -> Page:
        """A dead letter through the checks again."""
        return self.kind.replayed(api, payload)

    def _days(self, api: AdPlatform, account: AdAccount, first: date, last: date) -> Iterator[Page]:
        if first > last:
            return
        head = b'{"account":' + msgspec.json.encode(account)
        seen: set[str] = set()
        for rows in self.report(api, account, first, last):
            page = self.kind.page(Rows([head + b',"row":' + row + b"}" for row in rows.payloads], rows.sound))
            ids = [record.record_id for record in page.records]
            if len(set(ids)) < len(ids) or not seen.isdisjoint(ids):
                # Numbered pages are no snapshot: what one shows twice another may not show at all.
                raise BrokenResponse(
                    f"Account {account.id} shows a campaign's day twice between {first} and {last}",
                    remedy="Its pages moved while they were read. Nothing of these days was kept; they are read again.",
                )
            seen.update(ids)
            yield page
        dates = (first + n * ONE_DAY for n in range((last - first).days + 1))
        yield self.kind.page(Rows([head + b',"date":"%b"}' % str(on).encode() for on in dates], sound=True))


def ad_days(report: Report, row: type[CampaignDay], identity: type[CampaignDay], width: timedelta) -> AdDays:
    """The readers of a report whose rows have that shape; `identity` is as much of it as says whose they are."""
    shape: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Reported[row])  # type: ignore[valid-type]
    whose: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Reported[identity])  # type: ignore[valid-type]

    def find_id(payload: bytes) -> str:
        record: Record = whose.decode(payload).record(payload)
        return record.record_id

    return AdDays(report, Kind(shape, find_id), width)
