"""What the contract on raw exchange rates notices."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.channels.contracts import objections
from tests.channels.fx_road import Quoted, Road, days
from tests.channels.shopify_sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

DATE, AGE = "Every record stands under its date", "No rates are older than five days"
RATES = "Every rate is a positive number for one of the base"


@pytest.fixture(scope="module")
def landed(shared_warehouse: str) -> str:
    """Aurora's rates up to tomorrow by this machine's clock: the contract looks at the last days."""
    now = datetime.now(UTC)
    first = now - timedelta(days=20)
    bank = Quoted({day: {"USD": "1.0873", "CAD": "1.4963"} for day in days(first.date(), now.date())}, now)
    road = Road("aurora", Sandbox(""), lambda: psycopg.connect(shared_warehouse), lambda: bank, start=first)
    road.sync("rates", now=now)
    return shared_warehouse


@pytest.fixture
def conn(landed: str) -> Iterator[psycopg.Connection]:
    """What a test does to it is undone."""
    with psycopg.connect(landed) as conn:
        yield conn
        conn.rollback()


def test_what_is_published_passes(conn: psycopg.Connection) -> None:
    assert conn.execute("select count(*) from raw.fx_rates").fetchone() == (22,)
    assert objections(conn, "fx_rates") == []


def says(name: str, value: object) -> str:
    return f"payload = jsonb_set(payload, '{{{name}}}', '{json.dumps(value)}')"


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        (DATE, says("date", "2026-01-01")),
        (DATE, "event_at = event_at + interval '1 hour'"),
        (AGE, says("quoted_on", "2026-01-01")),
        (AGE, says("quoted_on", "2050-01-01")),
        (AGE, "payload = payload - 'quoted_on'"),
        (RATES, "payload = payload - 'base'"),
        (RATES, "payload = payload - 'rates'"),
        (RATES, says("rates", {})),
        (RATES, says("rates", {"USD": "0.00"})),
        (RATES, says("rates", {"USD": "-1"})),
        (RATES, says("rates", {"USD": "1", "EUR": "1"})),
        ("No day lies ahead", "event_at = now() + interval '3 days'"),
    ],
)
def test_what_it_is_for(conn: psycopg.Connection, check: str, damage: str) -> None:
    conn.execute(f"update raw.fx_rates set {damage}".encode())
    assert ("failed", check) in objections(conn, "fx_rates")
