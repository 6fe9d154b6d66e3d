"""The values of campaigns, of flows and of days equal the truth, through restatement, and with few calls."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import requests

from tests.channels.klaviyo_client import KEY
from tests.channels.klaviyo_moving import A_DAY, REPORT, START
from tests.channels.shopify_sandbox import NOW
from tributary.channels.klaviyo.api import REVISION
from tributary.channels.klaviyo.report_shapes import STATISTICS
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.http import BrokenResponse, QuotaSpent
from tributary.warehouse.errors import TooManyDeadLetters

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.channels.klaviyo_moving import Moving

CAMPAIGN_CALL, FLOW_CALL = "/api/campaign-values-reports", "/api/flow-series-reports"
CALLS = {"campaign_values": CAMPAIGN_CALL, "flow_values": FLOW_CALL}
OTHER = {"campaign_values": "flow_values", "flow_values": "campaign_values"}
FAR = datetime(2026, 7, 23, tzinfo=UTC)
"""120 days before."""
NEW_YORK = ZoneInfo("America/New_York")
Values = dict[str, dict[str, float]]


def truth(world: Moving, stream: str, when: str = "now") -> Values:
    """What the sandbox's own books say of each message, under the ids that raw should have."""
    kind = stream.removesuffix("_values")
    found = {}
    for one in world.truth("values")[when]:
        figures = {name: one[name] for name in STATISTICS}
        # A day without any figure is no row.
        if one["kind"] == kind and (any(figures.values()) or kind == "campaign"):
            of = f"{one['message']}/{one['channel']}"
            found[of if kind == "campaign" else f"{one['date']}/{of}"] = figures
    return found


def held(world: Moving, stream: str) -> Values:
    """What raw says of them."""
    return {key: payload["row"]["statistics"] for key, payload in world.road.raw(stream).items()}


@pytest.mark.parametrize("stream", CALLS)
def test_values_equal_the_truth(stream: str, world: Moving) -> None:
    report = world.sync(stream)
    told = truth(world, stream)
    assert held(world, stream) == told
    assert len(told) == report.counts.inserted >= 3
    assert report.position == NOW
    for payload in world.road.raw(stream).values():
        assert (payload["currency"], payload["time_zone"]) == ("USD", "America/New_York")
        assert payload["conversion_metric_id"] == "RESQ6t"
    assert {key.split("/")[-1] for key in told} >= {"email", "sms"}
    again = world.sync(stream)
    assert (again.counts.inserted, again.counts.updated, again.counts.removed) == (0, 0, 0)


def test_a_campaign_stands_at_its_send_time_whatever_its_channel(world: Moving) -> None:
    world.sync("campaigns")
    world.sync("campaign_values")
    listed = {key: payload["campaign"]["attributes"] for key, payload in world.road.raw("campaigns").items()}
    rows = world.road.query(
        "select record_id, event_at, payload from raw.klaviyo_campaign_values where merchant_id = %(merchant)s"
    )
    for key, event_at, payload in rows:
        campaign = payload["campaign"]
        attributes = listed[campaign["id"]]
        assert campaign == {
            "id": payload["row"]["groupings"]["campaign_id"],
            "name": attributes["name"],
            "send_time": attributes["send_time"],
        }
        assert event_at == datetime.fromisoformat(attributes["send_time"])
        assert key == "{campaign_message_id}/{send_channel}".format(**payload["row"]["groupings"])
    assert {key.split("/")[1] for key, _, _ in rows} == {"email", "sms", "push-notification"}
    assert True in {listed[payload["campaign"]["id"]]["archived"] for _, _, payload in rows}


def test_the_rows_of_campaigns_are_klaviyo_s_own(world: Moving) -> None:
    world.sync("campaign_values")
    attributes = {
        "statistics": STATISTICS,
        "timeframe": {"start": "2026-11-01T00:00:00", "end": "2026-11-21T00:00:00"},
        "conversion_metric_id": "RESQ6t",
        "group_by": ["campaign_id", "campaign_message_id", "campaign_message_name", "send_channel"],
    }
    answer = requests.post(
        f"{world.road.sandbox.url}/klaviyo{CAMPAIGN_CALL}",
        data=json.dumps({"data": {"type": "campaign-values-report", "attributes": attributes}}),
        headers={
            "Authorization": f"Klaviyo-API-Key {KEY}",
            "revision": REVISION,
            "Content-Type": "application/vnd.api+json",
        },
        timeout=30,
    ).json()
    plainly = answer["data"]["attributes"]["results"]
    rows = [payload["row"] for payload in world.road.raw("campaign_values").values()]
    assert sorted(rows, key=json.dumps) == sorted(plainly, key=json.dumps)


