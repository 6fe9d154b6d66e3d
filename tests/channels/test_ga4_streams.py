"""Days of a website equal the truth: through restatement, rows that vanish, pages and days that are not over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.ga4_road import COUNTERS, KEYS, STREAMS, TODAY, website
from tests.channels.road import START
from tests.channels.shopify_sandbox import NOW
from tributary.channels.ga4.streams import DAYS, GA4, SESSIONS
from tributary.http import BrokenResponse, PagingError
from tributary.warehouse.errors import TooManyDeadLetters

if TYPE_CHECKING:
    from tests.channels.ga4_road import Road

A_DAY = timedelta(days=1)
IN_DETAIL = [name for name in STREAMS if name != "days"]


def row_of(payload: dict[str, Any]) -> list[str]:
    """What the sandbox's admin routes name a row by."""
    order = ["eventName", "transactionId", *KEYS.values()]
    names = [name for name in dict.fromkeys(order) if name in payload["row"]]
    return [payload["row"][name] for name in names]


@pytest.mark.parametrize("stream", IN_DETAIL)
def test_every_row_of_every_day_equals_the_truth(stream: str, ga4_road: Road) -> None:
    report = ga4_road.sync(stream)
    truth = ga4_road.truth(stream)
    assert ga4_road.held(stream) == truth
    assert {key[0] for key in truth} == {f"{day:%Y%m%d}" for day in every_day()[1:]}
    assert report.slices == len(every_day())
    assert (report.counts.rejected, report.position) == (0, NOW)


def every_day() -> list[date]:
    return [START.date() + n * A_DAY for n in range((TODAY - START.date()).days + 1)]


def test_the_totals_of_days_equal_the_truth_and_a_day_without_visitors_is_known(ga4_road: Road) -> None:
    ga4_road.sync("days")
    told = ga4_road.sandbox.admin("/shops/aurora/website/truth", method="GET")
    totals = {key: payload["row"] for key, payload in ga4_road.raw("days").items() if "row" in payload}
    assert {
        key: (int(row["sessions"]), int(row["totalUsers"]), int(row["newUsers"])) for key, row in totals.items()
    } == {f"{day}/total": (of["sessions"], of["users"], of["new_users"]) for day, of in told.items()}
    reports = ga4_road.reports("days")
    assert list(reports) == every_day()
    assert reports[START.date()] == {
        "rowCount": 0,
        "metadata": {"currencyCode": "USD", "timeZone": "America/New_York"},
    }


def test_rows_stand_at_noon_of_their_day(ga4_road: Road) -> None:
    ga4_road.sync("transactions")
    for record_id, (event_at, updated_at, version) in ga4_road.raw(
        "transactions", "array[event_at::text, updated_at::text, api_version]"
    ).items():
        assert event_at == updated_at == f"{record_id[:10]} 12:00:00+00"
        assert version == "v1beta"


@pytest.mark.parametrize("stream", ["days", "sessions", "transactions"])
def test_what_is_restated_converges_and_only_that_is_written(stream: str, moving_ga4: Road) -> None:
    """Four days of Google's second thoughts, read every 17 hours: afterwards all of it stands, and nothing else."""
    road = moving_ga4
    road.sync(stream)
    happened: set[str] = set()
    for _ in range(6):
        before = road.raw(stream, "array[payload::text, sync_id::text, loaded_at::text]")
        road.forget_changes()
        road.advance(timedelta(hours=17))
        report = road.sync(stream)
        after = road.raw(stream, "array[payload::text, sync_id::text, loaded_at::text]")
        rewritten = {key for key in before.keys() & after.keys() if before[key][0] != after[key][0]}
        untouched = before.keys() & after.keys() - rewritten
        assert {key: after[key] for key in untouched} == {key: before[key] for key in untouched}
        assert road.changed(stream) == {
            **dict.fromkeys(after.keys() - before.keys(), "insert"),
            **dict.fromkeys(rewritten, "update"),
            **dict.fromkeys(before.keys() - after.keys(), "delete"),
        }
        happened.update(road.changed(stream).values())
        assert report.slices in (5, 6)
    if stream != "days":
        assert road.held(stream) == road.truth(stream)
    assert happened >= {"insert", "update"}
    assert ("delete" in happened) == (stream != "days")


