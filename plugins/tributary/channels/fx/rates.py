"""What any provider of exchange rates gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Protocol

BASE = "EUR"
PATIENCE = timedelta(days=5)
"""How old a quotation may be and still stand for a day; by the banks' calendar none gets older than four days."""

Quotations = Mapping[date, Mapping[str, str]]
"""Day of a quotation -> currency -> its units for one of the base, as the provider wrote them."""


class Rates(Protocol):
    """A provider."""

    @property
    def base(self) -> str:
        """The currency that all others are quoted for."""

    @property
    def source(self) -> str:
        """Who quotes, as a person says it."""

    def now(self) -> datetime:
        """The present moment."""

    def quotations(self, start: date, end: date) -> Quotations:
        """Those of the days from start to end, both included; days without one are left out."""

    def close(self) -> None:
        """Gives back what is held."""