def test_a_flow_s_day_stands_at_its_noon(world: Moving) -> None:
    world.sync("flow_values")
    rows = world.road.query(
        "select record_id, event_at, payload from raw.klaviyo_flow_values where merchant_id = %(merchant)s"
    )
    for key, event_at, payload in rows:
        of = payload["row"]["groupings"]
        assert key == f"{payload['date']}/{of['flow_message_id']}/{of['send_channel']}"
        assert event_at == datetime.fromisoformat(f"{payload['date']}T12:00:00+00:00")
        assert of["flow_name"]
        assert of["flow_message_name"]
    assert max(payload["date"] for _, _, payload in rows) == "2026-11-20"


def test_the_days_are_those_of_the_conversions(world: Moving) -> None:
    report = world.sync("days")
    raw = world.road.raw("days")
    first = START.date() - A_DAY  # Where the account is, it is still the evening before.
    assert sorted(raw) == [str(first + n * A_DAY) for n in range((NOW.date() - first).days + 1)]
    for key, payload in raw.items():
        orders = [
            event
            for event in world.truth("events")
            if event["metric"] == "Placed Order"
            and datetime.fromisoformat(event["datetime"]) <= NOW
            and str(_local(event["datetime"])) == key
        ]
        assert payload["date"] == key
        assert payload["count"] == len(orders)
        assert payload["unique"] == len({order["profile"] for order in orders})
        assert payload["sum_value"] == pytest.approx(sum(order["value"] for order in orders))
    assert sum(payload["count"] for payload in raw.values()) > 20
    assert (report.position, raw[str(first)]["count"]) == (NOW, 0)


def test_a_first_load_of_four_months_takes_few_calls(world: Moving) -> None:
    world.road.start = FAR
    campaigns, flows = count_calls(world)
    world.sync("campaign_values")
    world.sync("flow_values")
    assert (campaigns(), flows()) == (1, 3)
    assert held(world, "campaign_values") == truth(world, "campaign_values")
    assert held(world, "flow_values") == truth(world, "flow_values")
    world.sync("campaign_values")
    world.sync("flow_values")
    assert (campaigns(), flows()) == (2, 4)


def test_an_hourly_sync_is_one_call(onward: Moving) -> None:
    campaigns, flows = count_calls(onward)
    for _ in range(8):
        onward.sync("campaign_values")
        onward.sync("flow_values")
        onward.later(timedelta(hours=1))
    assert (campaigns(), flows()) == (8, 8)


@pytest.mark.parametrize("stream", CALLS)
def test_figures_converge_and_only_what_changed_is_written(stream: str, onward: Moving) -> None:
    onward.sync(stream)
    for _ in range(7):
        before = onward.road.snapshot(stream)["raw"]
        onward.later(A_DAY)
        counts = onward.sync(stream).counts
        after = onward.road.snapshot(stream)["raw"]
        changed = {key for key in before if after[key] != before[key]}
        assert counts.inserted == len(after.keys() - before.keys())
        assert counts.updated == len(changed)
        assert held(onward, stream) == truth(onward, stream)
    # What was sent a week ago will not change any more.
    final = truth(onward, stream, "final")
    old = {key for key, at in onward.road.raw(stream, "event_at").items() if at < NOW - A_DAY}
    assert old
    assert {key: held(onward, stream)[key] for key in old} == {key: final[key] for key in old}


@pytest.mark.parametrize("stream", CALLS)
def test_what_is_restated_is_rewritten_and_what_vanished_is_gone(stream: str, onward: Moving) -> None:
    onward.sync(stream)
    first, second = sorted(onward.road.raw(stream, "event_at").items(), key=lambda one: one[1])[:2]
    before = held(onward, stream)
    message = first[0].split("/")[-2]
    asked = {"count": 3, "value": 120.5, "date": first[0].split("/")[0] if stream == "flow_values" else ""}
    if stream == "campaign_values":
        del asked["date"]
    onward.road.sandbox.admin(f"/klaviyo/messages/{message}/conversions", asked)
    vanishing = second[0].split("/")[-2]
    on = _local(second[1].isoformat())
    onward.road.sandbox.admin(f"/klaviyo/messages/{vanishing}/vanish", {"date": str(on)})
    counts = onward.sync(stream).counts
    assert (counts.inserted, counts.updated, counts.removed) == (0, 1, 1)
    after = held(onward, stream)
    assert before.keys() - after.keys() == {second[0]}
    assert after[first[0]]["conversions"] == before[first[0]]["conversions"] + 3
    assert after[first[0]]["conversion_value"] == pytest.approx(before[first[0]]["conversion_value"] + 120.5)
    assert after == truth(onward, stream)
    touched = onward.road.query(
        """
        select record_id, operation from ops.changes
        where merchant_id = %(merchant)s and stream = %(stream)s and operation <> 'insert'
        """,
        stream=stream,
    )
    assert set(touched) == {(first[0], "update"), (second[0], "delete")}