def test_a_row_that_vanishes_is_gone_and_a_changed_one_is_new_whatever_its_neighbours(moving_ga4: Road) -> None:
    road = moving_ga4
    road.sync("sessions")
    before = road.raw("sessions")
    on = TODAY - 3 * A_DAY
    changed, vanished, *_ = [key for key in before if key.startswith(f"{on}/")]
    road.happens(on, "sessions", "adjust", row=row_of(before[changed]), counter="engaged_sessions", by=7)
    road.happens(on, "sessions", "vanish", row=row_of(before[vanished]))
    road.forget_changes()
    counts = road.sync("sessions").counts
    assert (counts.inserted, counts.removed) == (0, 1)
    assert road.changed("sessions") == {changed: "update", vanished: "delete", str(on): "update"}
    assert road.held("sessions") == road.truth("sessions")
    assert road.reports("sessions")[on]["rowCount"] == len([key for key in road.raw("sessions") if str(on) in key]) - 1


def test_what_is_older_than_the_look_back_stays_as_it_was_and_a_reread_brings_it(moving_ga4: Road) -> None:
    road = moving_ga4
    road.sync("sessions")
    on = TODAY - 5 * A_DAY
    vanished = next(key for key in road.raw("sessions") if key.startswith(f"{on}/"))
    road.happens(on, "sessions", "vanish", row=row_of(road.raw("sessions")[vanished]))
    road.sync("sessions")
    assert vanished in road.raw("sessions")
    counts = road.reread("sessions", START, NOW + 9 * A_DAY)
    assert counts.removed == 1
    assert road.held("sessions") == road.truth("sessions")
    # A day that has not begun is not known to be empty.
    assert max(road.reports("sessions")) == TODAY


def test_a_second_sync_without_news_writes_nothing(ga4_road: Road) -> None:
    for stream in STREAMS:
        ga4_road.sync(stream)
        before = ga4_road.raw(stream, "array[sync_id::text, loaded_at::text]")
        ga4_road.forget_changes()
        counts = ga4_road.sync(stream).counts
        assert (counts.inserted, counts.updated, counts.removed, counts.rejected) == (0, 0, 0, 0)
        assert counts.unchanged == counts.records_read > 0
        assert ga4_road.raw(stream, "array[sync_id::text, loaded_at::text]") == before
        assert ga4_road.changed(stream) == {}


def test_today_is_read_as_far_as_it_is(moving_ga4: Road) -> None:
    road = moving_ga4
    road.sync("days")
    first = int(road.raw("days")[f"{TODAY}/total"]["row"]["sessions"])
    road.advance(timedelta(hours=6))
    assert road.sync("days").position == road.position("days") == NOW + timedelta(hours=6)
    assert int(road.raw("days")[f"{TODAY}/total"]["row"]["sessions"]) > first


@pytest.mark.parametrize(
    ("now", "last"),
    [("2026-11-20T04:59:00+00:00", "2026-11-19"), ("2026-11-20T05:00:00+00:00", "2026-11-20")],
)
def test_today_is_what_it_is_where_the_property_is(now: str, last: str, ga4_road: Road) -> None:
    with website(datetime.fromisoformat(now)) as sandbox:
        replace(ga4_road, sandbox=sandbox).sync("days")
    assert str(max(ga4_road.reports("days"))) == last
    assert ga4_road.position("days") == datetime.fromisoformat(now)


def test_a_sync_asks_for_each_day_once(ga4_road: Road) -> None:
    before = ga4_road.quota()["reports"]
    ga4_road.sync("ad_cost")
    assert ga4_road.quota()["reports"] == before + len(every_day())


