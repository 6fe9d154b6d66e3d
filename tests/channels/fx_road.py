"""The central bank of the sandbox or a file of rates, and a warehouse that they are read into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.channels import road
from tests.channels.shopify_sandbox import NOW
from tributary.channels.fx.api import BUDGET, EcbApi
from tributary.channels.fx.refusals import STATUS_REMEDIES
from tributary.channels.fx.streams import FX
from tributary.http import Budget, HttpClient, Redactor, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tributary.channels.fx.rates import Quotations, Rates

ROUTE = "/ecb/*"


def ecb(url: str, slept: list[float], now: Callable[[], datetime] = lambda: NOW) -> EcbApi:
    """A client as the hook makes it, whose waits are noted instead of waited for."""
    client = HttpClient(
        redact=Redactor([]),
        budgets={BUDGET: Budget(rate=1e9, capacity=1e9)},
        remedies=STATUS_REMEDIES,
        retry=RetryPolicy(attempts=3),
        sleep=slept.append,
        now=now,
    )
    return EcbApi(client, url, now)


@dataclass
class Quoted:
    """A provider that knows these quotations."""

    known: Quotations
    at: datetime
    base = "EUR"
    source = "a test"

    def now(self) -> datetime:
        return self.at

    def quotations(self, start: date, end: date) -> Quotations:
        return {day: rates for day, rates in self.known.items() if start <= day <= end}

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Road(road.Road):
    """A provider and a merchant of the test's own."""

    make: Callable[[], Rates]
    channel = FX

    def api(self, **how: Any) -> Rates:
        return self.make()

    def held(self, merchant: str = "") -> dict[date, dict[str, Any]]:
        """What raw holds of each day."""
        return {date.fromisoformat(key): payload for key, payload in self.raw("rates", merchant=merchant).items()}

    def written(self) -> dict[str, str]:
        """Which transaction wrote each row."""
        return self.raw("rates", "xmin::text")


def days(first: date, last: date) -> Iterator[date]:
    """The dates from first to last, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def as_file(quotations: Mapping[date, Mapping[str, str]]) -> str:
    """The quotations in the form of the ECB's file."""
    currencies = sorted({name for rates in quotations.values() for name in rates})
    lines = [f"{day},{','.join(rates.get(name, 'N/A') for name in currencies)}," for day, rates in quotations.items()]
    return "\n".join([f"Date,{','.join(currencies)},", *reversed(lines)]) + "\n"
