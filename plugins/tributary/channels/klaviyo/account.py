"""What holds for a whole account: its time zone and currency, its metrics, and which of them is the conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tributary.http import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PLACED_ORDER = "Placed Order"
_PREFERRED = "Shopify"
_SHOWN = 20
"""How many metrics an error names; an account may have hundreds."""


@dataclass(frozen=True)
class Account:
    """The account that a key belongs to. Klaviyo cuts the days of all its reports in the account's time zone."""

    time_zone: ZoneInfo
    currency: str
    name: str
    id: str


class _Contact(msgspec.Struct):
    organization_name: str = ""


class _Attributes(msgspec.Struct):
    timezone: str
    preferred_currency: str
    contact_information: _Contact = msgspec.field(default_factory=_Contact)


class _Account(msgspec.Struct):
    id: str
    attributes: _Attributes


class Accounts(msgspec.Struct):
    """The answer of GET /api/accounts: the one account that the key belongs to."""

    data: list[_Account]


class _Integration(msgspec.Struct):
    name: str | None = None


class _MetricAttributes(msgspec.Struct):
    name: str | None = None
    integration: _Integration | None = None


class Metric(msgspec.Struct):
    """A metric: a kind of event, which several integrations may give the same name."""

    id: str
    attributes: _MetricAttributes

    @property
    def name(self) -> str:
        """What the account calls it."""
        return self.attributes.name or ""

    @property
    def source(self) -> str:
        """The integration that sends it."""
        return (self.attributes.integration and self.attributes.integration.name) or "no integration"

    def __str__(self) -> str:
        return f"{self.name} ({self.id}, {self.source})"


def account_of(found: Accounts, where: str) -> Account:
    """The account, checked: everything that is read by day stands on its time zone."""
    if not found.data:
        raise RequestRefused("Klaviyo names no account for this key", where=where)
    [first, *_] = found.data
    try:
        zone = ZoneInfo(first.attributes.timezone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        what = f"The account's time zone is {first.attributes.timezone!r}, which is none that is known here"
        raise RequestRefused(what, where=where, remedy="Choose another in Klaviyo's account settings.") from None
    name = first.attributes.contact_information.organization_name or first.id
    return Account(zone, first.attributes.preferred_currency, name, first.id)


def conversion_metric(metrics: Sequence[Metric], wanted: str | None) -> Metric:
    """The metric whose events count as conversions: the one that the connection names, or the one Placed Order."""
    if wanted is not None:
        for metric in metrics:
            if metric.id == wanted:
                return metric
        raise _undecided(f"The account has no metric {wanted}, which the connection names", metrics)
    placed = [metric for metric in metrics if metric.name == PLACED_ORDER]
    shops = [metric for metric in placed if metric.source == _PREFERRED]
    for candidates in (placed, shops):
        if len(candidates) == 1:
            return candidates[0]
    if placed:
        raise _undecided(f"The account has {len(placed)} metrics {PLACED_ORDER!r}", placed)
    raise _undecided(f"The account has no metric {PLACED_ORDER!r}", metrics)


def _undecided(what: str, choices: Iterable[Metric]) -> RequestRefused:
    known = sorted(map(str, choices))
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    listed = f"{', '.join(known[:_SHOWN])}{more}" if known else "none yet"
    remedy = f"Put the id of the metric to count into the connection's field conversion_metric_id; there are: {listed}."
    return RequestRefused(what, remedy=remedy)
