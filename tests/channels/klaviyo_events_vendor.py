"""A vendor of events alone: pages as Klaviyo's, by a clock and with a lateness that a test decides."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.http.serving import serving
from tributary.channels.klaviyo.api import KlaviyoApi
from tributary.channels.klaviyo.limits import RATES, Limits
from tributary.http import Budget, HttpClient, Redactor, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 3
"""So many events to a page, whatever is asked for, so that few events make several."""
METRIC = "Metric1"
NAME = "Opened Email"
_FILTER = re.compile(
    r'and\(equals\(metric_id,"(\w+)"\),greater-or-equal\(datetime,([^)]+)\),less-than\(datetime,([^)]+)\)\)'
)


@dataclass(frozen=True)
class Happened:
    """An event, and since when the vendor shows it."""

    id: str
    at: datetime
    visible_at: datetime


@dataclass
class Vendor:
    """Shows what is visible by its clock."""

    now: datetime
    events: list[Happened] = field(default_factory=list)
    answers_left: int | None = None
    """After so many lists of events it answers no more."""
    url: str = ""

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The answer to one request."""
        if path == "/api/metrics":
            return 200, {"data": [{"type": "metric", "id": METRIC, "attributes": {"name": NAME}}], "links": {}}
        if self.answers_left is not None:
            if not self.answers_left:
                return 500, {"errors": [{"id": "1", "code": "error", "title": "Server error", "detail": "It broke."}]}
            self.answers_left -= 1
        found = _FILTER.fullmatch(query["filter"])
        assert found is not None
        assert query["sort"] == "datetime"
        low, high = (datetime.fromisoformat(text) for text in found.groups()[1:])
        shown = sorted(
            (one for one in self.events if low <= one.at < high and one.visible_at <= self.now),
            key=lambda one: (one.at, one.id),
        )
        begin = int(query.get("page[cursor]", "0"))
        page, links = shown[begin : begin + PAGE], {}
        if begin + PAGE < len(shown):
            links["next"] = (
                f"{self.url}{path}?filter={quote(query['filter'])}&sort=datetime&page[cursor]={begin + PAGE}"
            )
        return 200, {"data": [_document(one) for one in page], "links": links}

    def api(self) -> KlaviyoApi:
        """A client that does not ask again."""
        client = HttpClient(
            redact=Redactor(),
            budgets={group: Budget(rate=1e9, capacity=1e9) for group in RATES},
            explain=Limits().explain,
            retry=RetryPolicy(attempts=1),
            now=lambda: self.now,
        )
        return KlaviyoApi(client, Limits(), self.url, "pk_test", now=lambda: self.now)


def _document(one: Happened) -> dict[str, Any]:
    return {
        "type": "event",
        "id": one.id,
        "attributes": {"datetime": one.at.isoformat(), "event_properties": {"$message": "M1"}},
        "relationships": {"metric": {"data": {"type": "metric", "id": METRIC}}},
        "links": {"self": f"https://a.klaviyo.com/api/events/{one.id}/"},
    }


@contextmanager
def open_vendor(now: datetime) -> Iterator[Vendor]:
    """A vendor on a free port."""
    vendor = Vendor(now)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, answer = vendor.answer(parts.path, {name: one for name, [one] in parse_qs(parts.query).items()})
            body = json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Date", format_datetime(vendor.now.astimezone(UTC), usegmt=True))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as vendor.url:
        yield vendor
