"""The hook as Airflow sees it: its connection, its form, its Test button."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager

from tributary.channels import CHANNELS, channel
from tributary.channels.shopify.api import API_VERSION, ShopifyApi
from tributary.channels.shopify.hook import ShopifyHook
from tributary.channels.shopify.token import ClientCredentials
from tributary.provider import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from shopify_sandbox import Sandbox

    Connect = Callable[..., ShopifyHook]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """A hook over a connection that lives in the environment."""

    def make(**fields: Any) -> ShopifyHook:
        monkeypatch.setenv("AIRFLOW_CONN_SHOPIFY_TEST", json.dumps({"conn_type": "shopify", **fields}))
        return ShopifyHook("shopify_test")

    return make


def test_making_a_hook_touches_nothing() -> None:
    assert ShopifyHook("no_such_connection").shopify_conn_id == "no_such_connection"
    assert ShopifyHook().shopify_conn_id == "shopify_default"


def test_get_conn_reads_the_shop(connect: Connect, sandbox: Sandbox) -> None:
    hook = connect(host=sandbox.shop(), password="shpat_sandbox_aurora")
    api = hook.get_conn()
    assert isinstance(api, ShopifyApi)
    assert api is hook.get_conn()
    assert json.loads(bytes(api.execute("Shop").data))["shop"]["currencyCode"] == "USD"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("my-shop.myshopify.com", "https://my-shop.myshopify.com"),
        (" my-shop.myshopify.com/ ", "https://my-shop.myshopify.com"),
        ("http://127.0.0.1:8090/shopify/a.myshopify.com", "http://127.0.0.1:8090/shopify/a.myshopify.com"),
    ],
)
def test_the_host_is_a_domain_or_a_whole_address(host: str, url: str, connect: Connect) -> None:
    api = connect(host=host, password="t").get_conn()
    assert api._url == f"{url}/admin/api/{API_VERSION}/graphql.json"


def test_the_version_can_be_chosen(connect: Connect) -> None:
    api = connect(host="a.myshopify.com", password="t", extra={"api_version": "2027-01"}).get_conn()
    assert api._url.endswith("/admin/api/2027-01/graphql.json")


def test_client_credentials_serve_when_there_is_no_token(connect: Connect, sandbox: Sandbox) -> None:
    extra = {"client_id": "client_aurora", "client_secret": "secret_aurora"}
    hook = connect(host=sandbox.shop(), extra=extra)
    assert isinstance(hook.get_conn()._token, ClientCredentials)
    works, message = hook.test_connection()
    assert works, message
    assert "Aurora Outdoor" in message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "t"}, ["'shopify_test'", "no host", "my-shop.myshopify.com"]),
        ({"host": "a.myshopify.com"}, ["'shopify_test'", "password", "client_id and client_secret"]),
        ({"host": "a.myshopify.com", "extra": {"client_id": "x"}}, ["client_id and client_secret"]),
    ],
)
def test_the_test_button_says_which_field_is_missing(
    fields: dict[str, Any], words: list[str], connect: Connect
) -> None:
    works, message = connect(**fields).test_connection()
    assert not works
    for word in words:
        assert word in message


def test_the_test_button_tells_a_wrong_token_without_showing_it(connect: Connect, sandbox: Sandbox) -> None:
    works, message = connect(host=sandbox.shop(), password="shpat_mistyped_token").test_connection()
    assert not works
    assert "HTTP 401" in message
    assert "mistyped" not in message


def test_the_test_button_does_not_keep_anyone_waiting(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.fault("http_5xx", times=3)
    works, message = connect(host=sandbox.shop(), password="shpat_sandbox_aurora").test_connection()
    assert not works
    assert "after 1 attempts" in message


def test_airflow_accepts_the_provider_info() -> None:
    from airflow.providers_manager import _create_provider_info_schema_validator

    _create_provider_info_schema_validator().validate(get_provider_info())


def test_every_channel_has_a_connection_type_with_its_hook() -> None:
    types = {kind["connection-type"]: kind["hook-class-name"] for kind in get_provider_info()["connection-types"]}
    assert types == {channel.conn_type: channel.hook for channel in CHANNELS}
    assert channel("shopify") in CHANNELS
    with pytest.raises(LookupError, match=r"no channel 'etsy'; there are \['shopify', "):
        channel("etsy")


def test_the_form_shows_what_the_hook_reads() -> None:
    manager = ProvidersManager()
    manager.initialize_providers_hooks()
    behaviour = manager.field_behaviours["shopify"]
    assert behaviour["relabeling"] == {"host": "Shop domain", "password": "Admin API access token"}
    assert set(behaviour["hidden_fields"]) == {"login", "port", "schema", "extra"}
    fields = {
        name.removeprefix("extra__shopify__"): widget
        for name, widget in manager.connection_form_widgets.items()
        if name.startswith("extra__shopify__")
    }
    assert set(fields) == {"client_id", "client_secret", "api_version"}
    assert {name for name, widget in fields.items() if widget.is_sensitive} == {"client_secret"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate("2026-11", fields["api_version"].field["schema"])
