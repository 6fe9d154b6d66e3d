"""What the contract says of days that the channel read, and of what it never writes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.channels.contracts import objections
from tests.channels.test_google_ads_records import ACCOUNT, ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime.combine(datetime.now(UTC).date() - timedelta(days=5), time(12), UTC)
ON = f"{NOON.date()}"
DAY = {"account": ACCOUNT, "date": ON}
CUSTOMER = {"id": "1110000001", "currencyCode": "USD"}
CAMPAIGN = {"account": ACCOUNT, "row": ROW | {"segments": {"date": ON}, "customer": CUSTOMER}}


@pytest.fixture
def warehouse(shared_warehouse: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared_warehouse) as conn:
        conn.execute("truncate raw.google_ads_campaign_days")
        yield conn


def found(conn: psycopg.Connection, record_id: str, payload: dict[str, Any], at: datetime = NOON) -> list[str]:
    """How the checks of one row ended that did not pass."""
    conn.execute(
        """
        insert into raw.google_ads_campaign_days
            (merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, sync_id)
        values ('aurora', %s, %s, %s, %s, decode('00', 'hex'), 'v26', gen_random_uuid())
        """,
        (record_id, at, at, Jsonb(json.loads(json.dumps(payload)))),
    )
    conn.commit()
    return [f"{outcome} {check}" for outcome, check in objections(conn, "google_ads_campaign_days")]


@pytest.mark.parametrize(("record_id", "payload"), [(f"{ON}/1110000001", DAY), (f"{ON}/1110000001/5", CAMPAIGN)])
def test_a_sound_day_passes(record_id: str, payload: dict[str, Any], warehouse: psycopg.Connection) -> None:
    assert found(warehouse, record_id, payload) == []


EUROS = CAMPAIGN | {"account": ACCOUNT | {"currency": "EUR"}}
WRONG: dict[str, tuple[str, dict[str, Any], timedelta, str]] = {
    "another campaign": (f"{ON}/1110000001/6", CAMPAIGN, timedelta(0), "in its id"),
    "another account": (f"{ON}/1110000002", DAY, timedelta(0), "in its id"),
    "another time than noon": (f"{ON}/1110000001", DAY, timedelta(hours=1), "in its id"),
    "neither row nor date": (f"{ON}/1110000001", {"account": ACCOUNT}, timedelta(0), "in its id"),
    "no currency": (
        f"{ON}/1110000001",
        DAY | {"account": ACCOUNT | {"currency": ""}},
        timedelta(0),
        "a currency and a time zone",
    ),
    "no time zone": (
        f"{ON}/1110000001",
        DAY | {"account": {**ACCOUNT, "time_zone": ""}},
        timedelta(0),
        "a currency and a time zone",
    ),
    "another currency": (f"{ON}/1110000001/5", EUROS, timedelta(0), "its account's currency"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_channel_never_writes_fails(name: str, warehouse: psycopg.Connection) -> None:
    record_id, payload, later, check = WRONG[name]
    [told] = found(warehouse, record_id, payload, NOON + later)
    assert (told.split()[0], check in told) == ("failed", True), told


def test_a_day_that_has_begun_nowhere_fails(warehouse: psycopg.Connection) -> None:
    ahead = datetime.combine(datetime.now(UTC).date() + timedelta(days=3), time(12), UTC)
    [told] = found(warehouse, f"{ahead.date()}/1110000001", DAY | {"date": f"{ahead.date()}"}, ahead)
    assert (told.split()[0], "ahead of the whole world" in told) == ("failed", True), told
