"""Aurora's TikTok Shop and a warehouse that it is read into."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import requests

from tests.channels.shopify_sandbox import FIRST_DAY, NOW
from tests.channels.tiktok_sandbox import ACCESS_TOKEN, APP, SHOP_ID
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.warehouse.replay import ReplayReport, replay
from tributary.warehouse.reread import reread
from tributary.warehouse.sync import SyncReport, sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.channels.shopify_sandbox import Sandbox
    from tests.channels.tiktok_sandbox import MakeTikTok
    from tributary.channels.tiktok_shop.api import TikTokShopApi
    from tributary.declaration import Stream
    from tributary.warehouse.ledger import Counts

START = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) - timedelta(days=1)
"""Before the first order of the sandbox."""

Snapshot = dict[str, dict[str, str]]


@dataclass
class Road:
    """One merchant of the test's own, read from the sandbox by the real client into a real warehouse."""

    merchant: str
    sandbox: Sandbox
    make_tiktok: MakeTikTok
    connect: Callable[[], psycopg.Connection]
    start: datetime = START

    def sync(
        self,
        stream: Stream | str,
        api: TikTokShopApi | None = None,
        *,
        now: datetime = NOW,
        merchant: str = "",
    ) -> SyncReport:
        stream = TIKTOK_SHOP.stream(stream) if isinstance(stream, str) else stream
        api = api or self.make_tiktok(now=lambda: now)
        return sync_stream(self.connect, api, TIKTOK_SHOP, stream, merchant or self.merchant, now, self.start)

    def reread(self, stream: str, start: datetime, end: datetime) -> Counts:
        api = self.make_tiktok()
        return reread(self.connect, api, TIKTOK_SHOP, TIKTOK_SHOP.stream(stream), self.merchant, start, end)

    def replay(self, stream: str) -> ReplayReport:
        api = self.make_tiktok()
        return replay(self.connect, api, TIKTOK_SHOP, TIKTOK_SHOP.stream(stream), self.merchant, dry_run=False)

    def undisturbed(self, stream: Stream | str, now: datetime = NOW) -> Snapshot:
        """What a merchant with the same shop holds after one sync in which nothing goes wrong."""
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
                from raw.tiktok_shop_{name} where merchant_id = %(merchant)s
            """,
            "changes": """
                select concat_ws(' ', record_id, row_number() over of_record), md5((operation, old_payload)::text)
                from ops.changes where merchant_id = %(merchant)s and stream = %(stream)s
                window of_record as (partition by record_id order by change_id)
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
        return dict(
            self.query(f"select record_id, payload from raw.tiktok_shop_{stream} where merchant_id = %(merchant)s")
        )

    def position(self, stream: str) -> datetime:
        """How far the merchant has been read."""
        [(position,)] = self.query(
            "select position from ops.checkpoints where merchant_id = %(merchant)s and stream = %(stream)s",
            stream=stream,
        )
        assert isinstance(position, datetime)
        return position

    def letters(self, stream: str) -> list[tuple[Any, ...]]:
        """The open dead letters of a stream: id, reason, payload."""
        return self.query(
            "select record_id, reason, payload from ops.dead_letters"
            " where merchant_id = %(merchant)s and stream = %(stream)s and resolved_at is null",
            stream=stream,
        )

    def tiktok(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        """Makes something happen in the shop, or looks at it."""
        return self.sandbox.admin(f"/shops/aurora/tiktok{path}", body, method)

    def struck(self) -> list[int]:
        """How often each fault struck."""
        return [fault["hits"] for fault in self.sandbox.admin("/faults", method="GET")]


def differing(one: Snapshot, other: Snapshot) -> dict[str, set[str]]:
    """The parts that are not the same, and in them the ids whose rows are not."""
    found = {part: {key for key, _ in one[part].items() ^ other[part].items()} for part in one}
    return {part: {key.split(" ")[0] for key in keys} for part, keys in found.items() if keys}


def plainly(sandbox: Sandbox, method: str, path: str, query: dict[str, str], body: dict[str, Any] | None = None) -> Any:
    """The `data` of one signed request, without anything of the project."""
    sent = b"" if body is None else json.dumps(body).encode()
    pairs = {"app_key": APP.key, "timestamp": str(int(NOW.timestamp())), **query}
    signed = path + "".join(key + pairs[key] for key in sorted(pairs))
    text = APP.secret.encode() + signed.encode() + sent + APP.secret.encode()
    pairs["sign"] = hmac.new(APP.secret.encode(), text, hashlib.sha256).hexdigest()
    headers = {"x-tts-access-token": ACCESS_TOKEN, "content-type": "application/json"}
    answer = requests.request(method, sandbox.url + path, params=pairs, data=sent, headers=headers, timeout=30).json()
    assert answer["code"] == 0, answer
    return answer["data"]


def everything(
    sandbox: Sandbox, method: str, path: str, field: str, query: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """All rows of a list by plain paging, with no window."""
    shops = plainly(sandbox, "GET", "/authorization/202309/shops", {})["shops"]
    cipher = next(shop["cipher"] for shop in shops if shop["id"] == SHOP_ID)
    asked = {"shop_cipher": cipher, "page_size": "50", **(query or {})}
    rows: list[dict[str, Any]] = []
    while True:
        data = plainly(sandbox, method, path, asked, {} if method == "POST" else None)
        rows += data[field]
        if not data["next_page_token"]:
            return rows
        asked["page_token"] = data["next_page_token"]
