"""The dimensions and metrics that the sandbox knows, where each is found, and which go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.business.website import TABLES
from sandbox.ga4.refusals import invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SCHEMA = "https://developers.google.com/analytics/devguides/reporting/data/v1/api-schema"
EXPLORER = "https://ga-dev-tools.web.app/ga4/dimensions-metrics-explorer/"


@dataclass(frozen=True, slots=True)
class Dimension:
    ui_name: str
    category: str
    keys: tuple[str, ...]
    """The keys of a table's row that it is made of; the date is every row's."""

    def tables(self) -> set[str]:
        return {name for name, (keys, _) in TABLES.items() if set(self.keys) <= set(keys)}


@dataclass(frozen=True, slots=True)
class Metric:
    ui_name: str
    category: str
    type: str
    counters: dict[str, str]
    """The table -> its counter."""
    of_people: bool = False
    """Whether rows must not be summed, because somebody may be in two of them."""


DIMENSIONS = {
    "date": Dimension("Date", "Time", ()),
    "sessionSource": Dimension("Session source", "Traffic source", ("source",)),
    "sessionMedium": Dimension("Session medium", "Traffic source", ("medium",)),
    "sessionSourceMedium": Dimension("Session source / medium", "Traffic source", ("source", "medium")),
    "sessionCampaignName": Dimension("Session campaign", "Traffic source", ("campaign",)),
    "landingPage": Dimension("Landing page", "Page / screen", ("landing_page",)),
    "eventName": Dimension("Event name", "Event", ("event",)),
    "transactionId": Dimension("Transaction ID", "Ecommerce", ("transaction_id",)),
}
METRICS = {
    "sessions": Metric("Sessions", "Session", "TYPE_INTEGER", {"sessions": "sessions"}),
    "engagedSessions": Metric("Engaged sessions", "Session", "TYPE_INTEGER", {"sessions": "engaged_sessions"}),
    "totalUsers": Metric(
        "Total users", "User", "TYPE_INTEGER", {"sessions": "users", "funnel_events": "users"}, of_people=True
    ),
    "activeUsers": Metric("Active users", "User", "TYPE_INTEGER", {"sessions": "users"}, of_people=True),
    "newUsers": Metric("New users", "User", "TYPE_INTEGER", {"sessions": "new_users"}, of_people=True),
    "keyEvents": Metric("Key events", "Event", "TYPE_FLOAT", {"sessions": "key_events"}),
    "eventCount": Metric("Event count", "Event", "TYPE_INTEGER", {"funnel_events": "events"}),
    "ecommercePurchases": Metric(
        "Ecommerce purchases", "Ecommerce", "TYPE_INTEGER", {"sessions": "orders", "transactions": "orders"}
    ),
    "transactions": Metric(
        "Transactions", "Ecommerce", "TYPE_INTEGER", {"sessions": "orders", "transactions": "orders"}
    ),
    "purchaseRevenue": Metric(
        "Purchase revenue", "Revenue", "TYPE_CURRENCY", {"sessions": "revenue", "transactions": "revenue"}
    ),
    "advertiserAdCost": Metric("Ads cost", "Advertising", "TYPE_CURRENCY", {"ad_cost": "cost"}),
    "advertiserAdClicks": Metric("Ads clicks", "Advertising", "TYPE_INTEGER", {"ad_cost": "clicks"}),
    "advertiserAdImpressions": Metric("Ads impressions", "Advertising", "TYPE_INTEGER", {"ad_cost": "impressions"}),
}


def table_of(dimensions: Iterable[str], metrics: Iterable[str]) -> str:
    """The table in which all of these are found; fields of different tables are incompatible."""
    names = (*dimensions, *metrics)
    found = _common(names)
    if found:
        return next(table for table in TABLES if table in found)
    needless = next((name for name in names if _common(other for other in names if other != name)), names[-1])
    raise invalid(
        f"Please remove {needless} to make the request compatible for example. The request's dimensions & metrics are"
        f" incompatible. To learn more, see {EXPLORER}"
    )


def compatibility(dimensions: list[str], metrics: list[str], wanted: str | None) -> dict[str, Any]:
    """Of every field, whether it can be added to these."""
    table_of(dimensions, metrics)

    def told(name: str) -> str:
        return "COMPATIBLE" if _common((*dimensions, *metrics, name)) else "INCOMPATIBLE"

    def chosen(kind: str, all_metadata: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answers = ((metadata, told(metadata["apiName"])) for metadata in all_metadata)
        return [
            {f"{kind}Metadata": metadata, "compatibility": answer}
            for metadata, answer in answers
            if wanted in (None, answer)
        ]

    return {
        "dimensionCompatibilities": chosen("dimension", dimension_metadata()),
        "metricCompatibilities": chosen("metric", metric_metadata()),
    }


def known(name: object, kind: str) -> str:
    """A field's name, when there is such a field."""
    fields: Collection[str] = DIMENSIONS if kind == "dimension" else METRICS
    if name in fields:
        return str(name)
    raise invalid(f"Field {name} is not a valid {kind}. For a list of valid dimensions and metrics, see {SCHEMA}")


def dimension_metadata() -> list[dict[str, Any]]:
    return [
        {"apiName": name, "uiName": one.ui_name, "description": one.ui_name, "category": one.category}
        for name, one in DIMENSIONS.items()
    ]


def metric_metadata() -> list[dict[str, Any]]:
    return [
        {"apiName": name, "uiName": one.ui_name, "description": one.ui_name, "type": one.type, "category": one.category}
        for name, one in METRICS.items()
    ]


def _common(names: Iterable[str]) -> set[str]:
    """The tables that have all of these fields."""
    tables = set(TABLES)
    for name in names:
        tables &= DIMENSIONS[name].tables() if name in DIMENSIONS else set(METRICS[name].counters)
    return tables
