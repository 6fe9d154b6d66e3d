"""Aurora's Klaviyo account and a warehouse that it is read into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from tests.channels import road
from tests.channels.klaviyo_client import KEY
from tributary.channels.klaviyo.api import REVISION
from tributary.channels.klaviyo.streams import KLAVIYO

if TYPE_CHECKING:
    from tests.channels.klaviyo_client import MakeKlaviyo
    from tests.channels.shopify_sandbox import Sandbox
    from tributary.channels.klaviyo.api import KlaviyoApi

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


@dataclass
class Road(road.Road):
    """The account and a merchant of the test's own."""

    make: MakeKlaviyo
    channel = KLAVIYO

    def api(self, **how: Any) -> KlaviyoApi:
        return self.make(**how)

    def fault(self, kind: str, route: str, times: int | None = 1, skip: int = 0, **options: Any) -> None:
        """Lets the next requests to an address of the API go wrong."""
        self.sandbox.fault(kind, times, skip, f"/klaviyo{route}", **options)

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
