"""Google's own client reads the sandbox's GA4 over REST and over gRPC: what it shows, what it refuses, its quotas."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from google.analytics.data_v1beta import types
from google.api_core import exceptions

from sandbox.app import create_app
from sandbox.clock import parse_instant
from sandbox.ga4.grpc_service import serve_grpc
from sandbox.ga4.keyfile import new_keyfile
from sandbox.serve import serve
from sandbox.world import Settings
from tests.sandbox.conftest import Client
from tests.sandbox.ga4_reader import (
    PROPERTY,
    REPORTS,
    SOURCE,
    Google,
    access_token,
    over_grpc,
    over_rest,
    plain,
    request,
    truth,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST_DAY, NOW = date(2026, 11, 5), parse_instant("2026-11-15T03:00:00Z")
TODAY, FINAL_DAY = "2026-11-14", "2026-11-09"
"""The property is in New York, where it is still the 14th."""
KEYFILE = new_keyfile("https://oauth2.googleapis.com/token")
DATED = ("date", *SOURCE, "landingPage")
ALL_OF_IT = {"hour": 40_000, "project_hour": 14_000, "day": 200_000, "concurrent": 10, "retry_after": None}


class Ga4(Client):
    """A sandbox with its API over gRPC too, and a token for both."""

    token: str
    address: str


@contextmanager
def started() -> Iterator[Ga4]:
    app = create_app(Settings(seed=7, first_day=FIRST_DAY, frozen_at=NOW, google_keyfile=KEYFILE))
    with serve(app) as url, serve_grpc(app) as address:
        ga4 = Ga4(url)
        ga4.token, ga4.address = access_token(url, KEYFILE), address
        yield ga4


@pytest.fixture(scope="module")
def world() -> Iterator[Ga4]:
    with started() as ga4:
        yield ga4


@pytest.fixture
def ga4(world: Ga4) -> Iterator[Ga4]:
    """The module's world, with its time and its quotas as at first afterwards."""
    yield world
    world.admin("POST", "/clock", {"freeze": NOW.isoformat()})
    world.admin("POST", "/ga4/quota", ALL_OF_IT)
    world.admin("DELETE", "/faults")


@pytest.fixture(params=["rest", "grpc"])
def connect(request: pytest.FixtureRequest, ga4: Ga4) -> Callable[[], Google]:
    """A client with a new token, over one of the transports."""

    def connected() -> Google:
        token = access_token(ga4.url, KEYFILE)
        return over_rest(ga4.url, token) if request.param == "rest" else over_grpc(ga4.address, token)

    return connected


@pytest.fixture
def google(connect: Callable[[], Google]) -> Google:
    return connect()


def shown(google: Google, report: str, day: str) -> list[dict[str, Any]]:
    """A report in the truth's words."""
    dimensions, metrics = REPORTS[report]
    words = {"sessionSource": "source", "sessionMedium": "medium", "sessionCampaignName": "campaign"}
    words |= {"landingPage": "landing_page", "eventName": "event", "transactionId": "transaction_id"}
    rows = google.rows(request(day, dimensions, metrics))
    assert rows
    return [
        {words[name]: value for name, value in zip(dimensions, keys, strict=True)}
        | {word: _number(word, value) for word, value in zip(metrics.values(), values, strict=True)}
        for keys, values in rows
    ]


def _number(word: str, text: str) -> str | int:
    return f"{Decimal(text):.2f}" if word in ("revenue", "cost") else int(text)


