"""A second opinion on a website: GA4's report of all days at once, asked over plain HTTP.

It shares nothing with the project: the token comes from Google's own library, the rows from one request a page.
"""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import google.auth.transport.requests
from google.oauth2 import service_account

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCOPE = "https://www.googleapis.com/auth/analytics.readonly"


class Property:
    """One property of GA4."""

    def __init__(self, url: str, keyfile: str, property_id: str) -> None:
        self.address = f"{url.rstrip('/')}/v1beta/properties/{property_id}:runReport"
        credentials = service_account.Credentials.from_service_account_info(json.loads(keyfile), scopes=[SCOPE])
        credentials.refresh(google.auth.transport.requests.Request())
        self.headers = {"Authorization": f"Bearer {credentials.token}", "Content-Type": "application/json"}

    def rows(
        self, first: str, last: str, dimensions: Sequence[str], metrics: Sequence[str], size: int = 1777
    ) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Dimensions and metrics of each row of all these days together, page after page."""
        asked: dict[str, Any] = {
            "dateRanges": [{"startDate": first, "endDate": last}],
            "dimensions": [{"name": name} for name in dimensions],
            "metrics": [{"name": name} for name in metrics],
            "limit": str(size),
        }
        offset = 0
        while True:
            body = json.dumps({**asked, "offset": str(offset)}).encode()
            with urllib.request.urlopen(urllib.request.Request(self.address, body, self.headers), timeout=60) as answer:
                report = json.load(answer)
            for row in report.get("rows", ()):
                yield (
                    tuple(value.get("value", "") for value in row["dimensionValues"]),
                    tuple(value["value"] for value in row["metricValues"]),
                )
            offset += size
            if offset >= int(report.get("rowCount", 0)):
                return
