"""Aurora's Klaviyo account and a warehouse that it is read into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import requests

from tests.channels.klaviyo_client import KEY
from tests.channels.shopify_sandbox import FIRST_DAY, NOW
from tributary.channels.klaviyo.api import REVISION
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.warehouse.replay import ReplayReport, replay
from tributary.warehouse.reread import reread
from tributary.warehouse.sync import SyncReport, sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.channels.klaviyo_client import MakeKlaviyo
    from tests.channels.shopify_sandbox import Sandbox
    from tributary.channels.klaviyo.api import KlaviyoApi
    from tributary.declaration import Stream
    from tributary.warehouse.ledger import Counts

START = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) - timedelta(days=1)
"""Before the first order of the sandbox."""
LISTS = {
    "metrics": [("/api/metrics", "")],
    "campaigns": [
        ("/api/campaigns", f"equals(messages.channel,'{channel}'),equals(archived,{archived})")
        for channel in ("email", "sms", "mobile_push")
        for archived in ("false", "true")
    ],
    "flows": [("/api/flows", f"equals(archived,{archived})") for archived in ("false", "true")],
    "profiles": [("/api/profiles", "")],
}
"""What a stream is read from, and with what filter everything is there."""

Snapshot = dict[str, dict[str, str]]


@dataclass
class Road:
    """One merchant of the test's own, read from the sandbox by the real client into a real warehouse."""

    merchant: str
    sandbox: Sandbox
    make: MakeKlaviyo
    connect: Callable[[], psycopg.Connection]
    start: datetime = START

    def sync(
        self, stream: Stream | str, api: KlaviyoApi | None = None, *, now: datetime = NOW, merchant: str = ""
    ) -> SyncReport:
        stream = KLAVIYO.stream(stream) if isinstance(stream, str) else stream
        api = api or self.make(now=lambda: now)
        return sync_stream(self.connect, api, KLAVIYO, stream, merchant or self.merchant, now, self.start)

    def reread(self, stream: str, start: datetime, end: datetime) -> Counts:
        return reread(self.connect, self.make(), KLAVIYO, KLAVIYO.stream(stream), self.merchant, start, end)

    def replay(self, stream: str) -> ReplayReport:
        return replay(self.connect, self.make(), KLAVIYO, KLAVIYO.stream(stream), self.merchant, dry_run=False)

    def undisturbed(self, stream: Stream | str, now: datetime = NOW) -> Snapshot:
        """What a merchant with the same account holds after one sync in which nothing goes wrong."""
        self.sandbox.admin("/faults", method="DELETE")
        merchant = f"{self.merchant}, undisturbed"
        self.sync(stream, now=now, merchant=merchant)
        return self.snapshot(stream, merchant)

    def snapshot(self, stream: Stream | str, merchant: str = "") -> Snapshot:
        """What the warehouse holds of a stream, without the ids of syncs and the times of loading."""
        name = stream if isinstance(stream, str) else stream.name
        parts = {
            "raw": f"""
                select record_id, md5((event_at, updated_at, payload, api_version)::text)
                from raw.klaviyo_{name} where merchant_id = %(merchant)s
            """,
            "dead letters": """
                select md5(payload), md5((record_id, reason)::text) from ops.dead_letters
                where merchant_id = %(merchant)s and stream = %(stream)s and resolved_at is null
            """,
            "checkpoints": """
                select stream, position::text from ops.checkpoints
                where merchant_id = %(merchant)s and stream = %(stream)s
            """,
        }
        values = {"merchant": merchant or self.merchant, "stream": name}
        return {part: dict(self.query(query, **values)) for part, query in parts.items()}

    def query(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of the warehouse; `%(merchant)s` is the test's own."""
        with self.connect() as conn:
            conn.execute("set time zone 'UTC'")
            return conn.execute(query, {"merchant": self.merchant, **values}).fetchall()

    def raw(self, stream: str) -> dict[str, dict[str, Any]]:
        """The payloads of a stream by their ids."""
        return dict(self.query(f"select record_id, payload from raw.klaviyo_{stream} where merchant_id = %(merchant)s"))

    def letters(self, stream: str) -> list[tuple[Any, ...]]:
        """The open dead letters of a stream: id, reason, payload."""
        return self.query(
            "select record_id, reason, payload from ops.dead_letters"
            " where merchant_id = %(merchant)s and stream = %(stream)s and resolved_at is null",
            stream=stream,
        )

    def fault(self, kind: str, route: str, times: int | None = 1, skip: int = 0, **options: Any) -> None:
        """Lets the next requests to an address of the API go wrong."""
        body = {"route": f"/klaviyo{route}", "kind": kind, "times": times, "skip": skip, "options": options}
        self.sandbox.admin("/faults", body)

    def struck(self) -> list[int]:
        """How often each fault struck."""
        return [fault["hits"] for fault in self.sandbox.admin("/faults", method="GET")]

    def items(self, stream: str) -> dict[str, dict[str, Any]]:
        """All items that the account shows, by plain paging."""
        return {item["id"]: item for path, wanted in LISTS[stream] for item in everything(self.sandbox, path, wanted)}


def everything(sandbox: Sandbox, path: str, wanted: str = "") -> list[dict[str, Any]]:
    """All items of a list, without anything of the project."""
    address: str | None = f"{sandbox.url}/klaviyo{path}"
    query = {"filter": wanted} if wanted else None
    headers = {"Authorization": f"Klaviyo-API-Key {KEY}", "revision": REVISION}
    found: list[dict[str, Any]] = []
    while address:
        answer = requests.get(address, params=query, headers=headers, timeout=30)
        assert answer.ok, answer.text
        document = answer.json()
        found += document["data"]
        address, query = document["links"].get("next"), None
    return found
