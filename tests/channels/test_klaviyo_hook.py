"""Klaviyo's hook as Airflow sees it: its connection, its form, its Test button, and the quota that all tasks share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.log import redact

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.klaviyo_client import KEY
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tributary.channels.klaviyo.api import KlaviyoApi
from tributary.channels.klaviyo.hook import KlaviyoHook
from tributary.channels.klaviyo.limits import REPORTS
from tributary.http import QuotaSpent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Connect = Callable[..., KlaviyoHook]

SCOPES = ["accounts:read", "campaigns:read", "events:read", "flows:read", "metrics:read", "profiles:read"]
REPORT = {
    "data": {
        "type": "campaign-values-report",
        "attributes": {
            "statistics": ["opens"],
            "timeframe": {"start": "2026-11-14T00:00:00", "end": "2026-11-20T00:00:00"},
            "conversion_metric_id": "RESQ6t",
        },
    }
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=NOW, klaviyo_rate=1000))) as url:
        yield Sandbox(url)


@pytest.fixture(autouse=True)
def _the_key_is_good(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.admin("/klaviyo/key", {})
    sandbox.admin("/klaviyo/limits", method="DELETE")


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, shared_warehouse: str) -> Connect:
    """A hook over a connection that lives in the environment."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", shared_warehouse)

    def make(password: str = KEY, **extra: str) -> KlaviyoHook:
        connection = {"conn_type": "klaviyo", "password": password, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_TEST", json.dumps(connection))
        return KlaviyoHook("klaviyo_test")

    return make


@pytest.fixture
def aurora(connect: Connect, sandbox: Sandbox) -> Connect:
    def make(password: str = KEY, **extra: str) -> KlaviyoHook:
        return connect(password, **{"api_host": f"{sandbox.url}/klaviyo", **extra})

    return make


def used(sandbox: Sandbox, group: str) -> int:
    told: int = sandbox.admin("/klaviyo/limits", method="GET")[group]["steady"]["used"]
    return told


def test_making_a_hook_touches_nothing() -> None:
    assert KlaviyoHook("no_such_connection").klaviyo_conn_id == "no_such_connection"
    assert KlaviyoHook().klaviyo_conn_id == "klaviyo_default"


def test_get_conn_reads_the_account(aurora: Connect) -> None:
    hook = aurora()
    api = hook.get_conn()
    assert isinstance(api, KlaviyoApi)
    assert api is hook.get_conn()
    assert api.account().name == "Aurora Outdoor"
    assert api.conversion_metric() == "RESQ6t"
    api.close()


def test_the_test_button_shows_the_account_and_spends_no_report(aurora: Connect, sandbox: Sandbox) -> None:
    works, message = aurora().test_connection()
    assert works
    assert message == (
        "Connected to Aurora Outdoor (account AuR0rA): time zone America/New_York, currency USD; "
        "conversions are the events of Placed Order (RESQ6t, Shopify)."
    )
    assert used(sandbox, REPORTS) == 0
    assert used(sandbox, "metrics") == 1


@pytest.mark.parametrize("scope", SCOPES)
def test_the_test_button_names_a_scope_that_is_missing(scope: str, aurora: Connect, sandbox: Sandbox) -> None:
    sandbox.admin("/klaviyo/key", {"scopes": [one for one in SCOPES if one != scope]})
    works, message = aurora().test_connection()
    assert not works
    assert message.startswith(
        f"The private key is good, but lacks {scope}. The scopes of a private key cannot be changed"
    )


def test_the_test_button_names_all_scopes_that_are_missing(aurora: Connect, sandbox: Sandbox) -> None:
    sandbox.admin("/klaviyo/key", {"scopes": ["accounts:read"]})
    works, message = aurora().test_connection()
    assert not works
    assert f"lacks {', '.join(SCOPES[1:])}. " in message


def test_a_key_that_is_not_good_is_told_without_showing_it(aurora: Connect, sandbox: Sandbox) -> None:
    works, message = aurora("pk_mistyped").test_connection()
    assert not works
    assert "401: Missing or invalid private key" in message
    assert "connection's password" in message
    sandbox.admin("/klaviyo/key", {"revoked": True})
    works, revoked = aurora().test_connection()
    assert not works
    assert not [text for text in (message, revoked) if "mistyped" in text or KEY in text]


def test_the_conversion_metric_can_be_chosen_and_must_exist(aurora: Connect) -> None:
    works, message = aurora(conversion_metric_id=" ViewPr ").test_connection()
    assert works
    assert "the events of Viewed Product (ViewPr, Shopify)" in message
    works, message = aurora(conversion_metric_id="Nobody").test_connection()
    assert not works
    assert "no metric Nobody" in message
    assert "field conversion_metric_id; there are: Active on Site (ActvSt, API), " in message


def test_too_much_is_told_quickly(aurora: Connect, sandbox: Sandbox) -> None:
    sandbox.admin("/klaviyo/limits/accounts/exhaust", {"window": "steady"})
    works, message = aurora().test_connection()
    assert not works
    assert "429: Request was throttled" in message
    assert "It asks to wait" in message


def test_an_empty_password_is_told(connect: Connect) -> None:
    works, message = connect(" ").test_connection()
    assert not works
    assert message == "Connection 'klaviyo_test' has no password; put in a private key of the account (pk_...)."


@pytest.mark.parametrize(
    ("extra", "url"),
    [
        ({}, "https://a.klaviyo.com"),
        ({"api_host": " a.example.com/ "}, "https://a.example.com"),
        ({"api_host": "http://127.0.0.1:8090/klaviyo"}, "http://127.0.0.1:8090/klaviyo"),
    ],
)
def test_the_host_is_klaviyos_unless_the_connection_names_another(
    extra: dict[str, str], url: str, connect: Connect
) -> None:
    assert connect(**extra).get_conn()._base_url == url


def test_reports_are_counted_for_all_tasks_together(aurora: Connect, sandbox: Sandbox, shared_warehouse: str) -> None:
    one, other = aurora().get_conn(), aurora().get_conn()
    sandbox.admin("/klaviyo/limits/reports/exhaust", {"window": "daily"})
    with pytest.raises(QuotaSpent, match=r"429: .*until 2026-11-2\d .*goes on where"):
        one.post("/api/campaign-values-reports", REPORT, budget=REPORTS)
    with psycopg.connect(shared_warehouse) as conn:
        [(account, uses)] = conn.execute("select account, cardinality(uses) from ops.vendor_quotas").fetchall()
    assert account.startswith("klaviyo/")
    assert KEY not in account
    assert uses == 1
    # Klaviyo would answer by now, but whoever comes next reads in the warehouse until when it said that it does not.
    sandbox.admin("/klaviyo/limits", method="DELETE")
    with pytest.raises(QuotaSpent, match=r"quota of reports is used up until 2026-11-2\d .*throttled.*goes on where"):
        other.post("/api/campaign-values-reports", REPORT, budget=REPORTS)
    assert used(sandbox, REPORTS) == 0


def test_airflows_logs_mask_the_key(connect: Connect) -> None:
    connect("pk_planted_0123").get_conn()
    shown = str(redact("pk_planted_0123 2026"))
    assert "planted" not in shown
    assert "2026" in shown


def test_the_form_shows_what_the_hook_reads() -> None:
    manager = ProvidersManager()
    manager.initialize_providers_hooks()
    behaviour = manager.field_behaviours["klaviyo"]
    assert behaviour["relabeling"] == {"password": "Private API key"}
    assert set(behaviour["hidden_fields"]) == {"host", "login", "port", "schema", "extra"}
    prefix = "extra__klaviyo__"
    assert {name for name in manager.connection_form_widgets if name.startswith(prefix)} == {
        f"{prefix}conversion_metric_id",
        f"{prefix}api_host",
    }