def test_a_backfill_reads_whole_days_and_changes_nothing(world: Moving) -> None:
    for stream in ("campaign_values", "flow_values", "days"):
        world.sync(stream)
        before = world.road.snapshot(stream)["raw"]
        counts = world.road.reread(stream, NOW - 5 * A_DAY, NOW - 2 * A_DAY)
        assert counts.records_read > 0
        assert (counts.inserted, counts.updated, counts.removed) == (0, 0, 0)
        assert world.road.snapshot(stream)["raw"] == before


def test_the_next_page_of_a_report_is_read(world: Moving) -> None:
    nothing = {"data": {"attributes": {"results": []}}, "links": {"next": f"https://a/api{REPORT}?page_cursor=two"}}
    for stream, path in CALLS.items():
        world.road.no_faults()
        used = world.truth("limits")["reports"]["daily"]["used"]
        world.road.fault("merged", path, merge=nothing)
        world.sync(stream)
        assert world.truth("limits")["reports"]["daily"]["used"] == used + 2
        assert held(world, stream) == truth(world, stream)


@pytest.mark.parametrize("stream", CALLS)
def test_a_spent_day_is_told_and_nobody_asks_until_it_is_over(stream: str, onward: Moving) -> None:
    exhaust(onward, retry_after=True)
    asked = onward.counted(REPORT)
    with pytest.raises(QuotaSpent, match=r"until 2026-11-21 00:00") as spent:
        onward.sync(stream)
    assert "longer than the 300 s that a task stays for it" in str(spent.value)
    assert asked() == 1
    for other in (OTHER[stream], stream):
        with pytest.raises(QuotaSpent, match=r"quota of reports is used up until 2026-11-21 00:00") as spent:
            onward.sync(other)
        assert "A run after that goes on where this one stopped" in str(spent.value)
    assert asked() == 1
    assert onward.waited == []
    [(error,)] = onward.road.query(
        "select distinct error from ops.syncs where merchant_id = %(merchant)s and stream = %(stream)s",
        stream=OTHER[stream],
    )
    assert "until 2026-11-21 00:00" in error
    onward.later(timedelta(hours=12, minutes=1))
    for one in CALLS:
        onward.sync(one)
        assert held(onward, one) == truth(onward, one)


@pytest.mark.parametrize("stream", CALLS)
def test_a_spent_day_without_a_word_is_tried_once_more_and_then_left_for_an_hour(stream: str, onward: Moving) -> None:
    exhaust(onward, retry_after=False)
    asked = onward.counted(REPORT)
    with pytest.raises(QuotaSpent, match="until 2026-11-20 13:0"):
        onward.sync(stream)
    assert asked() == 2
    assert 60 <= sum(onward.waited) <= 62
    with pytest.raises(QuotaSpent, match="quota of reports is used up until 2026-11-20 13:0"):
        onward.sync(OTHER[stream])
    assert asked() == 2
    onward.later(timedelta(hours=12, minutes=1))
    onward.sync(stream)
    assert held(onward, stream) == truth(onward, stream)


def test_a_first_load_goes_on_where_the_day_s_quota_ended(onward: Moving) -> None:
    onward.road.start = FAR
    onward.road.sandbox.admin("/klaviyo/limits/reports", {"burst": 1000, "steady": 1000, "daily": 2})
    with pytest.raises(QuotaSpent):
        onward.sync("flow_values")
    positions = "select position from ops.checkpoints where merchant_id = %(merchant)s"
    [(reached,)] = onward.road.query(positions)
    assert FAR + 115 * A_DAY < reached < NOW
    onward.later(timedelta(hours=13))
    asked = onward.counted(FLOW_CALL)
    onward.sync("flow_values")
    # The look-back, and the day that was left.
    assert asked() == 1
    assert held(onward, "flow_values") == truth(onward, "flow_values")


def test_the_minute_s_two_calls_are_waited_for_and_none_is_refused(onward: Moving) -> None:
    onward.road.sandbox.admin("/klaviyo/limits/reports", {"burst": 1000, "steady": 1000, "daily": 225})
    onward.road.start = FAR
    onward.sync("campaign_values")
    onward.sync("flow_values")
    assert 60 <= sum(onward.waited) <= 130
    used = onward.truth("limits")["reports"]["daily"]["used"]
    assert used == 4


