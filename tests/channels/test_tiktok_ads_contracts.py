"""What the contracts say of days that the channel read: nothing stands in the way, and what is wrong is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.channels.contracts import objections
from tests.channels.tiktok_ads_road import ACCOUNT, row

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime.combine(datetime.now(UTC).date() - timedelta(days=5), time(12), UTC)
ON = str(NOON.date())
TOLD = {"id": ACCOUNT, "name": "Aurora TikTok", "currency": "USD", "time_zone": "America/New_York"}
STREAMS = ("campaign_days", "gmv_max_days")
CAMPAIGN = {"account": TOLD, "row": row("7", ON)}
GMV_MAX = {
    "account": TOLD,
    "row": {
        "dimensions": {"campaign_id": "7", "stat_time_day": f"{ON} 00:00:00"},
        "metrics": {"campaign_name": "GMV Max", "cost": "20.00", "orders": "2", "gross_revenue": "90.00"},
    },
}


@pytest.fixture
def warehouse(shared_warehouse: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared_warehouse) as conn:
        for stream in STREAMS:
            conn.execute(f"truncate raw.tiktok_ads_{stream}".encode())
        yield conn


def land(
    conn: psycopg.Connection, stream: str, payload: Any, record_id: str = f"{ON}/{ACCOUNT}/7", at: datetime = NOON
) -> None:
    conn.execute(
        f"""
        insert into raw.tiktok_ads_{stream}
            (merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, sync_id)
        values ('aurora', %s, %s, %s, %s, decode('00', 'hex'), 'v1.3', gen_random_uuid())
        """.encode(),
        (record_id, at, at, Jsonb(payload)),
    )
    conn.commit()


def found(conn: psycopg.Connection, stream: str) -> list[str]:
    return [outcome for outcome, _ in objections(conn, f"tiktok_ads_{stream}")]


def but(payload: dict[str, Any], **metrics: str) -> dict[str, Any]:
    """The same with other figures."""
    other: dict[str, Any] = json.loads(json.dumps(payload))
    other["row"]["metrics"] |= metrics
    return other


@pytest.mark.parametrize(("stream", "payload"), zip(STREAMS, (CAMPAIGN, GMV_MAX), strict=True), ids=STREAMS)
def test_a_sound_day_passes(stream: str, payload: Any, warehouse: psycopg.Connection) -> None:
    land(warehouse, stream, {"account": TOLD, "date": ON}, f"{ON}/{ACCOUNT}")
    land(warehouse, stream, payload)
    assert found(warehouse, stream) == []


ODD = [
    ("campaign_days", but(CAMPAIGN, spend="-")),
    ("campaign_days", but(CAMPAIGN, campaign_name="-")),
    ("gmv_max_days", but(GMV_MAX, cost="-")),
    ("gmv_max_days", but(GMV_MAX, campaign_name="")),
]


@pytest.mark.parametrize(("stream", "payload"), ODD)
def test_a_row_that_is_odd_warns(stream: str, payload: Any, warehouse: psycopg.Connection) -> None:
    land(warehouse, stream, payload)
    assert found(warehouse, stream) == ["warned"]


WRONG: dict[str, tuple[Any, dict[str, Any]]] = {
    "another day than its id": (CAMPAIGN, {"record_id": f"2026-01-01/{ACCOUNT}/7"}),
    "another campaign than its id": (CAMPAIGN, {"record_id": f"{ON}/{ACCOUNT}/8"}),
    "another time than noon": (CAMPAIGN, {"at": NOON + timedelta(hours=1)}),
    "neither row nor date": ({"account": TOLD}, {"record_id": ACCOUNT}),
    "no currency": ({**CAMPAIGN, "account": {**TOLD, "currency": ""}}, {}),
    "no time zone": ({**CAMPAIGN, "account": {**TOLD, "time_zone": None}}, {}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_channel_never_writes_fails(name: str, warehouse: psycopg.Connection) -> None:
    payload, how = WRONG[name]
    land(warehouse, "campaign_days", payload, **how)
    assert found(warehouse, "campaign_days") == ["failed"]


def test_a_day_that_has_not_begun_fails(warehouse: psycopg.Connection) -> None:
    later = NOON + timedelta(days=9)
    on = str(later.date())
    land(warehouse, "gmv_max_days", {"account": TOLD, "date": on}, f"{on}/{ACCOUNT}", later)
    assert found(warehouse, "gmv_max_days") == ["failed"]
