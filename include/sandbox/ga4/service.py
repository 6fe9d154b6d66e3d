"""The Data API without a transport: the same requests and answers, as JSON objects, over REST and over gRPC."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox.business.merchants import AURORA
from sandbox.ga4 import report, request
from sandbox.ga4.access import Access
from sandbox.ga4.fields import compatibility, dimension_metadata, metric_metadata
from sandbox.ga4.filters import compiled
from sandbox.ga4.quota import Quota
from sandbox.ga4.refusals import Refused, invalid

if TYPE_CHECKING:
    from sandbox.business.website import Website
    from sandbox.world import World

PROPERTY = "312345678"
MOST_REPORTS = 5
COMPATIBILITIES = ("COMPATIBILITY_UNSPECIFIED", "COMPATIBLE", "INCOMPATIBLE")
COMPATIBILITY_NAMES = {
    "property", "dimensions", "metrics", "dimensionFilter", "metricFilter", "compatibilityFilter",
}  # fmt: skip


class Service:
    """The property of aurora's website."""

    def __init__(self, world: World, keyfile: str | None) -> None:
        self._world = world
        self.access = Access(world, keyfile)
        self.quota = Quota(world.now)
        self._methods = {
            "runReport": self._run_report,
            "batchRunReports": self._batch,
            "checkCompatibility": self._check_compatibility,
            "metadata": self._metadata,
        }

    def answer(self, method: str, property_id: str, body: dict[str, Any], authorization: str | None) -> dict[str, Any]:
        """What a request is answered with; it is refused in the order token, property, quota, method, request."""
        self.access.check(authorization)
        if not re.fullmatch(r"\d+", property_id):
            raise invalid(
                f"Invalid property ID: {property_id}. A numeric Property ID is required. To learn more about Property"
                " ID, see https://developers.google.com/analytics/devguides/reporting/data/v1/property-id."
            )
        if property_id != PROPERTY:
            raise Refused(
                "PERMISSION_DENIED",
                "User does not have sufficient permissions for this property. To learn more about Property ID, see"
                " https://developers.google.com/analytics/devguides/reporting/data/v1/property-id.",
            )
        if method not in self._methods:
            raise Refused("UNIMPLEMENTED", f"The sandbox does not simulate {method}.")
        try:
            return self._methods[method](body)
        except (AttributeError, TypeError, IndexError):
            # Somewhere in the request stands a value of another type.
            raise invalid("Invalid JSON payload received. A value has another type than its field.") from None

    def website(self) -> Website:
        shop = self._world.shop(AURORA.domain)
        assert shop is not None
        return shop.website

    def _run_report(self, body: dict[str, Any]) -> dict[str, Any]:
        self.quota.open()
        website, now = self.website(), self._world.now()
        asked = request.read(body, website.today(now))
        answer = report.run(website, asked, now)
        quota = self.quota.take(report.cost(asked, len(answer.get("rows", []))))
        return {**answer, "propertyQuota": quota} if asked.wants_quota else answer

    def _batch(self, body: dict[str, Any]) -> dict[str, Any]:
        asked = body.get("requests", [])
        if not 1 <= len(asked) <= MOST_REPORTS:
            raise invalid(f"A batch has 1 to {MOST_REPORTS} requests. This one has {len(asked)}.")
        for one in asked:
            if one.get("property", f"properties/{PROPERTY}") != f"properties/{PROPERTY}":
                raise invalid("Every request of a batch must be for the property of the batch.")
        return {"reports": [self._run_report(one) for one in asked], "kind": "analyticsData#batchRunReports"}

    def _check_compatibility(self, body: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(body) - COMPATIBILITY_NAMES):
            raise invalid(f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.')
        self.quota.open()
        dimensions, metrics = request.fields(body)
        _, filtered = compiled(body.get("dimensionFilter"))
        wanted = body.get("compatibilityFilter")
        if isinstance(wanted, int):
            wanted = COMPATIBILITIES[wanted]
        wanted = None if wanted == COMPATIBILITIES[0] else wanted
        return compatibility([*dimensions, *sorted(filtered - set(dimensions))], metrics, wanted)

    def _metadata(self, body: dict[str, Any]) -> dict[str, Any]:
        name = f"properties/{PROPERTY}/metadata"
        return {"name": name, "dimensions": dimension_metadata(), "metrics": metric_metadata()}
