"""TikTok Ads' hook as Airflow sees it: its connection, its form and its Test button."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.log import redact

from tests.channels.tiktok_ads_road import ACCOUNT, GMV_MAX, REPORT, TOKEN, advertising, coded
from tributary.channels.tiktok_ads.api import TikTokAdsApi
from tributary.channels.tiktok_ads.hook import TikTokAdsHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.channels.shopify_sandbox import Sandbox

    Connect = Callable[..., TikTokAdsHook]

SHOPS = "/open_api/v1.3/gmv_max/store/list/"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with advertising(date(2026, 11, 18)) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _all_is_well_again(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.admin("/faults", method="DELETE")
    sandbox.admin("/tiktok_ads/revoke", {"merchant": "aurora", "revoked": False})
    sandbox.admin(f"/shops/aurora/ads/accounts/{ACCOUNT}/enable")


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """A hook over a connection that lives in the environment."""

    def make(password: str = TOKEN, **extra: str) -> TikTokAdsHook:
        connection = {"conn_type": "tiktok_ads", "password": password, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_ADS_TEST", json.dumps(connection))
        return TikTokAdsHook("tiktok_ads_test")

    return make


@pytest.fixture
def aurora(connect: Connect, sandbox: Sandbox) -> Connect:
    def make(password: str = TOKEN, **extra: str) -> TikTokAdsHook:
        return connect(password, **{"api_host": sandbox.url, "advertiser_ids": ACCOUNT, **extra})

    return make


def test_making_a_hook_touches_nothing() -> None:
    assert TikTokAdsHook("no_such_connection").tiktok_ads_conn_id == "no_such_connection"
    assert TikTokAdsHook().tiktok_ads_conn_id == "tiktok_ads_default"


def test_get_conn_reads_the_account(aurora: Connect) -> None:
    hook = aurora()
    api = hook.get_conn()
    assert isinstance(api, TikTokAdsApi)
    assert api is hook.get_conn()
    assert [account.name for account in api.accounts()] == ["Aurora TikTok"]
    api.close()


def test_the_test_button_shows_the_account(aurora: Connect) -> None:
    works, message = aurora().test_connection()
    assert works
    assert message == (
        f"Connected to Aurora TikTok ({ACCOUNT}): time zone America/New_York, currency USD, GMV Max in 1 TikTok Shop."
    )


def test_the_test_button_says_when_there_is_no_gmv_max(aurora: Connect, sandbox: Sandbox) -> None:
    merge = {"data": {"store_list": {"*": {"is_gmv_max_available": False}}}}
    sandbox.fault("merged", None, 0, SHOPS, merge=merge)
    assert aurora().test_connection()[1].endswith("currency USD, no GMV Max.")


@pytest.mark.parametrize("route", [REPORT, SHOPS, GMV_MAX])
def test_the_test_button_names_a_permission_that_is_missing(route: str, aurora: Connect, sandbox: Sandbox) -> None:
    sandbox.fault("throttled", 1, 0, route, body=coded(40001, "advertiser does not grant you this permission"))
    works, message = aurora().test_connection()
    assert not works
    assert "TikTok refuses with 40001: advertiser does not grant you this permission" in message
    assert route in message
    assert "with the permissions Ad Account Management, Campaign and Reporting for this ad account" in message


def test_the_test_button_says_that_an_account_is_disabled(aurora: Connect, sandbox: Sandbox) -> None:
    sandbox.admin(f"/shops/aurora/ads/accounts/{ACCOUNT}/disable")
    works, message = aurora().test_connection()
    assert not works
    assert f"The ad account Aurora TikTok ({ACCOUNT}) is disabled (STATUS_DISABLE)" in message


def test_an_account_of_somebody_else_is_told(aurora: Connect) -> None:
    works, message = aurora(advertiser_ids=f"{ACCOUNT}, 42").test_connection()
    assert not works
    assert "40001: No permission to operate advertiser: 42" in message
    assert message.endswith("take the account out of the connection's field advertiser_ids.")


def test_a_token_that_is_not_good_is_told_without_showing_it(aurora: Connect, sandbox: Sandbox) -> None:
    works, message = aurora("tta_mistyped").test_connection()
    assert not works
    assert "40105: Access token is incorrect or has been revoked." in message
    assert "connection's password" in message
    sandbox.admin("/tiktok_ads/revoke", {"merchant": "aurora"})
    works, revoked = aurora().test_connection()
    assert not works
    assert "40105" in revoked
    assert not [text for text in (message, revoked) if "mistyped" in text or TOKEN in text]


def test_too_much_is_told_quickly(aurora: Connect, sandbox: Sandbox) -> None:
    sandbox.fault("throttled", 1, 0, REPORT, body=coded(40100, "App reaches the QPS limit."))
    works, message = aurora().test_connection()
    assert not works
    assert message.endswith("The quota refills by itself. Given up after 1 attempts.")


@pytest.mark.parametrize(
    ("password", "extra", "told"),
    [
        (" ", {}, "Connection 'tiktok_ads_test' has no password; put in the access token of the app's authorisation."),
        (
            TOKEN,
            {"advertiser_ids": ""},
            (
                "Connection 'tiktok_ads_test' has no extra field advertiser_ids; "
                "put in the ids of the ad accounts, with commas between them."
            ),
        ),
        (
            TOKEN,
            {"advertiser_ids": "Aurora"},
            (
                "Connection 'tiktok_ads_test': the extra field advertiser_ids holds 'Aurora'; "
                "put in the ids of the ad accounts, with commas between them."
            ),
        ),
        (
            TOKEN,
            {"advertiser_ids": "7, 7"},
            "Connection 'tiktok_ads_test': the extra field advertiser_ids names 7 twice; name each account once.",
        ),
    ],
    ids=["password", "ids", "no id", "twice"],
)
def test_a_field_that_is_wrong_is_named(password: str, extra: dict[str, str], told: str, aurora: Connect) -> None:
    assert aurora(password, **extra).test_connection() == (False, told)


@pytest.mark.parametrize(
    ("extra", "url"),
    [
        ({}, "https://business-api.tiktok.com/open_api/v1.3"),
        ({"api_host": " a.example.com/ "}, "https://a.example.com/open_api/v1.3"),
    ],
)
def test_the_host_is_tiktoks_unless_the_connection_names_another(
    extra: dict[str, str], url: str, connect: Connect
) -> None:
    assert connect(advertiser_ids=ACCOUNT, **extra).get_conn()._url == url


def test_airflows_logs_mask_the_token(connect: Connect) -> None:
    connect("tta_planted_0123", advertiser_ids=ACCOUNT).get_conn()
    shown = str(redact("tta_planted_0123 2026"))
    assert "planted" not in shown
    assert "2026" in shown


def test_the_form_shows_what_the_hook_reads() -> None:
    manager = ProvidersManager()
    manager.initialize_providers_hooks()
    behaviour = manager.field_behaviours["tiktok_ads"]
    assert behaviour["relabeling"] == {"password": "Access token"}
    assert set(behaviour["hidden_fields"]) == {"host", "login", "port", "schema", "extra"}
    prefix = "extra__tiktok_ads__"
    assert {name for name in manager.connection_form_widgets if name.startswith(prefix)} == {
        f"{prefix}advertiser_ids",
        f"{prefix}api_host",
    }
