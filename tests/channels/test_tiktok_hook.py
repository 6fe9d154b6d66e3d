"""TikTok Shop's hook as Airflow sees it: its connection, its form, its Test button."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jsonschema
import psycopg
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.crypto import get_fernet
from airflow.sdk.log import redact
from cryptography.fernet import Fernet

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import Sandbox
from tests.channels.tiktok_sandbox import APP, ORDERS, SHOP_ID, fault
from tests.conftest import new_database
from tributary.channels.tiktok_shop.api import TikTokShopApi
from tributary.channels.tiktok_shop.diagnosis import diagnose
from tributary.channels.tiktok_shop.hook import TikTokShopHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.channels.tiktok_sandbox import MakeTikTok

    Connect = Callable[..., TikTokShopHook]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Two days of business, and a clock that goes with this machine's."""
    now = datetime.now(UTC)
    with serve(create_app(Settings(first_day=(now - timedelta(days=2)).date()))) as url:
        yield Sandbox(url)


@pytest.fixture(autouse=True)
def _airflows_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key to encrypt with; Airflow remembers the one that it saw first."""
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    get_fernet.cache_clear()
    yield
    get_fernet.cache_clear()


@pytest.fixture
def authorised(sandbox: Sandbox) -> Iterator[dict[str, Any]]:
    """What the sandbox knows of the authorisation, as it is before and after each test."""
    told = sandbox.admin("/tiktok/authorisation", method="GET")
    yield told
    sandbox.admin("/tiktok/authorisation/scopes", {"scopes": told["scopes"]})
    sandbox.admin("/tiktok/authorisation/end", {"at": datetime.fromtimestamp(told["ends_at"], UTC).isoformat()})


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """A hook over a connection that lives in the environment."""

    def make(conn_id: str = "tiktok_test", extra: dict[str, Any] | None = None, **fields: Any) -> TikTokShopHook:
        connection = {"conn_type": "tiktok_shop", "extra": extra or {}, **fields}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return TikTokShopHook(conn_id)

    return make


@pytest.fixture(scope="module")
def kept_in(postgres_server_url: str, migrated_database: str) -> Iterator[str]:
    """A warehouse that these tests share: each of them begins with a refresh token of its own."""
    with new_database(postgres_server_url, template=migrated_database) as url:
        yield url


@pytest.fixture
def aurora(
    connect: Connect, sandbox: Sandbox, authorised: dict[str, Any], kept_in: str, monkeypatch: pytest.MonkeyPatch
) -> Connect:
    """A hook over aurora's connection, whose refresh token is the newest one, so that no pair is kept yet."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", kept_in)

    def make(conn_id: str = "tiktok_test", password: str = APP.secret, **extra: Any) -> TikTokShopHook:
        known = {
            "refresh_token": authorised["refresh_token"],
            "shop_id": SHOP_ID,
            "api_host": sandbox.url,
            "auth_host": f"{sandbox.url}/tiktok_auth",
            "requests_per_second": "50",
        }
        return connect(conn_id, known | extra, login=APP.key, password=password)

    return make


def refreshes(sandbox: Sandbox) -> int:
    told: dict[str, int] = sandbox.admin("/tiktok/authorisation", method="GET")
    return told["refresh_calls"]


def test_making_a_hook_touches_nothing() -> None:
    assert TikTokShopHook("no_such_connection").tiktok_shop_conn_id == "no_such_connection"
    assert TikTokShopHook().tiktok_shop_conn_id == "tiktok_shop_default"


def test_get_conn_reads_the_shop_with_a_pair_that_is_kept_encrypted(aurora: Connect, kept_in: str) -> None:
    hook = aurora("tiktok_kept")
    api = hook.get_conn()
    assert isinstance(api, TikTokShopApi)
    assert api is hook.get_conn()
    assert api.shop.name == "Aurora Outdoor"
    assert api._client.budgets["analytics"].rate == 50
    with psycopg.connect(kept_in) as conn:
        kept = conn.execute("select pair from ops.vendor_tokens where connection = 'tiktok_kept'").fetchall()
    assert len(kept) == 1
    assert b"TTP_" not in kept[0][0]


def test_the_test_button_uses_the_pair_that_is_kept(aurora: Connect, sandbox: Sandbox) -> None:
    assert aurora().get_conn().shop
    before = refreshes(sandbox)
    works, message = aurora("another_id").test_connection()
    assert works, message
    assert refreshes(sandbox) == before
    assert aurora().get_conn().shop, "the Test button has cost nobody the pair"


