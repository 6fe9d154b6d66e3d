"""Google's own client for Google Ads reads the sandbox over gRPC, REST tells the same, and both tell the truth."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.ads.googleads.v26.errors.types import QueryErrorEnum
from hypothesis import given
from hypothesis import strategies as st

from sandbox.google_ads.query import read
from sandbox.google_ads.refusals import Refused
from tests.sandbox.conftest import NOW
from tests.sandbox.google_ads_reader import AURORA, MANAGER, NORDLICHT, Reader, google_ads

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, LAST = date(2026, 11, 9), date(2026, 11, 15)
FIELDS = (
    "campaign.id, campaign.name, campaign.status, campaign.advertising_channel_type, customer.id,"
    " customer.descriptive_name, customer.currency_code, customer.time_zone, segments.date, metrics.cost_micros,"
    " metrics.impressions, metrics.clicks, metrics.conversions, metrics.conversions_value"
)
WEEK = f"segments.date BETWEEN '{FIRST}' AND '{LAST}'"
REPORT = f"SELECT {FIELDS} FROM campaign WHERE {WEEK} ORDER BY segments.date, campaign.id"


@pytest.fixture(scope="module")
def aurora() -> Iterator[Reader]:
    """A week of both merchants; nobody changes it but for the size of pages."""
    with google_ads(seed=7, first_day=FIRST, frozen_at=NOW) as reader:
        yield reader


@pytest.fixture(scope="module")
def nordlicht(aurora: Reader) -> Reader:
    return replace(aurora, merchant="nordlicht", customer=NORDLICHT, login=None, token="")


@pytest.fixture
def fresh() -> Iterator[Reader]:
    """A small world that the test may change."""
    with google_ads(seed=7, first_day=LAST - timedelta(days=3), frozen_at=NOW) as reader:
        yield reader


def truth(reader: Reader) -> list[tuple[Any, ...]]:
    told = reader.client.admin("GET", f"/shops/{reader.merchant}/ads/truth?account={reader.customer}")
    return [
        (
            one["day"], one["campaign"], one["name"], one["type"], one["currency"], one["time_zone"],
            Decimal(one["spend"]), one["impressions"], one["clicks"],
            Decimal(one["conversions"]), Decimal(one["value"]),
        )
        for one in told
    ]  # fmt: skip


def as_truth(row: dict[str, Any]) -> tuple[Any, ...]:
    campaign, customer, metrics = row["campaign"], row["customer"], row["metrics"]
    return (
        row["segments"]["date"], campaign["id"], campaign["name"], campaign["advertisingChannelType"],
        customer["currencyCode"], customer["timeZone"], Decimal(metrics["costMicros"]).scaleb(-6),
        int(metrics["impressions"]), int(metrics["clicks"]),
        Decimal(str(metrics["conversions"])), Decimal(str(metrics["conversionsValue"])),
    )  # fmt: skip


def test_every_road_tells_the_truth_of_each_campaigns_days(aurora: Reader, nordlicht: Reader) -> None:
    for reader in (aurora, nordlicht):
        rows = reader.rest_rows(REPORT)
        assert [as_truth(row) for row in rows] == truth(reader) != []
        assert rows == reader.grpc_rows(REPORT) == reader.grpc_rows(REPORT, streamed=True)
        [batch] = reader.rest("searchStream", {"query": REPORT}).json()
        assert batch["results"] == rows
        assert batch["fieldMask"].startswith("campaign.id,campaign.name,campaign.status,campaign.advertisingChannel")


def test_numbers_are_written_as_google_writes_them(aurora: Reader) -> None:
    [row] = aurora.rest_rows(f"SELECT {FIELDS} FROM campaign WHERE {WEEK} LIMIT 1")
    metrics = row["metrics"]
    assert {name: type(value) for name, value in metrics.items()} == {
        "costMicros": str, "impressions": str, "clicks": str, "conversions": float, "conversionsValue": float,
    }  # fmt: skip
    assert (row["campaign"]["id"].isdecimal(), row["customer"]["id"]) == (True, AURORA)
    assert row["campaign"]["resourceName"] == f"customers/{AURORA}/campaigns/{row['campaign']['id']}"


def test_a_removed_campaign_is_told_with_its_days_and_a_forgotten_one_is_not(fresh: Reader) -> None:
    fresh.client.admin("POST", "/shops/aurora/ads/campaigns/20110000101/delete", {"forget": False})
    fresh.client.admin("POST", "/shops/aurora/ads/campaigns/20110000102/delete", {"forget": True})
    statuses = {row["campaign"]["id"]: row["campaign"]["status"] for row in fresh.rest_rows(REPORT)}
    assert (statuses["20110000101"], "20110000102" in statuses) == ("REMOVED", False)
    known = "SELECT campaign.id, campaign.status FROM campaign WHERE campaign.id IN (20110000101, 20110000102)"
    assert [row["campaign"]["status"] for row in fresh.grpc_rows(known)] == ["REMOVED"]
    assert fresh.rest_rows("SELECT campaign.id FROM campaign WHERE campaign.status = 'PAUSED'") == []


def test_a_day_without_any_of_the_selected_figures_has_no_row_unless_it_is_summed(aurora: Reader) -> None:
    unclaimed = f"FROM campaign WHERE {WEEK} AND campaign.name = 'Remarketing display'"
    figures = "metrics.conversions, metrics.conversions_value"
    assert aurora.rest_rows(f"SELECT campaign.id, segments.date, {figures} {unclaimed}") == []
    [summed] = aurora.rest_rows(f"SELECT campaign.id, {figures} {unclaimed}")
    assert summed["metrics"] == {"conversions": 0.0, "conversionsValue": 0.0}
    days = aurora.rest_rows(f"SELECT campaign.id, segments.date, metrics.clicks, {figures} {unclaimed}")
    assert days == aurora.grpc_rows(f"SELECT campaign.id, segments.date, metrics.clicks, {figures} {unclaimed}") != []
    assert {row["metrics"]["conversions"] for row in days} == {0.0}


def test_an_accounts_own_figures_are_those_of_its_campaigns(aurora: Reader) -> None:
    [own] = aurora.rest_rows(f"SELECT metrics.cost_micros, metrics.conversions FROM customer WHERE {WEEK}")
    rows = truth(aurora)
    assert Decimal(own["metrics"]["costMicros"]).scaleb(-6) == sum(row[6] for row in rows)
    assert own["metrics"]["conversions"] == float(sum(row[9] for row in rows))
    days = aurora.rest_rows(f"SELECT segments.date, metrics.clicks FROM customer WHERE {WEEK} ORDER BY segments.date")
    assert [row["segments"]["date"] for row in days] == sorted({row[0] for row in rows})


def test_a_manager_tells_its_clients_and_no_campaigns(aurora: Reader, nordlicht: Reader) -> None:
    manager = replace(aurora, customer=MANAGER, login=None)
    fields = ("id", "level", "manager", "descriptive_name", "currency_code", "time_zone", "status")
    query = f"SELECT {', '.join(f'customer_client.{name}' for name in fields)} FROM customer_client"
    rows = manager.rest_rows(query)
    assert rows == manager.grpc_rows(query)
    told = [(row["customerClient"]["id"], row["customerClient"]["level"]) for row in rows]
    assert told == [(MANAGER, "0"), (AURORA, "1")]
    assert rows[1]["customerClient"] == {
        "resourceName": f"customers/{MANAGER}/customerClients/{AURORA}", "id": AURORA, "level": "1", "manager": False,
        "descriptiveName": "Aurora Search", "currencyCode": "USD", "timeZone": "America/New_York", "status": "ENABLED",
    }  # fmt: skip
    assert manager.rest_rows("SELECT campaign.id FROM campaign") == []
    [own] = manager.rest_rows("SELECT customer.manager, customer.descriptive_name FROM customer")
    assert (own["customer"]["manager"], own["customer"]["descriptiveName"]) == (True, "Aurora Manager")
    assert aurora.accessible() == [f"customers/{MANAGER}"]
    assert nordlicht.accessible() == [f"customers/{NORDLICHT}"]
    listed = f"{aurora.client.url}/v26/customers:listAccessibleCustomers"
    answer = aurora.client.session.get(listed, headers=aurora.headers(), timeout=20)
    assert answer.json() == {"resourceNames": [f"customers/{MANAGER}"]}


def test_pages_go_on_in_what_was_found_before(fresh: Reader) -> None:
    whole = fresh.rest_rows(REPORT)
    fresh.client.admin("POST", "/google_ads/pages", {"rows": 5})
    assert fresh.grpc_rows(REPORT) == fresh.grpc_rows(REPORT, streamed=True) == whole
    assert len(fresh.rest("searchStream", {"query": REPORT}).json()) == -(-len(whole) // 5) > 1
    asked = {"query": REPORT, "searchSettings": {"returnTotalResultsCount": True}}
    first = fresh.rest("search", asked).json()
    assert (first["results"], first["totalResultsCount"]) == (whole[:5], str(len(whole)))
    fresh.client.admin("POST", "/shops/aurora/ads/campaigns/20110000101/rename", {"name": "Another"})
    operations = fresh.client.admin("GET", "/google_ads/quota")["spent"]
    second = fresh.rest("search", {**asked, "pageToken": first["nextPageToken"]}).json()
    assert second["results"] == whole[5:10]
    assert fresh.client.admin("GET", "/google_ads/quota")["spent"] == operations
    other = {"query": REPORT + " LIMIT 9", "pageToken": first["nextPageToken"]}
    assert "INVALID_PAGE_TOKEN" in fresh.rest("search", other).text
    fresh.client.admin("POST", "/clock", {"advance_seconds": 7200})
    later = replace(fresh, token="")
    assert "EXPIRED_PAGE_TOKEN" in later.rest("search", {**asked, "pageToken": first["nextPageToken"]}).text


def test_an_answer_over_grpc_is_dated_by_the_sandboxs_clock_and_has_a_request_id(aurora: Reader) -> None:
    method = "/google.ads.googleads.v26.services.CustomerService/ListAccessibleCustomers"
    with grpc.insecure_channel(aurora.address) as channel:
        _, answered = channel.unary_unary(method).with_call(b"", metadata=aurora.metadata())
    assert dict(answered.initial_metadata())["date"] == "Sun, 15 Nov 2026 12:00:00 GMT"
    assert len(dict(answered.trailing_metadata())["request-id"]) == 22


@given(st.dates(FIRST, LAST), st.dates(FIRST, LAST), st.sampled_from([">", ">=", "="]))
def test_a_range_of_days_is_what_its_conditions_say(one: date, other: date, low: str) -> None:
    first, last = sorted((one, other))
    where = f"segments.date {low} '{first}' AND segments.date <= '{last}'"
    begins = first + timedelta(days=low == ">")
    query = f"SELECT segments.date FROM campaign WHERE {where}"
    if begins > last:
        with pytest.raises(Refused, match="DATE_RANGE_TOO_NARROW"):
            read(query)
    else:
        assert read(query).days() == (begins, first if low == "=" else last)


WORDS = [
    "SELECT", "FROM", "WHERE", "ORDER", "BY", "LIMIT", "AND", "BETWEEN", "IN", "NOT", "DESC", "DURING", "campaign",
    "customer_client", "campaign.id", "campaign.status", "segments.date", "metrics.clicks", "customer.manager", ",",
    "(", ")", "=", "!=", ">=", "'2026-11-09'", "'ENABLED'", "TRUE", "7", "-1.5", "'", "é", "campaign.nothing", ";",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=14), st.booleans())
def test_any_query_is_read_or_refused_by_one_of_googles_names(words: list[str], begins: bool) -> None:
    text = " ".join((["SELECT", "campaign.id", "FROM", "campaign", "WHERE"] if begins else []) + words)
    refused = None
    try:
        read(text)
    except Refused as caught:
        refused = caught
    assert refused is None or refused.status == "UNIMPLEMENTED" or refused.name in QueryErrorEnum.QueryError.__members__
