"""The hook: what a connection must say, and what its Test says of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.log import redact

from tests.channels.meta_ads_road import APP_SECRET, CANADA, TODAY, TOKEN, US
from tributary.channels.meta_ads.api import MetaAdsApi
from tributary.channels.meta_ads.hook import MetaAdsHook
from tributary.channels.meta_ads.insights import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.channels.meta_ads_road import Road
    from tests.channels.shopify_sandbox import Sandbox


@pytest.fixture
def aurora(meta: Sandbox, shared_warehouse: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., MetaAdsHook]:
    """A hook over aurora's connection, which lives in the environment."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", shared_warehouse)

    def make(password: str = TOKEN, **extra: Any) -> MetaAdsHook:
        fields = {"account_ids": f"{US}, act_{CANADA}", "api_host": meta.url} | extra
        connection = {"conn_type": "meta_ads", "password": password, "extra": fields}
        monkeypatch.setenv("AIRFLOW_CONN_META_ADS_TEST", json.dumps(connection))
        return MetaAdsHook("meta_ads_test")

    return make


@pytest.fixture(autouse=True)
def _open_again(meta_road: Road) -> Iterator[None]:
    """Quotas that a test closed belong to the accounts, not to the test."""
    yield
    meta_road.query("with gone as (delete from ops.vendor_quotas returning 1) select 1")


def test_making_a_hook_touches_nothing() -> None:
    assert MetaAdsHook("no_such_connection").meta_ads_conn_id == "no_such_connection"
    assert MetaAdsHook().meta_ads_conn_id == "meta_ads_default"


def test_a_connection_that_works_says_what_it_reaches(aurora: Callable[..., MetaAdsHook]) -> None:
    for app_secret in ("", APP_SECRET):
        works, message = aurora(app_secret=app_secret).test_connection()
        assert works, message
        assert message == (
            f"Connected to Aurora US ({US}): time zone America/New_York, currency USD; "
            f"Aurora Canada ({CANADA}): time zone America/Vancouver, currency CAD."
        )


def test_get_conn_reads_the_accounts_and_tells_everybody_that_a_quota_ends(
    aurora: Callable[..., MetaAdsHook], meta_road: Road
) -> None:
    hook = aurora(app_secret=APP_SECRET)
    api = hook.get_conn()
    assert isinstance(api, MetaAdsApi)
    assert api is hook.get_conn()
    meta_road.usage(CANADA, percent=97)
    assert list(api.insights(api.accounts()[0], asked(TODAY, TODAY)))
    closed = meta_road.query("select account, quota from ops.vendor_quotas where closed_until is not null")
    assert closed == [(f"meta_ads/act_{CANADA}", "insights")]
    calls = meta_road.usage(CANADA)["calls"]
    works, message = aurora().test_connection()
    assert (works, "The quota of insights is used up until" in message) == (False, True), message
    assert meta_road.usage(CANADA)["calls"] == calls
    assert redact({"a": f"{TOKEN} {APP_SECRET}"}) == {"a": "*** ***"}
    api.close()


FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "no token": ({"password": ""}, "has no password; put in an access token with ads_read"),
    "no account": ({"account_ids": " "}, "has no extra field account_ids; put in the ids of the ad accounts"),
    "no number": ({"account_ids": f"{US}, Aurora"}, "the extra field account_ids holds 'Aurora'; put in the ids"),
    "twice": ({"account_ids": f"act_{US}, {US}"}, f"the extra field account_ids names {US} twice"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_wrong_is_named(name: str, aurora: Callable[..., MetaAdsHook]) -> None:
    fields, told = FIELDS[name]
    works, message = aurora(**fields).test_connection()
    assert (works, "Connection 'meta_ads_test'" in message, told in message) == (False, True, True), message


def test_what_stands_in_the_way_is_told_at_once(aurora: Callable[..., MetaAdsHook], meta_road: Road) -> None:
    meta_road.token(invalid=463)
    works, message = aurora().test_connection()
    assert (works, "The access token has expired" in message) == (False, True), message
    meta_road.token(invalid=None, scopes=[])
    works, message = aurora().test_connection()
    assert (works, "create the token with the permission ads_read" in message) == (False, True), message
    meta_road.token(scopes=["ads_read"])
    works, message = aurora(account_ids="202000000000001").test_connection()
    assert (works, "Give the token's user the ad account" in message) == (False, True), message
    works, message = aurora(api_host="http://127.0.0.1:9").test_connection()
    assert (works, "No connection" in message) == (False, True), message


def test_a_disabled_account_is_told(aurora: Callable[..., MetaAdsHook], meta_road: Road) -> None:
    meta_road.happens(f"accounts/{CANADA}/disable")
    works, message = aurora().test_connection()
    meta_road.happens(f"accounts/{CANADA}/enable")
    assert (works, f"{CANADA} (Aurora Canada) is disabled at Meta" in message) == (False, True), message


def test_a_warehouse_that_does_not_answer_is_told(
    aurora: Callable[..., MetaAdsHook], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = aurora()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgresql://nobody@127.0.0.1:9/none")
    works, told = hook.test_connection()
    assert (works, "The warehouse does not answer" in told) == (False, True), told
