"""What lands and what does not: broken rows with their reason, their replay, and what the contract says of the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.channels.contracts import objections
from tests.channels.meta_ads_road import CANADA, NOW, STREAM, US
from tributary.channels.meta_ads.streams import CAMPAIGN_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.channels.meta_ads_road import Road

ACCOUNT = {"id": US, "name": "Aurora US", "currency": "USD", "time_zone": "America/New_York"}
ROW: dict[str, Any] = {
    "campaign_id": "120210000000000101",
    "campaign_name": "fall",
    "objective": "OUTCOME_SALES",
    "account_currency": "USD",
    "spend": "12.34",
    "impressions": "1000",
    "clicks": "10",
    "date_start": "2026-11-03",
    "date_stop": "2026-11-03",
}
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "an amount in words": ({"spend": "a lot"}, "Expected `str` matching regex"),
    "no amount": ({"spend": None}, "Expected `str`, got `null` - at `$.row.spend`"),
    "a number that is none": ({"impressions": "1.5"}, "`$.row.impressions`"),
    "more than a day": ({"date_stop": "2026-11-04"}, "The row is of 2026-11-03 to 2026-11-04, not of one day"),
    "purchases without a number": ({"actions": [{"action_type": "omni_purchase", "value": "?"}]}, "matching regex"),
    "value without an amount": ({"action_values": [{"action_type": "purchase"}]}, "Expected `str`, got `null`"),
}
SOUND: dict[str, dict[str, Any]] = {
    "no actions": {},
    "actions that count for nothing": {"actions": [{"action_type": "link_click"}]},
    "a credit": {"spend": "-3.5"},
    "nothing spent": {"spend": "0"},
    "something new": {"reach": {"x": 1}},
}


def payload(**other: Any) -> bytes:
    return msgspec.json.encode({"account": ACCOUNT, "row": ROW | other})


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_is_rejected_under_its_id_with_the_reason(name: str) -> None:
    other, reason = BROKEN[name]
    page = CAMPAIGN_DAYS.replay(None, payload(**other))
    [reject] = page.rejects
    assert (page.records, reject.record_id) == ([], f"2026-11-03/{US}/120210000000000101")
    assert reason in reject.reason
    assert reject.payload == payload(**other)


@pytest.mark.parametrize("name", SOUND)
def test_a_row_with_more_or_less_than_usual_lands(name: str) -> None:
    [record] = CAMPAIGN_DAYS.replay(None, payload(**SOUND[name])).records
    assert record.record_id == f"2026-11-03/{US}/120210000000000101"
    assert record.event_at == record.updated_at == datetime(2026, 11, 3, 12, tzinfo=UTC)


@given(st.decimals(-(10**11), 10**11, places=2), st.integers(0, 10**17), st.integers(0, 10**17))
def test_any_figures_land_as_they_are(spend: object, impressions: int, clicks: int) -> None:
    sent = payload(spend=str(spend), impressions=str(impressions), clicks=str(clicks))
    [record] = CAMPAIGN_DAYS.replay(None, sent).records
    assert record.payload == sent


def test_a_broken_row_among_others_is_kept_as_it_came_and_lands_when_it_is_whole(meta_road: Road) -> None:
    meta_road.fault("substituted", "/v26.0/*/insights", skip=1, find='"spend":"', put='"spend":"\\ud800')
    report = meta_road.sync()
    [(record_id, reason, kept)] = meta_road.letters(STREAM)
    assert report.counts.rejected == 1
    assert "surrogate" in reason
    assert b"\\ud800" in kept
    truth = meta_road.truth()
    assert meta_road.held() == {key: day for key, day in truth.items() if key != record_id}
    assert record_id in truth
    meta_road.reread(STREAM, meta_road.start, NOW)
    assert meta_road.letters(STREAM) == []
    assert meta_road.held() == truth


NOON = datetime.combine(datetime.now(UTC).date() - timedelta(days=5), time(12), UTC)
ON = NOON.date()


@pytest.fixture
def warehouse(shared_warehouse: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared_warehouse) as conn:
        conn.execute("truncate raw.meta_ads_campaign_days")
        yield conn


def land(conn: psycopg.Connection, record_id: str, content: dict[str, Any], at: datetime = NOON) -> None:
    conn.execute(
        """
        insert into raw.meta_ads_campaign_days
            (merchant_id, record_id, event_at, updated_at, payload, payload_hash, api_version, sync_id)
        values ('aurora', %s, %s, %s, %s, decode('00', 'hex'), 'v26.0', gen_random_uuid())
        """,
        (record_id, at, at, Jsonb({"account": ACCOUNT} | content)),
    )
    conn.commit()


def row(on: object = ON, **other: Any) -> dict[str, Any]:
    return {"row": ROW | {"date_start": str(on), "date_stop": str(on)} | other}


def test_sound_days_pass_the_contract(warehouse: psycopg.Connection) -> None:
    land(warehouse, f"{ON}/{US}", {"date": f"{ON}"})
    land(warehouse, f"{ON}/{US}/120210000000000101", row())
    assert objections(warehouse, "meta_ads_campaign_days") == []


LATER = timedelta(days=9)
OBJECTIONABLE: dict[str, tuple[str, dict[str, Any], timedelta, str]] = {
    "another day": (f"2026-01-01/{US}/120210000000000101", row(), timedelta(), "failed"),
    "another account": (f"{ON}/{CANADA}/120210000000000101", row(), timedelta(), "failed"),
    "another campaign": (f"{ON}/{US}/1", row(), timedelta(), "failed"),
    "another time": (f"{ON}/{US}/120210000000000101", row(), timedelta(hours=1), "failed"),
    "neither": (f"{ON}/{US}", {}, timedelta(), "failed"),
    "future": (f"{ON + LATER}/{US}", {"date": f"{ON + LATER}"}, LATER, "failed"),
    "currency": (f"{ON}/{US}/120210000000000101", row(account_currency="EUR"), timedelta(), "failed"),
    "account": (f"{ON}/{US}", {"date": f"{ON}", "account": ACCOUNT | {"currency": ""}}, timedelta(), "failed"),
    "spend": (f"{ON}/{US}/120210000000000101", row(spend="-0.01"), timedelta(), "warned"),
    "name": (f"{ON}/{US}/120210000000000101", row(campaign_name=" "), timedelta(), "warned"),
}


@pytest.mark.parametrize("name", OBJECTIONABLE)
def test_what_should_not_be_there_is_objected_to(name: str, warehouse: psycopg.Connection) -> None:
    record_id, content, later, outcome = OBJECTIONABLE[name]
    land(warehouse, record_id, json.loads(json.dumps(content)), NOON + later)
    [(found, _)] = objections(warehouse, "meta_ads_campaign_days")
    assert found == outcome
