"""The hook: what a connection must say, and what its Test says of it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.channels.google_ads_road import AURORA, MANAGER, NORDLICHT, advertising, secrets
from tributary.channels.google_ads.hook import GoogleAdsHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.channels.google_ads_road import GoogleAds

CLIENT = secrets()


@pytest.fixture(scope="module")
def still() -> Iterator[GoogleAds]:
    with advertising() as sandbox:
        yield sandbox


@pytest.fixture
def aurora(
    still: GoogleAds, shared_warehouse: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., GoogleAdsHook]]:
    """A hook over aurora's connection, which lives in the environment."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", shared_warehouse)

    def make(login: str = CLIENT.client_id, password: str = CLIENT.client_secret, **extra: Any) -> GoogleAdsHook:
        fields = {
            "refresh_token": CLIENT.refresh_token,
            "customer_ids": AURORA,
            "login_customer_id": MANAGER,
            "api_host": still.host,
            "token_uri": f"{still.url}/google_ads/token",
        }
        connection = {"conn_type": "google_ads", "login": login, "password": password, "extra": fields | extra}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_ADS_TEST", json.dumps(connection))
        return GoogleAdsHook("google_ads_test")

    yield make
    still.admin("/google_ads/refuse", method="DELETE")
    still.admin("/google_ads/refresh_token/aurora/restore")
    with psycopg.connect(shared_warehouse) as conn:
        conn.execute("delete from ops.vendor_quotas")


def test_making_a_hook_touches_nothing() -> None:
    assert GoogleAdsHook("no_such_connection").google_ads_conn_id == "no_such_connection"
    assert GoogleAdsHook().google_ads_conn_id == "google_ads_default"


def test_channels_are_known_without_googles_client() -> None:
    """Every task imports the list of channels, and the client takes seconds."""
    code = "import sys, tributary.channels; sys.exit('grpc' in sys.modules or 'google.ads' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "plugins"}, check=False).returncode == 0


def test_a_connection_that_works_says_what_it_reaches(aurora: Callable[..., GoogleAdsHook]) -> None:
    works, told = aurora().test_connection()
    assert works, told
    assert told == (
        "Connected to Google Ads: Aurora Search (1110000001; USD; America/New_York; 4 campaigns yesterday)."
    )


def test_an_account_without_a_manager(aurora: Callable[..., GoogleAdsHook]) -> None:
    own = secrets("nordlicht")
    fields = {"refresh_token": own.refresh_token, "customer_ids": "222-000-0001", "login_customer_id": ""}
    works, told = aurora(own.client_id, own.client_secret, **fields).test_connection()
    assert (works, f"Nordlicht Suche ({NORDLICHT}; EUR; Europe/Berlin;" in told) == (True, True), told


def test_ids_may_have_dashes_and_a_developer_token_is_sent(aurora: Callable[..., GoogleAdsHook]) -> None:
    hook = aurora(customer_ids=" 111-000-0001 ", login_customer_id="111-000-0009", developer_token="of old")
    assert hook.test_connection()[0]


def test_get_conn_reads_the_accounts_and_tells_everybody_that_the_quota_is_used_up(
    aurora: Callable[..., GoogleAdsHook], still: GoogleAds, shared_warehouse: str
) -> None:
    hook = aurora()
    assert hook.get_conn() is hook.get_conn()
    still.admin("/google_ads/refuse", {"code": "quotaError.RESOURCE_EXHAUSTED", "retry_delay": 7200})
    works, told = hook.test_connection()
    assert (works, "Too many requests. Retry in 7200 seconds" in told) == (False, True), told
    with psycopg.connect(shared_warehouse) as conn:
        found = conn.execute("select account, quota from ops.vendor_quotas where closed_until > now()").fetchall()
    assert found == [(f"google_ads/{CLIENT.client_id}", "operations")]
    works, told = aurora().test_connection()
    assert (works, told.startswith("The quota of operations is used up until")) == (False, True), told


FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "no client": ({"login": ""}, "has no login; put in the OAuth client's id"),
    "no secret": ({"password": ""}, "has no password; put in the OAuth client's secret"),
    "no token": ({"refresh_token": ""}, "has no extra field refresh_token; put in"),
    "no account": ({"customer_ids": " "}, "has no extra field customer_ids; put in ten digits"),
    "a name": ({"customer_ids": f"{AURORA}, Aurora"}, "customer_ids holds 'Aurora'; put in ten digits"),
    "too short": (
        {"customer_ids": "111-000-001"},
        "holds '111-000-001'; put in ten digits",
    ),
    "a comma too many": ({"customer_ids": f"{AURORA},"}, "customer_ids holds ''; put in ten digits"),
    "twice": (
        {"customer_ids": f"{AURORA}, 111-000-0001"},
        f"customer_ids names {AURORA} twice; name each account once",
    ),
    "a manager's name": ({"login_customer_id": "mcc"}, "login_customer_id holds 'mcc'; put in ten digits"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_wrong_is_named(name: str, aurora: Callable[..., GoogleAdsHook]) -> None:
    fields, told = FIELDS[name]
    works, message = aurora(**fields).test_connection()
    assert (works, told in message) == (False, True), message


ACCESS: dict[str, tuple[dict[str, Any], str]] = {
    "another secret": ({"password": "GOCSPX-other"}, "its secret into the password"),
    "another token": ({"refresh_token": "1//other"}, "put the new token into the connection's field refresh_token"),
    "an account of nobody": ({"customer_ids": "9990000001"}, "account 9990000001, request id"),
    "no manager": ({"login_customer_id": ""}, "put the manager's id into the connection's field login_customer_id"),
    "a manager as an account": ({"customer_ids": MANAGER}, f"They are {AURORA} (Aurora Search)."),
    "somebody else's account": ({"customer_ids": NORDLICHT}, "Give the Google user who authorised the app access"),
    "nobody there": ({"api_host": "http://127.0.0.1:9"}, "Check the connection's api_host and the network"),
    "no token's address": ({"token_uri": "http://127.0.0.1:9/token"}, "Check the host name and the network"),
}


@pytest.mark.parametrize("name", ACCESS)
def test_access_that_is_missing_is_told(
    name: str, aurora: Callable[..., GoogleAdsHook], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fields, told = ACCESS[name]
    works, message = aurora(**fields).test_connection()
    assert (works, told in message) == (False, True), message
    for secret in (CLIENT.client_secret, CLIENT.refresh_token, "GOCSPX-other", "1//other"):
        assert secret not in message + caplog.text


def test_a_consent_that_was_revoked_is_told(aurora: Callable[..., GoogleAdsHook], still: GoogleAds) -> None:
    still.admin("/google_ads/refresh_token/aurora/revoke")
    works, told = aurora().test_connection()
    assert (works, "'invalid_grant': Token has been expired or revoked" in told) == (False, True), told


def test_metrics_that_may_not_be_read_are_told(aurora: Callable[..., GoogleAdsHook], still: GoogleAds) -> None:
    """The account answers, its campaigns' days do not: Test asks what a sync asks."""
    code = "authorizationError.CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION"
    still.admin("/google_ads/refuse", {"code": code, "longer_than": 0, "skip": 1})
    works, told = aurora().test_connection()
    assert (works, "apply for Explorer access" in told) == (False, True), told


def test_a_warehouse_that_does_not_answer_is_told(
    aurora: Callable[..., GoogleAdsHook], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = aurora()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgresql://nobody@127.0.0.1:9/none")
    works, told = hook.test_connection()
    assert (works, "The warehouse does not answer" in told) == (False, True), told
