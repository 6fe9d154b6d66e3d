"""Any number of events as Klaviyo shows them: the n-th is always the same, and made when it is asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import md5

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 98
"""Fourteen slices of a sync, whatever the number of events."""
END = START + timedelta(days=DAYS)
NOW = END + timedelta(days=10)
METRICS = {"RcvEm1": "Received Email", "OpnEm2": "Opened Email", "ClkEm3": "Clicked Email"}
"""The n-th event belongs to the n-th of them, round and round."""
_DOCUMENT = {
    "type": "event",
    "id": "<id>",
    "attributes": {
        "timestamp": 1_700_000_000,
        "event_properties": {
            "Subject": "Rain or shine: what we packed for three days out",
            "Campaign Name": "weekly_trails 2026-11-03",
            "$message": "01K9D8Q2M4ZT7R5W0V3N6B1C8X",
            "$flow": None,
            "Email Domain": "mail.example",
            "Client Name": "Apple Mail",
            "Client OS": "iOS",
            "Client OS Family": "iOS",
            "Client Type": "Mobile Email Client",
            "URL": "https://aurora-outdoor.example/?utm_source=klaviyo&utm_medium=email&utm_campaign=weekly_trails",
            "$event_id": "<id>",
        },
        "datetime": "<when>",
        "uuid": "8f0c3c80-2a2b-11f1-8001-0123456789ab",
    },
    "relationships": {
        "profile": {
            "data": {"type": "profile", "id": "01JZ<id>"},
            "links": {"related": "https://a.klaviyo.com/api/events/<id>/profile/"},
        },
        "metric": {
            "data": {"type": "metric", "id": "<metric>"},
            "links": {"related": "https://a.klaviyo.com/api/events/<id>/metric/"},
        },
    },
    "links": {"self": "https://a.klaviyo.com/api/events/<id>/"},
}
_TEMPLATE = (
    json.dumps(_DOCUMENT, separators=(",", ":"))
    .replace("%", "%%")
    .replace("<id>", "%(id)s")
    .replace("<when>", "%(when)s")
    .replace("<metric>", "%(metric)s")
)
_KEYS = list(METRICS)


class Events:
    """So many events at equal distances over the days."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._apart = (END - START) // count

    def numbers(self, metric: str, low: datetime, high: datetime) -> range:
        """The numbers of a metric's events with low <= time < high."""
        first, after = (min(self.count, max(0, -((START - moment) // self._apart))) for moment in (low, high))
        own = _KEYS.index(metric)
        return range(first + (own - first) % len(_KEYS), after, len(_KEYS))

    def document(self, number: int) -> str:
        """One event, as JSON."""
        when = START + number * self._apart
        filling = {"id": event_id(number), "when": when.isoformat(), "metric": _KEYS[number % len(_KEYS)]}
        return _TEMPLATE % filling

    def checksum(self) -> str:
        """MD5 over all ids, sorted as bytes, with commas between."""
        return md5(",".join(map(event_id, range(self.count))).encode()).hexdigest()


def event_id(number: int) -> str:
    """Ids of one length, so that they sort as their numbers do."""
    return f"3Evt{number:07d}"
