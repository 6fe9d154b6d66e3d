"""Aurora's TikTok Shop and a warehouse that it is read into."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from tests.channels import road
from tests.channels.shopify_sandbox import NOW
from tests.channels.tiktok_sandbox import ACCESS_TOKEN, APP, SHOP_ID
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP

if TYPE_CHECKING:
    from tests.channels.road import Snapshot
    from tests.channels.shopify_sandbox import Sandbox
    from tests.channels.tiktok_sandbox import MakeTikTok
    from tributary.channels.tiktok_shop.api import TikTokShopApi
    from tributary.declaration import Stream


@dataclass
class Road(road.Road):
    """The shop and a merchant of the test's own."""

    make: MakeTikTok
    channel = TIKTOK_SHOP

    def api(self, **how: Any) -> TikTokShopApi:
        return self.make(**how)

    def snapshot(self, stream: Stream | str, merchant: str = "") -> Snapshot:
        """What the warehouse holds of a stream, and what of it is waiting to be built again."""
        waiting = self.query(
            """
            select concat_ws(' ', record_id, row_number() over of_record), md5((operation, old_payload)::text)
            from ops.changes where merchant_id = %(merchant)s and stream = %(stream)s
            window of_record as (partition by record_id order by change_id)
            """,
            merchant=merchant or self.merchant,
            stream=stream if isinstance(stream, str) else stream.name,
        )
        return {**super().snapshot(stream, merchant), "changes": dict(waiting)}

    def tiktok(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        """Makes something happen in the shop, or looks at it."""
        return self.sandbox.admin(f"/shops/aurora/tiktok{path}", body, method)


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