def by_key(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return sorted(tuple(f"{name}={row[name]}" for name in sorted(row)) for row in rows)


@pytest.mark.parametrize("report", sorted(REPORTS))
def test_every_report_shows_the_truth(google: Google, ga4: Ga4, report: str) -> None:
    for day in (FINAL_DAY, "2026-11-12", "2026-11-10", "2026-11-08"):
        assert by_key(shown(google, report, day)) == by_key(truth(ga4, day)["reports"][report])


def test_a_day_has_fewer_users_than_its_rows_together(google: Google, ga4: Ga4) -> None:
    ((keys, values),) = google.rows(
        request(FINAL_DAY, ("date",), ["sessions", "totalUsers", "activeUsers", "newUsers"])
    )
    told, rows = truth(ga4, FINAL_DAY), shown(google, "sessions", FINAL_DAY)
    assert keys == ("20261109",)
    sessions, users, active, new = map(int, values)
    assert (sessions, users, new) == (told["sessions"], told["users"], told["new_users"])
    assert sum(row["sessions"] for row in rows) == sessions
    assert new < active < users < sum(row["users"] for row in rows)


def test_headers_metadata_and_quota_of_an_answer(google: Google) -> None:
    asked = request(FINAL_DAY, ("date", "sessionSource"), ["sessions", "purchaseRevenue"], return_property_quota=True)
    first, second = google.run_report(asked), google.run_report(asked)
    assert [header.name for header in first.dimension_headers] == ["date", "sessionSource"]
    assert [(header.name, header.type_.name) for header in first.metric_headers] == [
        ("sessions", "TYPE_INTEGER"),
        ("purchaseRevenue", "TYPE_CURRENCY"),
    ]
    assert (first.kind, first.row_count) == ("analyticsData#runReport", len(first.rows))
    assert (first.metadata.currency_code, first.metadata.time_zone) == ("USD", "America/New_York")
    for kind in ("tokens_per_hour", "tokens_per_project_per_hour", "tokens_per_day"):
        before, after = getattr(first.property_quota, kind), getattr(second.property_quota, kind)
        assert 1 <= after.consumed <= 15
        assert after.remaining == before.remaining - after.consumed
    assert first.property_quota.concurrent_requests.remaining == 10
    asked.return_property_quota = False
    assert not google.run_report(asked).property_quota


def test_flags_stand_in_the_metadata_of_the_days_that_have_them(google: Google) -> None:
    def flags(day: str, dimensions: tuple[str, ...] = DATED) -> tuple[bool, bool, int]:
        metadata = google.run_report(request(day, dimensions, ["sessions"])).metadata
        return metadata.data_loss_from_other_row, metadata.subject_to_thresholding, len(metadata.sampling_metadatas)

    assert flags("2026-11-10") == (True, False, 0)
    assert flags("2026-11-08") == (False, True, 0)
    assert flags("2026-11-07") == (False, False, 1)
    assert flags(FINAL_DAY) == (False, False, 0)
    assert flags("2026-11-10", ("date",)) == (False, False, 0)
    other = [keys for keys, _ in google.rows(request("2026-11-10", DATED, ["sessions"])) if "(other)" in keys]
    assert other == [("20261110", "(other)", "(other)", "(other)", "(other)")]
    ((sampling,),) = (google.run_report(request("2026-11-07", DATED, ["sessions"])).metadata.sampling_metadatas,)
    assert 0 < sampling.samples_read_count < sampling.sampling_space_size


def test_pages_together_are_the_whole(google: Google) -> None:
    whole = google.run_report(request(FINAL_DAY, DATED, ["sessions"]))
    assert 25 < whole.row_count == len(whole.rows) < 90
    pages = []
    for offset in range(0, whole.row_count + 7, 7):
        page = google.run_report(request(FINAL_DAY, DATED, ["sessions"], limit=7, offset=offset))
        assert page.row_count == whole.row_count
        pages += page.rows
    assert list(whole.rows) == pages
    assert not google.run_report(request(FINAL_DAY, DATED, ["sessions"], offset=whole.row_count)).rows


def test_rows_come_in_the_order_asked_for(google: Google) -> None:
    by_page = types.OrderBy(dimension=types.OrderBy.DimensionOrderBy(dimension_name="landingPage"))
    fewest = types.OrderBy(metric=types.OrderBy.MetricOrderBy(metric_name="sessions"), desc=False)
    most = types.OrderBy(metric=types.OrderBy.MetricOrderBy(metric_name="sessions"), desc=True)

    def ordered(*by: types.OrderBy) -> list[tuple[str, int]]:
        rows = google.rows(request(FINAL_DAY, ("landingPage", "sessionSource"), ["sessions"], order_bys=by))
        return [(page, int(sessions)) for (page, _), (sessions,) in rows]

    plain = ordered()
    assert ordered(by_page, fewest) == sorted(plain)
    assert ordered(most) == sorted(plain, key=lambda row: -row[1])
    assert ordered(fewest, by_page) == sorted(plain, key=lambda row: (row[1], row[0]))


def test_filters_choose_rows(google: Google) -> None:
    def events(expression: types.FilterExpression) -> set[tuple[str, ...]]:
        asked = request(FINAL_DAY, ("eventName", "sessionMedium"), ["eventCount"], dimension_filter=expression)
        return {keys for keys, _ in google.rows(asked)}

    def one(field: str, **kind: Any) -> types.FilterExpression:
        return types.FilterExpression(filter=types.Filter(field_name=field, **kind))

    everything = events(types.FilterExpression())
    bought = one("eventName", in_list_filter=types.Filter.InListFilter(values=["purchase", "view_item"]))
    mailed = one("sessionMedium", string_filter=types.Filter.StringFilter(value="EMAIL", match_type=1))
    assert {event for event, _ in everything} > {"view_item", "add_to_cart", "begin_checkout", "purchase"}
    assert events(bought) == {keys for keys in everything if keys[0] in ("purchase", "view_item")}
    assert events(mailed) == {keys for keys in everything if keys[1] == "email"}
    both = types.FilterExpressionList(expressions=[bought, mailed])
    assert events(types.FilterExpression(and_group=both)) == events(bought) & events(mailed)
    assert events(types.FilterExpression(or_group=both)) == events(bought) | events(mailed)
    assert events(types.FilterExpression(not_expression=mailed)) == everything - events(mailed)
    exactly = types.Filter.StringFilter(value="EMAIL", match_type=1, case_sensitive=True)
    assert not events(one("sessionMedium", string_filter=exactly))


@pytest.mark.parametrize(
    ("dates", "days"),
    [
        ("today", ["20261114"]),
        ("yesterday..today", ["20261113", "20261114"]),
        ("3daysAgo..2daysAgo", ["20261111", "20261112"]),
        ("2026-11-01..2026-11-06", ["20261105", "20261106"]),
        ("2026-11-15..2026-12-31", []),
        ("2026-10-01", []),
    ],
)
def test_dates_are_inclusive_and_the_propertys(google: Google, dates: str, days: list[str]) -> None:
    answer = google.run_report(request(dates, ("date",), ["sessions"]))
    assert sorted(row.dimension_values[0].value for row in answer.rows) == days
    assert answer.row_count == len(days)
    assert answer.metadata.time_zone == "America/New_York"


def test_several_date_ranges_are_told_apart(google: Google) -> None:
    asked = request(FINAL_DAY, (), ["sessions"])
    asked.date_ranges.append(types.DateRange(start_date="2026-11-06", end_date="2026-11-07", name="before"))
    assert {keys for keys, _ in google.rows(asked)} == {("date_range_0",), ("before",)}


def test_a_batch_answers_each_of_its_requests(google: Google) -> None:
    asked = [request(FINAL_DAY, ("date",), ["sessions"]), request(FINAL_DAY, SOURCE, ["advertiserAdCost"])]
    batch = google.batch_run_reports(types.BatchRunReportsRequest(property=PROPERTY, requests=asked))
    assert batch.kind == "analyticsData#batchRunReports"
    assert list(batch.reports) == [google.run_report(one) for one in asked]
    with pytest.raises(exceptions.BadRequest, match="1 to 5 requests"):
        google.batch_run_reports(types.BatchRunReportsRequest(property=PROPERTY, requests=asked * 3))


def test_compatibility_can_be_checked_before(google: Google) -> None:
    def checked(dimensions: list[str], metrics: list[str], only: int = 0) -> dict[str, str]:
        answer = google.check_compatibility(
            types.CheckCompatibilityRequest(
                property=PROPERTY,
                dimensions=[types.Dimension(name=name) for name in dimensions],
                metrics=[types.Metric(name=name) for name in metrics],
                compatibility_filter=only,
            )
        )
        told = {one.dimension_metadata.api_name: one.compatibility for one in answer.dimension_compatibilities}
        told |= {one.metric_metadata.api_name: one.compatibility for one in answer.metric_compatibilities}
        return {name: one.name for name, one in told.items()}

    told = checked(["date", *SOURCE], ["advertiserAdCost"])
    assert (told["advertiserAdClicks"], told["landingPage"]) == ("COMPATIBLE", "INCOMPATIBLE")
    assert told["transactionId"] == told["sessions"] == "INCOMPATIBLE"
    alone = checked(["date", *SOURCE], ["advertiserAdCost"], types.Compatibility.COMPATIBLE)
    assert alone == {name: answer for name, answer in told.items() if answer == "COMPATIBLE"}
    for dimensions, metrics in REPORTS.values():
        answers = checked(["date", *dimensions], list(metrics))
        assert {answers[name] for name in ("date", *dimensions, *metrics)} == {"COMPATIBLE"}
    with pytest.raises(exceptions.BadRequest, match="remove transactionId to make the request compatible"):
        checked(["transactionId", "sessionSource"], ["advertiserAdCost"])


def test_metadata_names_every_field(google: Google) -> None:
    told = google.get_metadata(types.GetMetadataRequest(name=f"{PROPERTY}/metadata"))
    assert told.name == f"{PROPERTY}/metadata"
    names = {one.api_name for one in told.dimensions} | {one.api_name for one in told.metrics}
    assert names > {name for dimensions, metrics in REPORTS.values() for name in (*dimensions, *metrics)}
    assert {one.api_name: one.type_.name for one in told.metrics}["advertiserAdCost"] == "TYPE_CURRENCY"


@pytest.mark.parametrize(
    ("dimensions", "metrics", "message"),
    [
        (("sessionSauce",), ["sessions"], "Field sessionSauce is not a valid dimension"),
        (("date",), ["session"], "Field session is not a valid metric"),
        (("landingPage",), ["advertiserAdCost"], "Please remove .* to make the request compatible"),
        (("transactionId",), ["advertiserAdClicks"], "dimensions & metrics are incompatible"),
        (("eventName",), ["sessions"], "dimensions & metrics are incompatible"),
        (("date", "date"), ["sessions"], "names date more than once"),
        (("date",) * 10, ["sessions"], "limited to 9 dimensions. This request has 10"),
        (("date",), ["sessions"] * 11, "limited to 10 metrics. This request has 11"),
        (("date",), [], "at least one metric"),
    ],
)
def test_what_cannot_be_reported_is_an_invalid_argument(
    google: Google, dimensions: tuple[str, ...], metrics: list[str], message: str
) -> None:
    with pytest.raises(exceptions.BadRequest, match=message):
        google.run_report(request(FINAL_DAY, dimensions, metrics))


@pytest.mark.parametrize("dates", ["2026-13-01", "20261109", "daysAgo", "-1daysAgo", "2026-11-09..2026-11-08"])
def test_bad_dates_are_an_invalid_argument(google: Google, dates: str) -> None:
    with pytest.raises(exceptions.BadRequest, match=r"startDate|endDate"):
        google.run_report(request(dates, ("date",), ["sessions"]))


def test_other_properties_and_other_methods_are_refused(google: Google) -> None:
    asked = request(FINAL_DAY, ("date",), ["sessions"])
    asked.property = "properties/999"
    with pytest.raises(exceptions.Forbidden, match="sufficient permissions for this property"):
        google.run_report(asked)
    asked.property = "properties/aurora"
    with pytest.raises(exceptions.BadRequest, match="A numeric Property ID is required"):
        google.run_report(asked)
    with pytest.raises((exceptions.MethodNotImplemented, exceptions.ServerError), match="does not simulate"):
        google.run_pivot_report(types.RunPivotReportRequest(property=PROPERTY))
    with pytest.raises((exceptions.MethodNotImplemented, exceptions.ServerError), match="does not simulate"):
        google.run_realtime_report(types.RunRealtimeReportRequest(property=PROPERTY))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"dimentions": []}, 'Unknown name "dimentions"'),
        ({"dateRanges": [{"startDate": "today", "endDate": "today"}] * 5}, "1 to 4 dateRanges. This request has 5"),
        ({"dateRanges": []}, "1 to 4 dateRanges. This request has 0"),
        ({"limit": "-1"}, "must not be negative"),
        ({"offset": "many"}, "Invalid value at 'offset'"),
        ({"orderBys": [{"dimension": {"dimensionName": "date"}}]}, "orderBys name date"),
        ({"dimensionFilter": {"filter": {"fieldName": "eventName", "inListFilter": {}}}}, "without values"),
        ({"dimensionFilter": {"filter": {"fieldName": "nothing"}}}, "Field nothing is not a valid dimension"),
        ({"dimensionFilter": {"andGroup": {}}}, "andGroup has no expressions"),
        ({"metrics": "sessions"}, "another type"),
    ],
)
def test_each_flaw_of_a_request_is_named(ga4: Ga4, body: dict[str, Any], message: str) -> None:
    sound = {"metrics": [{"name": "sessions"}], "dateRanges": [{"startDate": "today", "endDate": "today"}]}
    assert plain(ga4, ga4.token, "runReport", sound).status_code == 200
    answer = plain(ga4, ga4.token, "runReport", {**sound, **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert message in error["message"]


def test_numbers_and_enums_may_come_either_way_and_rows_are_left_out_when_there_are_none(ga4: Ga4) -> None:
    asked: dict[str, Any] = {
        "dimensions": [{"name": "date"}],
        "metrics": [{"name": "sessions"}],
        "dateRanges": [{"startDate": "2026-11-05", "endDate": "today"}],
        "limit": 3,
        "orderBys": [{"dimension": {"dimensionName": "date", "orderType": 3}, "desc": True}],
    }
    named = {**asked, "limit": "3", "orderBys": [{"dimension": {"dimensionName": "date", "orderType": "NUMERIC"}}]}
    latest, earliest = (plain(ga4, ga4.token, "runReport", one).json() for one in (asked, named))
    assert [row["dimensionValues"][0]["value"] for row in latest["rows"]] == ["20261114", "20261113", "20261112"]
    assert [row["dimensionValues"][0]["value"] for row in earliest["rows"]] == ["20261105", "20261106", "20261107"]
    assert latest["rowCount"] == 10
    asked["dateRanges"] = [{"startDate": "2026-01-01", "endDate": "2026-01-31"}]
    nothing = plain(ga4, ga4.token, "runReport", asked)
    assert set(nothing.json()) == {"dimensionHeaders", "metricHeaders", "metadata", "kind"}
    assert nothing.headers["Date"] == "Sun, 15 Nov 2026 03:00:00 GMT"


@pytest.mark.parametrize(
    ("kind", "message", "still", "again"),
    [
        ("hour", "Exhausted property tokens per hour", "2026-11-15T03:59:59Z", "2026-11-15T04:00:00Z"),
        ("project_hour", "tokens for a project per hour", "2026-11-15T03:59:59Z", "2026-11-15T04:00:00Z"),
        ("day", "Exhausted property tokens per day", "2026-11-15T07:59:59Z", "2026-11-15T08:00:00Z"),
    ],
)
def test_tokens_end_and_come_back(
    connect: Callable[[], Google], ga4: Ga4, kind: str, message: str, still: str, again: str
) -> None:
    asked = request(FINAL_DAY, ("date",), ["sessions"])
    ga4.admin("POST", "/ga4/quota", {kind: 1})
    assert connect().rows(asked)
    for at in (NOW.isoformat(), still):
        ga4.admin("POST", "/clock", {"freeze": at})
        with pytest.raises(exceptions.TooManyRequests, match=message):
            connect().run_report(asked)
    ga4.admin("POST", "/clock", {"freeze": again})
    assert connect().rows(asked)
    assert ga4.admin("GET", "/ga4/quota")[kind] > 10_000


def test_too_many_requests_at_a_time_are_refused(google: Google, ga4: Ga4) -> None:
    ga4.admin("POST", "/ga4/quota", {"concurrent": 0})
    with pytest.raises(exceptions.TooManyRequests, match="Exhausted concurrent requests quota"):
        google.run_report(request(FINAL_DAY, ("date",), ["sessions"]))


def test_a_refusal_says_when_to_come_again_only_when_told_to(ga4: Ga4) -> None:
    ga4.admin("POST", "/ga4/quota", {"hour": 0})
    silent = plain(ga4, ga4.token, "runReport", {})
    assert (silent.status_code, silent.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert "Retry-After" not in silent.headers
    ga4.admin("POST", "/ga4/quota", {"retry_after": 7})
    assert plain(ga4, ga4.token, "checkCompatibility", {}).headers["Retry-After"] == "7"
