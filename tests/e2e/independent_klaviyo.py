"""A second opinion on e-mail marketing: Klaviyo's own totals, asked over plain HTTP in other words than the project's.

Campaigns come one by one with their messages, values as one report over all time, flows without days.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

REVISION = "2026-07-15"


class Account:
    """One account of Klaviyo."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self.headers = {
            "Authorization": f"Klaviyo-API-Key {key}",
            "revision": REVISION,
            "Accept": "application/vnd.api+json",
            "Content-Type": "application/vnd.api+json",
        }

    def ask(self, address: str, body: Any = None) -> dict[str, Any]:
        """One document; waits when Klaviyo says that it is asked too much."""
        sent = json.dumps(body).encode() if body is not None else None
        while True:
            try:
                with urllib.request.urlopen(urllib.request.Request(address, sent, self.headers), timeout=60) as answer:
                    document: dict[str, Any] = json.load(answer)
                return document
            except urllib.error.HTTPError as error:
                if error.code != 429:
                    raise
                time.sleep(float(error.headers["Retry-After"]))

    def all(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every item of a collection, page after page."""
        address: str | None = f"{self.url}/api/{path}?{urllib.parse.urlencode(query)}"
        while address:
            document = self.ask(address)
            yield from document["data"]
            address = (document.get("links") or {}).get("next")

    def metric(self, name: str) -> str:
        """The id of the metric of that name."""
        return next(metric["id"] for metric in self.all("metrics") if metric["attributes"]["name"] == name)

    def events(self, metric: str, until: str) -> set[str]:
        """The ids of all events of a metric up to a moment."""
        which = f"and(equals(metric_id,'{self.metric(metric)}'),less-than(datetime,{until}))"
        return {event["id"] for event in self.all("events", filter=which, sort="-datetime", **{"page[size]": "333"})}

    def sent_at(self) -> dict[str, str]:
        """Each campaign that was sent, and when."""
        found = {}
        for channel in ("email", "sms", "mobile_push"):
            for archived in ("true", "false"):
                which = f"equals(messages.channel,'{channel}'),equals(archived,{archived})"
                for campaign in self.all("campaigns", filter=which):
                    if campaign["attributes"]["send_time"]:
                        found[campaign["id"]] = campaign["attributes"]["send_time"]
        return found

    def values(self, kind: str, statistics: list[str], first: str, last: str) -> dict[str, dict[str, float]]:
        """The values of each message of campaigns, or of flows, over all these days."""
        attributes = {
            "statistics": statistics,
            "timeframe": {"start": f"{first}T00:00:00+00:00", "end": f"{last}T00:00:00+00:00"},
            "conversion_metric_id": self.metric("Placed Order"),
        }
        body = {"data": {"type": f"{kind}-values-report", "attributes": attributes}}
        results = self.ask(f"{self.url}/api/{kind}-values-reports", body)["data"]["attributes"]["results"]
        message = f"{kind}_message_id"
        return {result["groupings"][message]: result["statistics"] for result in results}