BAD: dict[str, tuple[str, Any, str]] = {
    "a count in words": ("campaign_values", {"statistics": {"opens": "many"}}, "$.row.statistics.opens"),
    "half a click": ("campaign_values", {"statistics": {"clicks": 0.5}}, "multiple of 1"),
    "fewer than none": ("campaign_values", {"statistics": {"recipients": -1}}, ">= 0"),
    "no message": ("campaign_values", {"groupings": {"campaign_message_id": None}}, "campaign_message_id"),
    "no campaign": ("campaign_values", {"groupings": {"campaign_id": "NOWHERE"}}, "is on no list of campaigns"),
    "a day's count in words": ("flow_values", {"statistics": {"opens": {"*": "many"}}}, "$.row.statistics.opens"),
    "a series that is too short": ("flow_values", {"statistics": {"opens": []}}, "missing required field `opens`"),
    "a series that is none": ("flow_values", {"statistics": 7}, "The message cannot be told"),
    "no flow": ("flow_values", {"groupings": {"flow_id": None}}, "flow_id"),
    "no character": ("flow_values", {"groupings": {"flow_name": "a\0b"}}, "NUL"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_row_can_be_is_a_dead_letter_and_what_was_there_stays(name: str, world: Moving) -> None:
    stream, merge, reason = BAD[name]
    lenient = replace(KLAVIYO.stream(stream), max_dead_letter_rate=1.0)
    world.sync(stream)
    before = world.road.snapshot(stream)["raw"]
    world.road.fault("merged", CALLS[stream], merge={"data": {"attributes": {"results": {"0": merge}}}})
    counts = world.sync(lenient).counts
    letters = world.road.letters(stream)
    assert len(letters) == counts.rejected >= 1
    assert all(reason in told for _, told, _ in letters)
    assert (counts.inserted, counts.updated, counts.removed) == (0, 0, 0)
    assert world.road.snapshot(stream)["raw"] == before
    world.sync(stream)
    still_open = {record_id for record_id, _, _ in world.road.letters(stream)}
    # What is a day without any figure again, or never told its id, has no record that could close its letter.
    assert not still_open & world.road.raw(stream).keys()
    assert (None in still_open) == (name in ("no message", "a series that is none"))


def test_a_part_of_what_was_sent_before_the_window_does_not_replace_the_whole(world: Moving) -> None:
    sent_before = {"data": {"*": {"attributes": {"send_time": "2026-10-30T10:00:00+00:00"}}}}
    world.road.fault("merged", "/api/campaigns", times=None, merge=sent_before)
    counts = world.sync("campaign_values").counts
    assert (counts.records_read, counts.rejected) == (0, 0)


def test_a_day_that_cannot_be_is_a_dead_letter(world: Moving) -> None:
    bad = {"data": {"attributes": {"data": {"0": {"measurements": {"count": {"10": "many"}}}}}}}
    world.road.fault("merged", "/api/metric-aggregates", merge=bad)
    with pytest.raises(TooManyDeadLetters):
        world.sync("days")
    [(record_id, told, _)] = world.road.letters("days")
    assert "$.count" in told
    assert record_id not in world.road.raw("days")
    world.sync("days")
    assert record_id in world.road.raw("days")
    assert world.road.letters("days") == []


def test_an_account_without_a_conversion_has_days_of_none(world: Moving) -> None:
    world.road.fault("merged", "/api/metric-aggregates", merge={"data": {"attributes": {"data": []}}})
    world.sync("days")
    assert {(one["count"], one["sum_value"]) for one in world.road.raw("days").values()} == {(0, 0)}


def test_a_series_of_other_days_is_not_taken_for_these(world: Moving) -> None:
    shifted = {"data": {"attributes": {"date_times": {"0": "2026-01-01T00:00:00-05:00"}}}}
    world.road.fault("merged", FLOW_CALL, merge=shifted)
    with pytest.raises(BrokenResponse, match="leaves out 2026-11-08"):
        world.sync("flow_values")
    assert world.road.raw("flow_values") == {}


def count_calls(world: Moving) -> tuple[Callable[[], int], Callable[[], int]]:
    """Counters of the calls for campaigns and for flows, from here on."""
    world.road.no_faults()
    for path in (CAMPAIGN_CALL, FLOW_CALL):
        world.road.fault("merged", path, times=None, merge={})
    return lambda: world.road.struck()[0], lambda: world.road.struck()[1]


def exhaust(world: Moving, *, retry_after: bool) -> None:
    """Nothing is left of the day's reports."""
    world.road.sandbox.admin("/klaviyo/limits/reports/exhaust", {"window": "daily", "retry_after": retry_after})


def _local(text: str) -> date:
    """The account's date of a moment."""
    return datetime.fromisoformat(text).astimezone(NEW_YORK).date()