@pytest.mark.parametrize("stream", ["sessions", "transactions"])
def test_pages_of_any_size_bring_the_same(stream: str, ga4_road: Road) -> None:
    ga4_road.sync(stream)
    ga4_road.sync(stream, ga4_road.api(page_size=7), merchant="in pages")
    assert ga4_road.raw(stream, merchant="in pages") == ga4_road.raw(stream)


def test_a_day_that_changes_between_two_pages_is_not_mixed(moving_ga4: Road) -> None:
    road = moving_ga4
    road.sync("sessions")
    before = road.raw("sessions")
    on = TODAY - 4 * A_DAY
    vanishing = row_of(next(payload for key, payload in before.items() if key.startswith(f"{on}/")))
    path = f"/shops/aurora/website/days/{on}/sessions/vanish"
    # The first day that is read again; its first page is passed on.
    road.fault("meanwhile", skip=1, path=path, body={"row": vanishing})
    with pytest.raises(BrokenResponse, match="The day changed while it was read"):
        road.sync("sessions", road.api(page_size=20))
    assert road.raw("sessions") == before
    road.sync("sessions", road.api(page_size=20))
    assert road.held("sessions") == road.truth("sessions")


def test_pages_that_repeat_are_noticed(ga4_road: Road) -> None:
    ga4_road.fault("repeated", times=None, skip=1)
    with pytest.raises(PagingError, match="repeats itself"):
        ga4_road.sync(replace(SESSIONS, history=None, slice_length=10 * A_DAY), ga4_road.api(page_size=1))
    assert ga4_road.raw("sessions") == {}


def test_a_report_of_another_day_is_refused(ga4_road: Road) -> None:
    ga4_road.fault("repeated", times=None, skip=3)
    with pytest.raises(BrokenResponse, match="The report of 2026-11-17 came with a row of 2026-11-16"):
        ga4_road.sync("sessions")
    assert {key[:10] for key in ga4_road.raw("sessions")} == {str(day) for day in every_day()[:4]}