def test_the_test_button_keeps_the_pair_that_it_has_to_fetch(aurora: Connect, sandbox: Sandbox) -> None:
    before = refreshes(sandbox)
    works, message = aurora("another_id").test_connection()
    assert works, message
    assert refreshes(sandbox) == before + 1
    assert aurora().get_conn().shop
    assert refreshes(sandbox) == before + 1


def test_the_test_button_shows_the_shop(aurora: Connect, authorised: dict[str, Any]) -> None:
    works, message = aurora().test_connection()
    assert works
    ends = datetime.fromtimestamp(authorised["ends_at"], UTC)
    assert message == (
        f"Connected to Aurora Outdoor (id {SHOP_ID}): region US, seller type CROSS_BORDER. "
        f"The authorisation ends on {ends:%Y-%m-%d}."
    )


def test_the_test_button_warns_a_month_before_the_authorisation_ends(aurora: Connect, sandbox: Sandbox) -> None:
    ends = datetime.now(UTC) + timedelta(days=20, hours=1)
    sandbox.admin("/tiktok/authorisation/end", {"at": ends.isoformat()})
    works, message = aurora().test_connection()
    assert works
    assert f"The authorisation ends on {ends:%Y-%m-%d}, in 20 days: let the seller authorise the app again" in message


@pytest.mark.parametrize(
    ("scope", "streams"),
    [("seller.product.basic", "products"), ("data.shop_analytics.public.read", "shop_performance, videos and")],
)
def test_the_test_button_says_what_cannot_be_read(
    scope: str, streams: str, aurora: Connect, sandbox: Sandbox, authorised: dict[str, Any]
) -> None:
    left = [granted for granted in authorised["scopes"] if granted != scope]
    assert len(left) == len(authorised["scopes"]) - 1
    sandbox.admin("/tiktok/authorisation/scopes", {"scopes": left})
    works, message = aurora().test_connection()
    assert works
    assert f"The streams {streams}" in message
    assert message.count("cannot be read") == 1
    assert "authorise the app again, and put the new refresh token into the field Refresh token." in message


@pytest.mark.parametrize(
    ("route", "streams"),
    [("/return_refund/*", "returns and cancellations"), ("/finance/*", "statements and statement_transactions")],
)
def test_each_family_of_streams_is_tried(route: str, streams: str, aurora: Connect, sandbox: Sandbox) -> None:
    fault(sandbox, "expired_token", route, status=403, body={"code": 105005, "message": "Access denied"})
    works, message = aurora().test_connection()
    assert works
    assert f"The streams {streams} cannot be read." in message


def test_without_orders_nothing_works(aurora: Connect, sandbox: Sandbox, authorised: dict[str, Any]) -> None:
    left = [scope for scope in authorised["scopes"] if scope != "seller.order.info"]
    sandbox.admin("/tiktok/authorisation/scopes", {"scopes": left})
    works, message = aurora().test_connection()
    assert not works
    assert "the stream orders cannot be read. Enable" in message


def test_a_clock_that_is_wrong_is_told_and_does_not_matter(sandbox: Sandbox, make_tiktok: MakeTikTok) -> None:
    api = make_tiktok(now=lambda: datetime.now(UTC) + timedelta(minutes=10))
    works, message = diagnose(api, lambda: None)
    assert works
    assert " This machine's clock is " in message
    assert "s ahead of TikTok's" in message


def test_another_fault_ends_the_test_with_its_remedy(aurora: Connect, sandbox: Sandbox) -> None:
    refused = {"code": 36009044, "message": "Inactive seller", "request_id": "R7"}
    fault(sandbox, "expired_token", ORDERS, status=401, body=refused)
    works, message = aurora().test_connection()
    assert not works
    for words in ("36009044: Inactive seller", "request id R7", "The seller is suspended"):
        assert words in message


def test_an_access_token_alone_serves_for_a_week(
    connect: Connect, sandbox: Sandbox, authorised: dict[str, Any]
) -> None:
    extra = {"access_token": authorised["access_tokens"][-1], "shop_id": SHOP_ID, "api_host": sandbox.url}
    works, message = connect(extra=extra, login=APP.key, password=APP.secret).test_connection()
    assert works
    assert "lasts a week at most and is never renewed: put in a refresh token" in message


