"""Meta's API as plain requests and as its own client ask it, and what the sandbox knows to be true."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession

if TYPE_CHECKING:
    import requests

    from tests.sandbox.conftest import Client

US, CANADA, NORDLICHT = "101000000000001", "101000000000002", "202000000000001"
TOKENS = {name: f"EAA_sandbox_{name}_0123456789abcdef" for name in ("aurora", "nordlicht")}
EVERY_STATUS = {
    "field": "campaign.effective_status",
    "operator": "IN",
    "value": ["ACTIVE", "PAUSED", "DELETED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES"],
}
FIELDS = [
    "campaign_id", "campaign_name", "objective", "account_currency", "spend", "impressions", "clicks", "actions",
    "action_values",
]  # fmt: skip


def by_day(since: str, until: str, **more: Any) -> dict[str, Any]:
    """The parameters of every campaign's days."""
    return {
        "level": "campaign",
        "time_increment": 1,
        "time_range": {"since": since, "until": until},
        "filtering": [EVERY_STATUS],
        **more,
    }


def ask(client: Client, path: str, token: str | None = TOKENS["aurora"], version: str = "v26.0", method: str = "GET",
        **params: Any) -> requests.Response:  # fmt: skip
    """A request with its token in the header, and JSON where a parameter is more than text."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    sent = {"data": texts} if method == "POST" else {"params": texts}
    return client.session.request(method, f"{client.url}/{version}/{path}", headers=headers, timeout=20, **sent)


def error(answer: requests.Response) -> tuple[int, int, int | None, str]:
    """HTTP status, code, subcode and message of a refusal, whose form is checked."""
    told = answer.json()["error"]
    assert {"message", "type", "code", "fbtrace_id"} <= set(told)
    return answer.status_code, told["code"], told.get("error_subcode"), told["message"]


def official(client: Client, merchant: str = "aurora", app_secret: str | None = None) -> FacebookAdsApi:
    """Meta's own client."""
    session = FacebookSession("900000000000001", app_secret, TOKENS[merchant], timeout=20)
    session.GRAPH = client.url
    return FacebookAdsApi(session)


def account(client: Client, number: str = US, **session: Any) -> AdAccount:
    return AdAccount(f"act_{number}", api=official(client, **session))


def truth(client: Client, number: str = US) -> dict[tuple[str, str], dict[str, Any]]:
    """What is true of each campaign's days, by (day, campaign)."""
    merchant = "nordlicht" if number == NORDLICHT else "aurora"
    told = client.admin("GET", f"/shops/{merchant}/ads/truth?platform=meta&account={number}")
    return {(one["day"], one["campaign"]): one for one in told}


def counted(row: Any, field: str, kind: str = "omni_purchase") -> Decimal:
    """The number of one kind of actions in a row."""
    found = [action["value"] for action in row.get(field, []) if action["action_type"] == kind]
    assert len(found) <= 1
    return Decimal(found[0]) if found else Decimal(0)
