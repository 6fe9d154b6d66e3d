"""What Airflow keeps of an erasure: who asked for it, and how many rows; never whose."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tributary.operators.personal import EndPersonalDataOperator, EraseCustomerOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

EMAIL, REASON = "ann@example.com", "Ticket 4711, by letter"


def run_of(user: str | None) -> Any:
    return {"run_id": "manual", "dag_run": SimpleNamespace(triggering_user_name=user)}


@pytest.fixture
def customer_key(connect: Callable[[], psycopg.Connection], warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of somebody with one order."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    with connect() as conn:
        conn.execute(
            "insert into raw.shopify_orders"
            " (merchant_id, record_id, event_at, updated_at, payload, payload_hash, sync_id)"
            " values ('aurora', '1', now(), now(), %s, '', gen_random_uuid())",
            (json.dumps({"email": EMAIL}),),
        )
        [(key,)] = conn.execute("select ops.customer_key('aurora', %s)", (f"email:{EMAIL}",)).fetchall()
    return str(key)


def operator(customer_key: str, is_dry_run: str = "False") -> EraseCustomerOperator:
    return EraseCustomerOperator(
        task_id="erase", merchant_id="aurora", customer_key=customer_key, reason=f" {REASON}", is_dry_run=is_dry_run
    )


def emails(connect: Callable[[], psycopg.Connection]) -> list[str]:
    with connect() as conn:
        return [email for (email,) in conn.execute("select payload ->> 'email' from raw.shopify_orders").fetchall()]


def test_airflow_learns_numbers_alone(
    connect: Callable[[], psycopg.Connection], customer_key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert operator(customer_key, "True").execute(run_of("ann")) == {"raw.shopify_orders": 1}
    assert emails(connect) == [EMAIL]
    assert operator(customer_key).execute(run_of("ann")) == {"raw.shopify_orders": 1}
    assert emails(connect) != [EMAIL]
    assert operator(customer_key).execute(run_of("ann")) == {}

    told = "".join(capsys.readouterr())
    assert "1 rows of raw.shopify_orders" in told
    with connect() as conn:
        audited = conn.execute("select asked_by, reason, outcome, new_key from audit.erasures").fetchall()
    assert {(user, reason) for user, reason, _, _ in audited} == {("ann", REASON)}
    for secret in (EMAIL, customer_key, *filter(None, (new_key for *_, new_key in audited))):
        assert secret not in told


@pytest.mark.parametrize(("user", "key", "said"), [(None, None, "by a person"), ("ann", "0" * 64, "nobody of this")])
def test_nobody_is_erased_by_a_schedule_or_by_mistake(
    connect: Callable[[], psycopg.Connection], customer_key: str, user: str | None, key: str | None, said: str
) -> None:
    with pytest.raises(AirflowFailException, match=said):
        operator(key or customer_key).execute(run_of(user))
    assert emails(connect) == [EMAIL]


def test_the_night_ends_what_a_merchant_keeps_no_longer(
    connect: Callable[[], psycopg.Connection], customer_key: str
) -> None:
    with connect() as conn:
        conn.execute(
            "insert into ops.merchants (merchant_id, name, time_zone, currency, revenue_includes_tax, history_start,"
            " personal_data_days) values ('aurora', 'Aurora', 'UTC', 'USD', false, '2026-01-01', 30)"
        )
        conn.execute("update raw.shopify_orders set event_at = event_at - interval '31 days'")

    assert EndPersonalDataOperator(task_id="end", schema="build").execute(run_of(None)) == {"raw.shopify_orders": 1}

    assert emails(connect) == [f"masked:{customer_key}"]
