"""The vendor sandbox from outside, standing still at a known time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import requests

from tributary.channels.shopify.api import ShopifyApi

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FIRST_DAY = date(2026, 11, 14)
SCOPES = frozenset(
    {"read_all_orders", "read_customers", "read_inventory", "read_orders", "read_products", "read_reports"}
)
"""What the sandbox's own tokens may do, as far as this channel asks."""


class Sandbox:
    """The vendor sandbox from outside: its address and its admin routes."""

    def __init__(self, url: str) -> None:
        self.url = url

    def shop(self, merchant: str = "aurora") -> str:
        return f"{self.url}/shopify/{merchant}.myshopify.com"

    def admin(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        answer = requests.request(method, f"{self.url}/_admin{path}", json=body or {}, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def fault(
        self, kind: str, times: int | None = 1, skip: int = 0, route: str = "*/graphql.json", **options: Any
    ) -> None:
        """Lets the next requests to an address go wrong; without `times`, all of them."""
        body = {"route": route, "kind": kind, "times": times, "skip": skip, "options": options}
        self.admin("/faults", body)

    def query(self, text: str, merchant: str = "aurora") -> Any:
        """Plain GraphQL, without anything of the project."""
        answer = requests.post(
            f"{self.shop(merchant)}/admin/api/2026-10/graphql.json",
            json={"query": text},
            headers={"X-Shopify-Access-Token": f"shpat_sandbox_{merchant}"},
            timeout=30,
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]


MakeApi = Callable[..., ShopifyApi]
