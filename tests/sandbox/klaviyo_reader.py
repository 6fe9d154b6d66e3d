"""A plain client of the sandbox's Klaviyo that holds every answer against the vendor's document, and an independent
count of what messages achieved."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sandbox.clock import parse_instant
from tests.sandbox.klaviyo_openapi import complaints

if TYPE_CHECKING:
    import requests

    from tests.sandbox.conftest import Client

KEY = "pk_sandbox_aurora_0123456789abcdef"
PLACED_ORDER = "RESQ6t"
ZONE = ZoneInfo("America/New_York")
JSON_API = "application/vnd.api+json"
FIVE_DAYS = timedelta(days=5)
KINDS = {
    "recipients": {
        "Received Email", "Received SMS", "Received Push", "Bounced Email", "Failed to Deliver SMS",
    },
    "delivered": {"Received Email", "Received SMS", "Received Push"},
    "opens": {"Opened Email", "Opened Push"},
    "clicks": {"Clicked Email", "Clicked SMS"},
    "unsubscribes": {"Unsubscribed", "Unsubscribed from SMS Marketing"},
    "bounced": {"Bounced Email"},
    "failed": {"Failed to Deliver SMS"},
    "spam_complaints": {"Marked Email as Spam"},
}  # fmt: skip
UNIQUE = {"opens": "opens_unique", "clicks": "clicks_unique", "unsubscribes": "unsubscribe_uniques"}
STATISTICS = [*KINDS, *UNIQUE.values(), "conversions", "conversion_uniques", "conversion_value"]


class Klaviyo:
    """Sends requests as the vendor wants them, unless told otherwise."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.url = f"{client.url}/klaviyo"
        self._seen: set[str] = set()

    def send(self, method: str, path: str, body: Any = None, **changes: str | None) -> requests.Response:
        """`changes` replaces headers, or leaves them out; every answer is as published."""
        headers = {"authorization": f"Klaviyo-API-Key {KEY}", "revision": "2026-07-15", "accept": JSON_API}
        headers |= {"content-type": JSON_API} if method == "POST" else {}
        sent = {**headers, **{name.replace("_", "-"): value for name, value in changes.items()}}
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        url = path if path.startswith("http") else self.url + path
        answer = self.client.session.request(method, url, data=data, headers=sent, timeout=20)
        assert answer.headers["content-type"] == JSON_API, answer.text
        wrong = complaints(method, self._published(url), answer.status_code, self._unseen(answer.json()))
        assert not wrong, wrong[:3]
        return answer

    def get(self, path: str) -> Any:
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, attributes: dict[str, Any], **changes: str | None) -> requests.Response:
        kind = path.strip("/").split("/")[-1].removesuffix("s")
        return self.send("POST", path, {"data": {"type": kind, "attributes": attributes}}, **changes)

    def every(self, path: str) -> list[dict[str, Any]]:
        """All resources of a list, page by page."""
        found, following = [], path
        while following:
            page = self.get(following)
            found += page["data"]
            following = page["links"].get("next")
        return found

    def report(self, path: str, start: str, end: str, **more: Any) -> dict[str, Any]:
        """The attributes of a report on whole days."""
        timeframe = {"start": f"{start}T00:00:00", "end": f"{end}T00:00:00"}
        asked = {"statistics": STATISTICS, "timeframe": timeframe, "conversion_metric_id": PLACED_ORDER, **more}
        answer = self.post(path, asked)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"]["attributes"])

    def _unseen(self, document: Any) -> Any:
        """The document without those resources of its list that were held against the schema before."""
        if not isinstance(document.get("data"), list):
            return document
        texts = {json.dumps(one): one for one in document["data"]}
        unseen = [one for text, one in texts.items() if text not in self._seen]
        self._seen |= texts.keys()
        return {**document, "data": unseen}

    def _published(self, url: str) -> str:
        path = url.split("?")[0].removeprefix(self.url).rstrip("/")
        return re.sub(r"^(/api/[a-z-]+)/.+", r"\1/{id}", path)


def counted(client: Client, as_of: str) -> dict[tuple[str, str], dict[str, float]]:
    """By message and date of sending: what the truth of the events adds up to."""
    events = [event for event in client.admin("GET", "/klaviyo/events") if event["datetime"] <= as_of]
    totals: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: dict.fromkeys(STATISTICS, 0))
    people: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    touches: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def group(event: dict[str, Any]) -> tuple[str, str]:
        return event["message"], parse_instant(event["sent_at"]).astimezone(ZONE).date().isoformat()

    for event in events:
        if event["message"] is None:
            continue
        for name, metrics in KINDS.items():
            if event["metric"] in metrics:
                totals[group(event)][name] += 1
                people[*group(event), name].add(event["profile"])
        if event["metric"] in KINDS["opens"] | KINDS["clicks"]:
            touches[event["profile"]].append(event)
    for event in events:
        at = parse_instant(event["datetime"])
        near = [
            touch
            for touch in touches[event["profile"]]
            if at - FIVE_DAYS < parse_instant(touch["datetime"]) <= at and event["metric"] == "Placed Order"
        ]
        touch = max(near, key=lambda one: (one["datetime"], one["id"]), default=None)
        if touch is None or at >= (closes := parse_instant(touch["sent_at"]) + FIVE_DAYS):
            continue
        if event["cancelled_at"] and parse_instant(event["cancelled_at"]) <= min(closes, parse_instant(as_of)):
            continue
        row = totals[group(touch)]
        row["conversions"] += 1
        row["conversion_value"] = round(row["conversion_value"] + event["value"], 2)
        people[*group(touch), "conversions"].add(event["profile"])
    for (message, day, name), who in people.items():
        if name in UNIQUE or name == "conversions":
            totals[message, day][UNIQUE.get(name, "conversion_uniques")] = len(who)
    return {key: row for key, row in totals.items() if any(row.values())}