WRONG = {
    "no object of ours": ("substituted", {"find": "dimensionHeaders", "put": "somethingElse"}, "other fields"),
    "another metric": ("merged", {"merge": {"metricHeaders": {"0": {"name": "bounces"}}}}, "other fields"),
    "a row too short": ("merged", {"merge": {"rows": {"0": {"metricValues": []}}}}, "0 metrics"),
    "no time zone": ("missing_field", {"path": "metadata.timeZone"}, "time zone is None"),
    "more rows than told": ("merged", {"merge": {"rowCount": 2}}, "has 2 rows, and gives"),
    "rows that never come": ("merged", {"merge": {"rowCount": 9999}}, "has 9999 rows, and ends after"),
    "the same row twice": (
        "merged",
        {"merge": {"rows": {"*": {"dimensionValues": {"*": {"value": "20261114"}}}}}},
        "twice",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_does_not_fit_leaves_everything_as_it_was(name: str, ga4_road: Road) -> None:
    kind, options, told = WRONG[name]
    ga4_road.sync("sessions")
    before = ga4_road.raw("sessions")
    ga4_road.start = datetime(2026, 11, 14, tzinfo=UTC)
    ga4_road.fault(kind, times=None, **options)
    with pytest.raises(BrokenResponse, match=told):
        ga4_road.sync(replace(SESSIONS, look_back=timedelta(days=6)))
    assert ga4_road.raw("sessions") == before
    assert told in ga4_road.errors()[-1]


def first_row(kind: str, number: int, value: str) -> dict[str, Any]:
    """Lays another value over one of the first row's."""
    return {"rows": {"0": {kind: {str(number): {"value": value}}}}}


BAD: dict[str, tuple[dict[str, Any], str, bool]] = {
    "a date that is none": (
        first_row("dimensionValues", 0, "(other)"),
        "Expected a date as YYYYMMDD",
        False,
    ),
    "a day that is none": (first_row("dimensionValues", 0, "20261131"), "day is out of range", False),
    "a fraction of a session": (first_row("metricValues", 0, "1.5"), "a whole number, got '1.5'", True),
    "no number": (first_row("metricValues", 6, "-"), "`$.row.purchaseRevenue`", True),
    "endless": (first_row("metricValues", 6, "Infinity"), "Expected a number", True),
    "what jsonb refuses": (first_row("dimensionValues", 1, "a\0b"), "NUL", True),
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_can_be_no_record_is_a_dead_letter(name: str, ga4_road: Road) -> None:
    merge, reason, has_id = BAD[name]
    tolerant = replace(SESSIONS, max_dead_letter_rate=0.5)
    ga4_road.fault("merged", skip=1, merge=merge)
    assert ga4_road.sync(tolerant).counts.rejected == 1
    [(record_id, told, payload)] = ga4_road.letters("sessions")
    assert reason in told
    assert (record_id is not None) == has_id
    assert bytes(payload).startswith(b'{"date":')
    # The row is as it should be the next time; a letter whose id is known is answered by that.
    ga4_road.sync(replace(tolerant, look_back=timedelta(days=6)))
    assert ga4_road.held("sessions") == ga4_road.truth("sessions")
    assert bool(ga4_road.letters("sessions")) == (not has_id or name == "what jsonb refuses")


def test_too_many_of_them_fail_the_sync(ga4_road: Road) -> None:
    ga4_road.fault("merged", skip=1, merge={"rows": {"*": {"metricValues": {"0": {"value": "?"}}}}})
    with pytest.raises(TooManyDeadLetters):
        ga4_road.sync("sessions")


def test_a_replayed_row_lands_under_its_id(ga4_road: Road) -> None:
    ga4_road.fault("merged", skip=1, merge=first_row("metricValues", 0, "?"))
    ga4_road.sync(replace(SESSIONS, max_dead_letter_rate=0.5))
    [(record_id, _, _)] = ga4_road.letters("sessions")
    assert record_id not in ga4_road.raw("sessions")
    assert ga4_road.replay("sessions").refused == {"Expected a whole number, got '?' - at `$.row.sessions`": 1}
    ga4_road.query(
        """
        update ops.dead_letters set payload = convert_to(replace(convert_from(payload, 'UTF8'), '"?"', '"5"'), 'UTF8')
        where merchant_id = %(merchant)s returning 1
        """
    )
    assert ga4_road.replay("sessions").acceptable == 1
    assert ga4_road.raw("sessions")[record_id]["row"]["sessions"] == "5"
    assert ga4_road.letters("sessions") == []


def test_what_a_report_leaves_out_is_kept_with_its_day_and_warned_of_once(
    ga4_road: Road, caplog: pytest.LogCaptureFixture
) -> None:
    ga4_road.sync("sessions")
    told = ga4_road.sandbox.admin("/shops/aurora/website/truth", method="GET")
    reports = ga4_road.reports("sessions")
    for flag, field in (
        ("has_data_loss", "dataLossFromOtherRow"),
        ("is_thresholded", "subjectToThresholding"),
        ("is_sampled", "samplingMetadatas"),
    ):
        days = {date.fromisoformat(day) for day, of in told.items() if of[flag]}
        assert days
        assert {day for day, report in reports.items() if field in report["metadata"]} == days
        assert caplog.text.count(f"({field})") == 1


def test_only_what_ends_a_day_is_declared_to_move_days() -> None:
    assert DAYS.restated_for == timedelta(days=5)
    assert {stream.name for stream in GA4.streams if not stream.quiet} == {"days", "sessions", "funnel_events"}
    assert set(COUNTERS.values()) >= {"advertiserAdCost", "eventCount"}
