"""The ECB's data API: one request, and the quotations in its answer."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from tributary.channels.fx.rates import BASE, Quotations
from tributary.channels.fx.table import MalformedError, table
from tributary.http import BrokenResponse, Budget, HttpClient, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

HOST = "https://data-api.ecb.europa.eu"
PATH = f"/service/data/EXR/D..{BASE}.SP00.A"
BUDGET = "rates"
DAY, CURRENCY, VALUE = "TIME_PERIOD", "CURRENCY", "OBS_VALUE"


def budgets() -> dict[str, Budget]:
    """The ECB names no limit; nobody needs more than a request now and then."""
    return {BUDGET: Budget(rate=1, capacity=5)}


class EcbApi:
    """Asks for the euro's daily reference rates."""

    base = BASE

    def __init__(self, client: HttpClient, host: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._client = client
        self._host = host
        self._now = now
        self._has_answered = False

    @property
    def source(self) -> str:
        """The bank and its address."""
        return f"the European Central Bank ({self._host})"

    def now(self) -> datetime:
        """The present moment by the ECB's own clock."""
        if not self._has_answered:  # Until then its clock is unknown.
            today = self._now().date()
            self._ask(today - timedelta(days=7), today, lambda response: None)
        return self._now() + self._client.skew

    def quotations(self, start: date, end: date) -> Quotations:
        """Those of the days from start to end, both included; an answer without any is an error."""
        return self._ask(start, end, lambda response: _read(response, start, end))

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    def _ask(self, start: date, end: date, read: Callable[[Response], T]) -> T:
        query = urlencode({"startPeriod": str(start), "endPeriod": str(end), "format": "csvdata"})
        request = Request("GET", f"{self._host}{PATH}?{query}", {"Accept": "text/csv"})
        found = self._client.send(request, read, budget=BUDGET)
        self._has_answered = True
        return found


def _read(response: Response, start: date, end: date) -> Quotations:
    found: defaultdict[date, dict[str, str]] = defaultdict(dict)
    try:
        text = response.body.decode()
        for row in table(text, [CURRENCY, DAY, VALUE]).rows if text.strip() else ():
            currency, day, rate = row.currency(CURRENCY), row.day(DAY), row.rate(VALUE)
            if currency in found.get(day, ()):
                raise row.malformed(DAY, f"comes twice for {currency}")
            if rate is not None:
                found[day][currency] = rate
    except (MalformedError, UnicodeDecodeError) as error:
        # The address is shown without its query.
        what = f"The ECB's answer for {start} to {end} is malformed: {error}"
        raise BrokenResponse(what, where=response.where) from None
    if not found:
        what = f"The ECB's answer holds no quotation from {start} to {end}"
        raise BrokenResponse(what, where=response.where, remedy="Nothing was taken for gone.")
    return found
