"""What Klaviyo publishes of the endpoints that the sandbox has: its rates, scopes, filters, sortings and page sizes.

`openapi.json.gz` is an excerpt of the vendor's own document; README.md says where it comes from.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

EXCERPT = Path(__file__).with_name("openapi.json.gz")
REVISION = "2026-07-15"
REPORTS = "reports"


@cache
def document() -> dict[str, Any]:
    with gzip.open(EXCERPT, "rt") as file:
        return dict(json.load(file))


@dataclass(frozen=True)
class Endpoint:
    """An operation of the document; `group` is what it shares its rates with."""

    method: str
    path: str
    group: str
    resource: str

    @cached_property
    def operation(self) -> dict[str, Any]:
        return dict(document()["paths"][self.path][self.method.lower()])

    @property
    def scope(self) -> str:
        return str(self.operation["x-klaviyo-scopes"][0])

    @property
    def filters(self) -> dict[str, Any]:
        """field -> operators, by whether their value is single or a list, and the value's schema."""
        return dict(self.operation.get("x-klaviyo-filters", {}))

    @cached_property
    def rates(self) -> dict[str, int]:
        """burst -> requests a second, steady -> a minute, daily -> a day."""
        rates = self.operation["x-klaviyo-ratelimit"]
        return {name: int(rates[name].split("/")[0]) for name in ("burst", "steady", "daily") if name in rates}

    @cached_property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The query's parameters with their schemas."""
        return {one["name"]: one["schema"] for one in self.operation["parameters"] if one["in"] == "query"}

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The schemas of the attributes that the body has."""
        schema = self.operation["requestBody"]["content"]["application/vnd.api+json"]["schema"]
        resource = resolved(resolved(schema)["properties"]["data"])
        return dict(resolved(resource["properties"]["attributes"]))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference points at."""
    if "$ref" not in schema:
        return schema
    return dict(document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])


ACCOUNTS = Endpoint("GET", "/api/accounts", "accounts", "account")
METRICS = Endpoint("GET", "/api/metrics", "metrics", "metric")
CAMPAIGNS = Endpoint("GET", "/api/campaigns", "campaigns", "campaign")
CAMPAIGN = Endpoint("GET", "/api/campaigns/{id}", "campaigns", "campaign")
FLOWS = Endpoint("GET", "/api/flows", "flows", "flow")
FLOW = Endpoint("GET", "/api/flows/{id}", "flows", "flow")
PROFILES = Endpoint("GET", "/api/profiles", "profiles", "profile")
PROFILE = Endpoint("GET", "/api/profiles/{id}", "profiles", "profile")
EVENTS = Endpoint("GET", "/api/events", "events", "event")
EVENT = Endpoint("GET", "/api/events/{id}", "event", "event")
AGGREGATES = Endpoint("POST", "/api/metric-aggregates", "aggregates", "metric-aggregate")
CAMPAIGN_VALUES = Endpoint("POST", "/api/campaign-values-reports", REPORTS, "campaign-values-report")
FLOW_VALUES = Endpoint("POST", "/api/flow-values-reports", REPORTS, "flow-values-report")
FLOW_SERIES = Endpoint("POST", "/api/flow-series-reports", REPORTS, "flow-series-report")
ENDPOINTS = (
    ACCOUNTS, METRICS, CAMPAIGNS, CAMPAIGN, FLOWS, FLOW, PROFILES, PROFILE, EVENTS, EVENT,
    AGGREGATES, CAMPAIGN_VALUES, FLOW_VALUES, FLOW_SERIES,
)  # fmt: skip
