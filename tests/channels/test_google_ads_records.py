"""A row becomes a record to the millionth, or a dead letter that says why."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from google.ads.googleads.v26.services.types.google_ads_service import GoogleAdsRow
from hypothesis import given
from hypothesis import strategies as st

from tributary.channels.google_ads.api import _json
from tributary.channels.google_ads.queries import campaign_days, fields
from tributary.channels.google_ads.streams import CAMPAIGN_DAYS

ACCOUNT = {"id": "1110000001", "name": "Aurora Search", "currency": "USD", "time_zone": "America/New_York"}
ROW: dict[str, Any] = {
    "campaign": {"resourceName": "customers/1110000001/campaigns/5", "id": "5", "name": "five", "status": "ENABLED"},
    "segments": {"date": "2026-11-19"},
    "metrics": {
        "costMicros": "1234567",
        "impressions": "10",
        "clicks": "2",
        "conversions": 0.5,
        "conversionsValue": 12.34,
    },
}


def replayed(row: dict[str, Any]) -> Any:
    return CAMPAIGN_DAYS.replay(None, json.dumps({"account": ACCOUNT, "row": row}).encode())


def test_a_row_is_known_by_its_day_account_and_campaign() -> None:
    [record] = replayed(ROW).records
    assert record.record_id == "2026-11-19/1110000001/5"


BROKEN: dict[str, tuple[str, dict[str, Any], str]] = {
    "no cost": ("metrics", {"costMicros": None}, r"costMicros"),
    "cost in words": ("metrics", {"costMicros": "1.5"}, r"metrics.costMicros"),
    "clicks below zero": ("metrics", {"clicks": "-1"}, r"metrics.clicks"),
    "an endless value": ("metrics", {"conversionsValue": "Infinity"}, r"conversionsValue"),
    "a value beyond counting": ("metrics", {"conversionsValue": 1e300}, r"conversionsValue"),
    "no name": ("campaign", {"name": None}, r"name"),
    "a name that no database takes": ("campaign", {"name": "a\x00b"}, "NUL character"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_is_a_dead_letter_under_its_id(name: str) -> None:
    part, other, told = BROKEN[name]
    changed = {key: value for key, value in (ROW[part] | other).items() if value is not None}
    page = replayed(ROW | {part: changed})
    assert page.records == []
    [reject] = page.rejects
    assert reject.record_id == "2026-11-19/1110000001/5"
    assert told in reject.reason


@pytest.mark.parametrize("name", ["costMicros", "impressions", "clicks", "conversions", "conversionsValue"])
def test_what_is_unknown_is_not_zero(name: str) -> None:
    page = replayed(ROW | {"metrics": {key: value for key, value in ROW["metrics"].items() if key != name}})
    assert (len(page.records), name in page.rejects[0].reason) == (0, True)


def test_a_row_without_an_id_is_kept_all_the_same() -> None:
    [reject] = replayed(ROW | {"campaign": {"name": "nobody"}}).rejects
    assert (reject.record_id, "id" in reject.reason) == (None, True)


@given(
    cost=st.integers(-(10**18) + 1, 10**18 - 1),
    count=st.integers(0, 10**18 - 1),
    fraction=st.floats(-1e14, 1e14),
    name=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
)
def test_google_s_message_is_kept_to_the_last_digit(cost: int, count: int, fraction: float, name: str) -> None:
    row = GoogleAdsRow(
        campaign={"id": 5, "name": name},
        segments={"date": "2026-11-19"},
        metrics={
            "cost_micros": cost,
            "impressions": count,
            "clicks": 0,
            "conversions": fraction,
            "conversions_value": 0.0,
        },
    )
    told = json.loads(_json(GoogleAdsRow.pb(row)))
    metrics = told["metrics"]
    assert (metrics["costMicros"], metrics["impressions"], metrics["clicks"]) == (f"{cost}", f"{count}", "0")
    assert (metrics["conversions"], metrics["conversionsValue"]) == (fraction, 0)
    assert told["campaign"]["name"] == name
    page = replayed(told)
    assert (len(page.records), len(page.rejects)) == (1, 0)


def test_a_query_knows_its_fields() -> None:
    query = campaign_days(date(2026, 11, 1), date(2026, 11, 2))
    assert "BETWEEN '2026-11-01' AND '2026-11-02' ORDER BY segments.date, campaign.id" in query
    assert {"segments.date", "metrics.conversions_value", "customer.time_zone"} <= fields(query)
    assert len(fields(query)) == 14
