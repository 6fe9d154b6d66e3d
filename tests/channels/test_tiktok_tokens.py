"""TikTok Shop's tokens at the sandbox: renewed in mid-sync, refused with a remedy, never shown."""

from __future__ import annotations

import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.fernet import Fernet

from tests.channels.shopify_sandbox import NOW
from tests.channels.tiktok_sandbox import APP, ORDERS, fault
from tests.channels.token_vendor import Key
from tributary.channels.tiktok_shop.refusals import explain
from tributary.channels.tiktok_shop.token import refreshed
from tributary.channels.vendor_tokens import StoredTokens, TokenPair
from tributary.http import AuthError, Budget, Fatal, HttpClient, HttpError, Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from tests.channels.shopify_sandbox import Sandbox
    from tests.channels.tiktok_sandbox import MakeTikTok
    from tributary.channels.tiktok_shop.api import TikTokShopApi

REFRESH = "/tiktok_auth/api/v2/token/refresh"
KEY = Key(Fernet.generate_key().decode())


def authorisation(sandbox: Sandbox) -> dict[str, Any]:
    told: dict[str, Any] = sandbox.admin("/tiktok/authorisation", method="GET")
    return told


@pytest.fixture(autouse=True)
def _not_revoked(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.admin("/tiktok/authorisation/restore")


@pytest.fixture
def refresh(sandbox: Sandbox, slept: list[float]) -> Iterator[Callable[..., TokenPair]]:
    """Asks the sandbox's authorisation host, or another, for a new pair."""
    client = HttpClient(
        redact=Redactor(),
        budgets={"authorization": Budget(rate=1e9, capacity=1e9)},
        explain=explain,
        sleep=slept.append,
        now=lambda: NOW,
    )

    def ask(refresh_token: str, host: str = f"{sandbox.url}/tiktok_auth", secret: str = APP.secret) -> TokenPair:
        return refreshed(client, host, APP.key, secret, refresh_token)

    yield ask
    client.close()


@pytest.fixture
def make_tokens(
    sandbox: Sandbox, connect: Callable[[], psycopg.Connection], refresh: Callable[..., TokenPair]
) -> Callable[[], StoredTokens]:
    """What each task makes of the connection, into which the newest refresh token was pasted."""
    return partial(
        StoredTokens,
        connect=connect,
        cipher=KEY,
        connection_id="tiktok_shop_aurora",
        app_key=APP.key,
        first=authorisation(sandbox)["refresh_token"],
        refresh=refresh,
        redact=Redactor(),
        now=lambda: NOW,
    )


def order_ids(api: TikTokShopApi, after_a_page: Callable[[], object] = lambda: None) -> list[str]:
    """All orders by pages of ten."""
    found: list[str] = []
    token = ""
    while True:
        query = {"page_size": "10", "sort_field": "create_time", "sort_order": "ASC"}
        answer = api.post(ORDERS, query | ({"page_token": token} if token else {}), {}, budget="orders")
        data = msgspec.json.decode(answer.data)
        found += [order["id"] for order in data["orders"]]
        after_a_page()
        token = data.get("next_page_token") or ""
        if not token:
            return found


def test_a_token_that_expires_in_mid_sync_is_renewed_once_and_nothing_is_missing(
    sandbox: Sandbox, make_tiktok: MakeTikTok, make_tokens: Callable[[], StoredTokens]
) -> None:
    expected = order_ids(make_tiktok(token=make_tokens()))
    assert len(expected) > 20, "three pages at least"
    calls = authorisation(sandbox)["refresh_calls"]
    once = iter([lambda: sandbox.admin("/tiktok/authorisation/expire")])

    assert order_ids(make_tiktok(token=make_tokens()), lambda: next(once, lambda: None)()) == expected

    assert authorisation(sandbox)["refresh_calls"] == calls + 1


def test_eight_tasks_at_once_with_an_expired_token_refresh_once(
    sandbox: Sandbox, make_tiktok: MakeTikTok, make_tokens: Callable[[], StoredTokens]
) -> None:
    make_tokens().value()
    sandbox.admin("/tiktok/authorisation/expire")
    calls = authorisation(sandbox)["refresh_calls"]
    with ThreadPoolExecutor(8) as tasks:
        shops = list(tasks.map(lambda api: api.shop.id, [make_tiktok(token=make_tokens()) for _ in range(8)]))
    assert len(set(shops)) == 1
    assert authorisation(sandbox)["refresh_calls"] == calls + 1


def test_a_revoked_authorisation_names_the_connection_and_what_to_do(
    sandbox: Sandbox, make_tiktok: MakeTikTok, make_tokens: Callable[[], StoredTokens]
) -> None:
    api = make_tiktok(token=make_tokens())
    assert api.shop.id
    sandbox.admin("/tiktok/authorisation/revoke")
    with pytest.raises(AuthError) as caught:
        order_ids(api)
    text = str(caught.value)
    assert "The authorisation of connection 'tiktok_shop_aurora' cannot be renewed" in text
    assert "36004004" in text
    assert "request id 2026" in text
    assert "put the new refresh token into the connection 'tiktok_shop_aurora'" in text


def test_the_ends_of_a_pair_are_the_vendors(sandbox: Sandbox, refresh: Callable[..., TokenPair]) -> None:
    before = authorisation(sandbox)
    pair = refresh(before["refresh_token"])
    after = authorisation(sandbox)
    assert pair.access_token in after["access_tokens"]
    assert pair.access_token not in before["access_tokens"]
    assert (pair.refresh_token, pair.access_ends_at) == (after["refresh_token"], NOW + timedelta(days=7))
    assert pair.authorisation_ends_at.timestamp() == after["ends_at"]


@pytest.mark.parametrize(("kind", "options"), [("http_5xx", {"status": 503}), ("html", {})])
def test_a_fault_of_the_authorisation_host_is_tried_again(
    sandbox: Sandbox, refresh: Callable[..., TokenPair], slept: list[float], kind: str, options: dict[str, Any]
) -> None:
    fault(sandbox, kind, REFRESH, **options)
    assert refresh(authorisation(sandbox)["refresh_token"]).access_token
    assert len(slept) == 1


def test_nothing_of_the_address_is_logged_or_raised(
    sandbox: Sandbox, refresh: Callable[..., TokenPair], caplog: pytest.LogCaptureFixture
) -> None:
    planted, secret = "TTP_planted+/refresh=", "planted app/secret+="
    echo = {"code": 36004004, "message": f"no such token: {planted} of {secret}", "data": None}
    fault(sandbox, "throttled", REFRESH, body=echo)
    hosts = [f"{sandbox.url}/tiktok_auth", f"{sandbox.url}/nowhere", "http://127.0.0.1:9", "http://[broken"]
    raised = []
    with caplog.at_level(logging.DEBUG):
        for host in hosts:
            with pytest.raises(HttpError) as caught:
                refresh(planted, host, secret)
            raised.append("".join(traceback.format_exception(caught.value)))
    text = "\n".join([*raised, *caplog.messages])
    assert "no such token: *** of ***" in raised[0]
    assert "token/refresh?***" in caplog.text, "what urllib3 logs was looked at"
    for form in ("TTP_planted", "planted app", "planted+app", "planted%20app"):
        assert form not in text


def test_a_wrong_app_secret_is_final(refresh: Callable[..., TokenPair], sandbox: Sandbox) -> None:
    with pytest.raises(Fatal, match="Invalid app_secret"):
        refresh(authorisation(sandbox)["refresh_token"], secret="another")
