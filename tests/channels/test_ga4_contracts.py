"""What the contracts say of days that the channel read: nothing stands in the way, and what is left out is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.channels.contracts import objections
from tests.channels.ga4_road import STREAMS
from tributary.channels.ga4.records import report_payload, row_payload

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime.combine(datetime.now(UTC).date() - timedelta(days=5), time(12), UTC)
ON = NOON.date()
TOLD: dict[str, Any] = {"currencyCode": "USD", "timeZone": "America/New_York"}


@pytest.fixture
def warehouse(shared_warehouse: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared_warehouse) as conn:
        for stream in STREAMS:
            conn.execute(f"truncate raw.ga4_{stream}".encode())
        yield conn


def land(conn: psycopg.Connection, stream: str, record_id: str, payload: bytes, at: datetime = NOON) -> None:
    conn.execute(
        f"""
        insert into raw.ga4_{stream}
            (merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, sync_id)
        values ('aurora', %s, %s, %s, %s, decode('00', 'hex'), 'v1beta', gen_random_uuid())
        """.encode(),
        (record_id, at, at, Jsonb(json.loads(payload))),
    )


def found(conn: psycopg.Connection, stream: str) -> dict[str, str]:
    """The checks that did not pass, by their qualifiers."""
    return {check: outcome for outcome, check in objections(conn, f"ga4_{stream}")}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_sound_day_passes(stream: str, warehouse: psycopg.Connection) -> None:
    land(warehouse, stream, f"{ON}", report_payload(ON, 1, TOLD))
    land(warehouse, stream, f"{ON}/x", row_payload(f"{ON:%Y%m%d}", {"sessions": "10", "sessionSource": "google"}))
    warehouse.commit()
    assert found(warehouse, stream) == {}


FLAGS = {
    "subjectToThresholding": True,
    "dataLossFromOtherRow": True,
    "samplingMetadatas": [{"samplesReadCount": "1", "samplingSpaceSize": "2"}],
    "schemaRestrictionResponse": {"activeMetricRestrictions": [{"metricName": "purchaseRevenue"}]},
}


@pytest.mark.parametrize("flag", FLAGS)
def test_what_a_report_leaves_out_warns(flag: str, warehouse: psycopg.Connection) -> None:
    land(warehouse, "sessions", f"{ON}", report_payload(ON, 1, {**TOLD, flag: FLAGS[flag]}))
    warehouse.commit()
    assert list(found(warehouse, "sessions").values()) == ["warned"]


@pytest.mark.parametrize(("lacking", "expected"), [("1", []), ("2", ["warned"])])
def test_more_than_a_tenth_without_a_source_warns(
    lacking: str, expected: list[str], warehouse: psycopg.Connection
) -> None:
    on = f"{ON:%Y%m%d}"
    land(warehouse, "sessions", f"{ON}/a", row_payload(on, {"sessions": "9", "sessionSource": "google"}))
    land(warehouse, "sessions", f"{ON}/b", row_payload(on, {"sessions": lacking, "sessionSource": "(not set)"}))
    warehouse.commit()
    assert list(found(warehouse, "sessions").values()) == expected


WRONG = {
    "a future day": (str(NOON.date() + timedelta(days=9)), timedelta(days=9), TOLD),
    "another day than its id": ("2026-01-01", timedelta(0), TOLD),
    "another time than noon": (str(ON), timedelta(hours=1), TOLD),
    "no currency": (str(ON), timedelta(0), {"timeZone": "America/New_York"}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_channel_never_writes_fails(name: str, warehouse: psycopg.Connection) -> None:
    record_id, later, metadata = WRONG[name]
    at = NOON + later
    payload = report_payload(at.date(), 0, metadata)
    land(warehouse, "days", record_id, payload, at)
    warehouse.commit()
    assert list(found(warehouse, "days").values()) == ["failed"]