@pytest.mark.parametrize("renewed", [True, False])
def test_a_wrong_secret_is_told_without_showing_it(renewed: bool, aurora: Connect, authorised: dict[str, Any]) -> None:
    extra = {} if renewed else {"refresh_token": "", "access_token": authorised["access_tokens"][-1]}
    works, message = aurora(password="mistyped_secret", **extra).test_connection()
    assert not works
    assert ("app_secret" if renewed else "106001") in message
    assert "mistyped" not in message


def test_the_form_must_choose_among_several_shops(aurora: Connect) -> None:
    works, message = aurora(shop_id="").test_connection()
    assert not works
    assert f"field shop_id: 7495000000000000002 (Aurora Outdoor UK, GB), {SHOP_ID} (Aurora Outdoor, US)" in message


GOOD = {"login": "key", "password": "app-secret", "extra": {"refresh_token": "TTP_r"}}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"login": " "}, ["no login", "app's key from Partner Center"]),
        ({"password": ""}, ["no password", "app's secret"]),
        ({"extra": {"shop_id": "1"}}, ["neither the extra field refresh_token", "nor access_token"]),
        ({"extra": {"refresh_token": "r", "requests_per_second": "fast"}}, ["requests_per_second is 'fast'", "number"]),
        ({"extra": {"refresh_token": "r", "requests_per_second": "0"}}, ["requests_per_second is '0'", "above 0"]),
        ({"extra": {"refresh_token": "r", "requests_per_second": "nan"}}, ["requests_per_second is 'nan'"]),
    ],
)
def test_the_test_button_says_which_field_is_wrong(fields: dict[str, Any], words: list[str], connect: Connect) -> None:
    works, message = connect(**(GOOD | fields)).test_connection()
    assert not works
    for word in ("'tiktok_test'", *words):
        assert word in message


@pytest.mark.parametrize(
    ("extra", "url"),
    [
        ({}, "https://open-api.tiktokglobalshop.com"),
        ({"api_host": " open-api.example.com/ "}, "https://open-api.example.com"),
        ({"api_host": "http://127.0.0.1:8090"}, "http://127.0.0.1:8090"),
    ],
)
def test_the_host_is_tiktoks_unless_the_connection_names_another(
    extra: dict[str, str], url: str, connect: Connect
) -> None:
    api = connect(login="key", password="s", extra={"access_token": "TTP_a", **extra}).get_conn()
    assert api._base_url == url


def test_airflows_logs_mask_what_the_connection_hides(connect: Connect) -> None:
    planted = {"refresh_token": "TTP_planted_refresh", "access_token": "TTP_planted_access"}
    connect(login="key", password="planted_app_secret", extra=planted).get_conn()
    shown = str(redact("TTP_planted_refresh TTP_planted_access planted_app_secret 2026"))
    assert "planted" not in shown
    assert "2026" in shown


@pytest.mark.parametrize(
    ("conn_type", "labels", "fields", "secret"),
    [
        (
            "tiktok_shop",
            {"login": "App key", "password": "App secret"},
            {"refresh_token", "access_token", "shop_id", "requests_per_second", "api_host", "auth_host"},
            {"refresh_token", "access_token"},
        ),
        (
            "tiktok_organic",
            {"login": "Client id", "password": "Client secret"},
            {"business_id", "refresh_token", "api_host"},
            {"refresh_token"},
        ),
    ],
)
def test_the_form_shows_what_the_hook_reads(
    conn_type: str, labels: dict[str, str], fields: set[str], secret: set[str]
) -> None:
    manager = ProvidersManager()
    manager.initialize_providers_hooks()
    behaviour = manager.field_behaviours[conn_type]
    assert behaviour["relabeling"] == labels
    assert set(behaviour["hidden_fields"]) == {"host", "port", "schema", "extra"}
    prefix = f"extra__{conn_type}__"
    widgets = {
        name.removeprefix(prefix): widget
        for name, widget in manager.connection_form_widgets.items()
        if name.startswith(prefix)
    }
    assert set(widgets) == fields
    assert {name for name, widget in widgets.items() if widget.is_sensitive} == secret


@pytest.mark.parametrize(
    ("field", "good", "bad"), [("shop_id", SHOP_ID, "my shop"), ("requests_per_second", "0.5", "1/s")]
)
def test_the_form_refuses_what_cannot_be(field: str, good: str, bad: str) -> None:
    manager = ProvidersManager()
    manager.initialize_providers_hooks()
    schema = manager.connection_form_widgets[f"extra__tiktok_shop__{field}"].field["schema"]
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, schema)
