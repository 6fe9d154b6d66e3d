"""The hook: what a connection must say, and what its Test says of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.ga4.keyfile import new_keyfile
from tests.channels.ga4_road import PROPERTY, REPORT, Road, keyfile, trusted_key
from tributary.channels.ga4.hook import Ga4Hook
from tributary.channels.ga4.reports import SESSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.channels.shopify_sandbox import Sandbox

COMPATIBILITY = f"/v1beta/properties/{PROPERTY}:checkCompatibility"


@pytest.fixture
def aurora(
    google: Sandbox, ga4_road: Road, shared_warehouse: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ga4Hook]:
    """A hook over aurora's connection, which lives in the environment."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", shared_warehouse)

    def make(password: str | None = None, **extra: Any) -> Ga4Hook:
        password = keyfile(google) if password is None else password
        fields = {"property_id": PROPERTY, "api_host": google.url} | extra
        connection = {"conn_type": "ga4", "password": password, "extra": fields}
        monkeypatch.setenv("AIRFLOW_CONN_GA4_TEST", json.dumps(connection))
        return Ga4Hook("ga4_test")

    return make


@pytest.fixture(autouse=True)
def _open_again(ga4_road: Road) -> None:
    """Quotas that a test closed belong to the property, not to the test."""
    ga4_road.query("with gone as (delete from ops.vendor_quotas returning 1) select 1")


def test_making_a_hook_touches_nothing() -> None:
    assert Ga4Hook("no_such_connection").ga4_conn_id == "no_such_connection"
    assert Ga4Hook().ga4_conn_id == "ga4_default"


def test_channels_are_known_without_googles_client() -> None:
    """Every task imports the list of channels."""
    code = "import sys, tributary.channels; sys.exit('grpc' in sys.modules or 'google.auth' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "plugins"}, check=False).returncode == 0


def test_a_connection_that_works_says_what_it_reaches(aurora: Callable[..., Ga4Hook]) -> None:
    works, message = aurora().test_connection()
    assert works, message
    for part in (f"property {PROPERTY}", "America/New_York", "currency USD", "tokens an hour", "tokens a day"):
        assert part in message


def test_a_trial_makes_one_report_and_asks_about_the_others(aurora: Callable[..., Ga4Hook], ga4_road: Road) -> None:
    before = ga4_road.quota()["reports"]
    aurora().test_connection()
    assert ga4_road.quota()["reports"] == before + 1


def test_get_conn_reads_the_property_and_tells_everybody_that_its_tokens_end(
    aurora: Callable[..., Ga4Hook], ga4_road: Road
) -> None:
    hook = aurora()
    assert hook.get_conn() is hook.get_conn()
    ga4_road.quota(hour=12)
    hook.get_conn().report(SESSIONS, ga4_road.start.date())
    assert ga4_road.query("select account, quota from ops.vendor_quotas") == [(f"ga4/properties/{PROPERTY}", "tokens")]
    works, message = aurora().test_connection()
    assert not works
    assert "tokens an hour" in message
    assert ga4_road.quota()["refused"] == 0


FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "no key": ({"password": ""}, "has no password; put in the service account's key file"),
    "no JSON": ({"password": "-----BEGIN PRIVATE KEY-----"}, "The password of connection 'ga4_test' is no JSON"),
    "another file": ({"password": '{"type": "authorized_user"}'}, "is not the key file of a service account"),
    "half a file": (
        {"password": '{"type": "service_account", "token_uri": "x"}'},
        "lacks client_email and private_key",
    ),
    "no property": ({"property_id": ""}, "has no extra field property_id"),
    "measurement id": ({"property_id": "G-12AB"}, "'G-12AB'; put in the property's number"),
    "transport": ({"transport": "soap"}, "transport is 'soap'; put in rest or grpc"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_wrong_is_named(name: str, aurora: Callable[..., Ga4Hook]) -> None:
    fields, told = FIELDS[name]
    works, message = aurora(**fields).test_connection()
    assert (works, told in message) == (False, True), message
    assert "BEGIN" not in message


def test_a_key_that_cannot_be_read_is_not_quoted(aurora: Callable[..., Ga4Hook], google: Sandbox) -> None:
    broken = json.loads(trusted_key())["private_key"].replace("M", "N")
    works, message = aurora(password=keyfile(google, private_key=broken)).test_connection()
    assert (works, "holds a private_key that cannot be read" in message) == (False, True), message
    assert broken[60:80] not in message


def test_a_key_that_google_does_not_know(aurora: Callable[..., Ga4Hook], google: Sandbox) -> None:
    other = json.loads(new_keyfile(f"{google.url}/google/token"))
    works, message = aurora(password=json.dumps(other)).test_connection()
    assert (works, "Invalid JWT Signature" in message) == (False, True), message
    assert "Create a new key" in message


def test_a_property_that_the_account_may_not_read(aurora: Callable[..., Ga4Hook]) -> None:
    works, message = aurora(property_id="999").test_connection()
    assert not works
    assert "give tributary@sandbox.iam.example the role Viewer for property 999" in message


def test_fields_that_do_not_go_together_are_named(aurora: Callable[..., Ga4Hook], ga4_road: Road) -> None:
    message = "Please remove advertiserAdCost to make the request compatible."
    body = {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": message}}
    ga4_road.fault("http_5xx", COMPATIBILITY, skip=4, status=400, body=body)
    works, told = aurora().test_connection()
    assert not works
    assert "The report ad_cost cannot be asked for" in told
    assert message in told
    assert "sessions" not in told


def test_fields_that_are_marked_are_named(aurora: Callable[..., Ga4Hook], ga4_road: Road) -> None:
    marked = {"metricCompatibilities": {"*": {"compatibility": "INCOMPATIBLE"}}}
    ga4_road.fault("merged", COMPATIBILITY, skip=2, merge=marked)
    works, told = aurora().test_connection()
    assert not works
    assert "The report funnel_events cannot be asked for: Google Analytics says that eventCount, totalUsers do" in told


def test_a_role_that_hides_cost_is_told(aurora: Callable[..., Ga4Hook], ga4_road: Road) -> None:
    hidden = {"activeMetricRestrictions": [{"metricName": "advertiserAdCost", "restrictedMetricTypes": ["COST_DATA"]}]}
    ga4_road.fault("merged", REPORT, merge={"metadata": {"schemaRestrictionResponse": hidden}})
    works, told = aurora().test_connection()
    assert works
    assert "hides metrics of cost or revenue" in told


def test_a_warehouse_that_does_not_answer_is_told(
    aurora: Callable[..., Ga4Hook], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = aurora()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgresql://nobody@127.0.0.1:9/none")
    works, told = hook.test_connection()
    assert (works, "The warehouse does not answer" in told) == (False, True), told
