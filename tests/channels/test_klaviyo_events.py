"""Klaviyo's events over real HTTP into a real warehouse: late ones, early ones, and what goes wrong on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.channels.klaviyo_moving import A_DAY
from tests.channels.klaviyo_road import everything
from tests.channels.shopify_sandbox import NOW
from tributary.channels.klaviyo import events
from tributary.channels.klaviyo.streams import EVENTS
from tributary.http import RetryPolicy, VendorUnavailable
from tributary.warehouse.errors import TooManyDeadLetters

if TYPE_CHECKING:
    from tests.channels.klaviyo_moving import Moving

PATH = "/api/events"
LENIENT = replace(EVENTS, max_dead_letter_rate=0.9)
# A first load's one slice and its second pass, which are of as many metrics each.
OF_ACCOUNT = {"Received Email", "Opened Email", "Clicked Email", "Received SMS", "Clicked SMS", "Received Push"} | {
    "Opened Push",
    "Unsubscribed",
    "Unsubscribed from SMS Marketing",
    "Placed Order",
}


def settled(world: Moving) -> dict[str, dict[str, Any]]:
    """Every event of the metrics that are read whose time has come and that is shown, by the sandbox's own books."""
    return {
        event["id"]: event
        for event in world.truth("events")
        if event["metric"] in events.METRICS
        and world.road.start <= datetime.fromisoformat(event["datetime"]) < world.at
        and datetime.fromisoformat(event["visible_at"]) <= world.at
    }


def test_every_event_arrives_as_it_is(world: Moving) -> None:
    report = world.sync("events")
    shown = settled(world)
    raw = world.road.raw("events")
    assert raw.keys() == shown.keys()
    assert len(raw) == report.counts.inserted > 1000
    assert {payload["metric"] for payload in raw.values()} == OF_ACCOUNT
    assert all(raw[key]["metric"] == event["metric"] for key, event in shown.items())
    plainly = {event["id"]: event for event in everything(world.road.sandbox, PATH)}
    assert all(payload["event"] == plainly[key] for key, payload in raw.items())
    times = world.road.query(
        "select record_id, event_at, updated_at from raw.klaviyo_events where merchant_id = %(merchant)s"
    )
    for key, event_at, updated_at in times:
        assert event_at == updated_at == datetime.fromisoformat(shown[key]["datetime"])
    assert report.position == NOW
    again = world.sync("events")
    assert (again.counts.inserted, again.counts.updated, again.counts.removed) == (0, 0, 0)


def test_late_and_early_ones_are_all_there_in_the_end_once(onward: Moving) -> None:
    onward.sync("events")
    shown, arrived = settled(onward), []
    for hours in (1, 1, 5, 13, 24, 30, 2, 24, 24, 24):
        before = shown
        onward.later(timedelta(hours=hours))
        report = onward.sync("events")
        shown = settled(onward)
        # Neither the future nor what is late keeps the checkpoint, or anything new, from coming.
        assert report.position == onward.at
        assert report.counts.updated == report.counts.removed == 0
        held = onward.road.raw("events").keys()
        assert held <= shown.keys()
        punctual = {
            key for key, event in shown.items() if key not in before and event["visible_at"] <= event["datetime"]
        }
        assert punctual <= held
        arrived.append(len(punctual))
    assert sum(map(bool, arrived)) > 5
    late = {key for key, event in shown.items() if event["visible_at"] > event["datetime"]}
    early = {key for key, event in shown.items() if event["visible_at"] < event["datetime"]}
    assert len(late) > 30
    assert len(early) > 5
    onward.later(events.LATENESS + timedelta(hours=1))
    onward.sync("events")
    final = settled(onward)
    old = {key for key, event in final.items() if datetime.fromisoformat(event["datetime"]) < NOW + 2 * A_DAY}
    held = onward.road.raw("events").keys()
    assert old <= held <= final.keys()
    assert onward.ledger("events") == (len(held), 0, 0)


@pytest.mark.parametrize("late", [timedelta(), timedelta(minutes=90), timedelta(days=2), events.LATENESS])
def test_an_event_that_comes_late_is_read(late: timedelta, onward: Moving) -> None:
    onward.sync("events")
    happened_at = NOW + timedelta(minutes=10)
    planted = plant(onward, happened_at, visible_at=happened_at + late)
    onward.later(timedelta(hours=1))
    onward.sync("events")
    assert (planted in onward.road.raw("events")) == (late < timedelta(hours=1))
    for _ in range(9):
        onward.later(timedelta(hours=12))
        onward.sync("events")
    assert planted in onward.road.raw("events")


def test_an_event_of_the_future_waits_for_its_time(onward: Moving) -> None:
    planted = plant(onward, NOW + 30 * A_DAY, visible_at=NOW)
    soon = plant(onward, NOW + timedelta(hours=2), visible_at=NOW)
    assert onward.sync("events").position == NOW
    assert not {planted, soon} & onward.road.raw("events").keys()
    for _ in range(3):
        onward.later(timedelta(hours=1))
        assert onward.sync("events").position == onward.at
    assert soon in onward.road.raw("events")
    assert planted not in onward.road.raw("events")
    onward.later(30 * A_DAY)
    onward.sync("events")
    assert planted in onward.road.raw("events")


def test_a_caller_s_clock_that_is_ahead_reads_no_further_than_klaviyo_s(onward: Moving) -> None:
    plant(onward, NOW + timedelta(hours=3), visible_at=NOW)
    report = onward.road.sync(EVENTS, onward.road.make(now=lambda: NOW), now=NOW + A_DAY)
    assert report.position == NOW
    assert onward.road.raw("events").keys() == settled(onward).keys()


def test_an_hourly_sync_reads_hours(world: Moving) -> None:
    world.sync("events")
    asked = world.counted(PATH)
    report = world.sync("events")
    assert asked() == 2 * len(OF_ACCOUNT)
    assert report.counts.records_read < len(world.road.raw("events")) / 10


def test_two_metrics_of_one_name_are_both_read(onward: Moving) -> None:
    onward.road.sandbox.admin("/klaviyo/metrics", {"id": "Other1", "name": "Placed Order", "integration": "API"})
    planted = plant(onward, NOW - timedelta(hours=1), metric="Other1")
    onward.sync("events")
    payload = onward.road.raw("events")[planted]
    assert payload["metric"] == "Placed Order"
    assert payload["event"]["relationships"]["metric"]["data"]["id"] == "Other1"


def test_an_account_without_these_metrics_has_no_events(world: Moving) -> None:
    world.road.fault("merged", "/api/metrics", times=None, merge={"data": {"*": {"attributes": {"name": "Own"}}}})
    report = world.sync("events")
    assert (report.counts.records_read, report.position) == (0, NOW)


@pytest.mark.parametrize("skip", [0, 7, 25])
def test_a_sync_that_breaks_off_goes_on(skip: int, world: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAGE_SIZE", 100)
    monkeypatch.setattr(events, "SLICE", timedelta(days=3))
    world.road.fault("http_5xx", PATH, times=None, skip=skip)
    # Waiting would move the clock, and with it what there is to be read.
    with pytest.raises(VendorUnavailable):
        world.road.sync(EVENTS, world.road.make(retry=RetryPolicy(attempts=1)))
    world.road.no_faults()
    world.sync("events")
    assert world.road.raw("events").keys() == settled(world).keys()
    assert world.ledger("events") == (len(settled(world)), 0, 0)


def test_a_backfill_removes_what_is_gone_and_keeps_the_rest(world: Moving) -> None:
    world.sync("events")
    before = world.road.snapshot("events")["raw"]
    world.road.query(
        """
        insert into raw.klaviyo_events (merchant_id, record_id, event_at, updated_at, sync_id, payload, payload_hash)
        select merchant_id, 'ghost', event_at, updated_at, sync_id, payload, payload_hash
        from raw.klaviyo_events where merchant_id = %(merchant)s and event_at > %(after)s limit 1 returning 1
        """,
        after=NOW - 3 * A_DAY,
    )
    counts = world.road.reread("events", NOW - 4 * A_DAY, NOW + A_DAY)
    assert (counts.inserted, counts.updated, counts.removed) == (0, 0, 1)
    assert world.road.snapshot("events")["raw"] == before


def test_events_by_id_are_whole(world: Moving) -> None:
    world.sync("events")
    raw = world.road.raw("events")
    some = sorted(raw)[::400]
    pages = list(events.by_id(world.road.make(), [*some, "nowhere"]))
    assert [one for page in pages for one in page.gone] == ["nowhere"]
    records = {record.record_id: record.payload for page in pages for record in page.records}
    assert sorted(records) == some
    [[same]] = world.road.query(
        """
        select count(*) from raw.klaviyo_events
        inner join unnest(%(ids)s::text[], %(payloads)s::jsonb[]) as asked (id, payload)
        on record_id = asked.id and klaviyo_events.payload = asked.payload
        where merchant_id = %(merchant)s
        """,
        ids=list(records),
        payloads=[payload.decode() for payload in records.values()],
    )
    assert same == len(some)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no time": ({"attributes": {"datetime": None}}, "$.event.attributes.datetime"),
    "no real time": ({"attributes": {"datetime": "2026-02-30T00:00:00+00:00"}}, "$.event.attributes.datetime"),
    "a time of another age": ({"attributes": {"datetime": "1926-11-20T00:00:00+00:00"}}, "2000 to 2099"),
    "a value in words": ({"attributes": {"event_properties": {"$value": "much"}}}, "$value"),
    "a number for a profile": ({"relationships": {"profile": {"data": {"id": 7}}}}, "profile"),
    "no character": ({"attributes": {"uuid": "a\0b"}}, "NUL"),
    "a number for an id": ({"id": 7}, "$.event.id"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_event_can_be_is_a_dead_letter(name: str, world: Moving) -> None:
    merge, reason = BAD[name]
    world.road.start = NOW - A_DAY
    world.road.fault("merged", PATH, skip=len(OF_ACCOUNT), merge={"data": {"0": merge}})
    report = world.sync(LENIENT)
    [(record_id, told, payload)] = world.road.letters("events")
    assert reason in told
    assert report.counts.rejected == 1
    assert report.counts.inserted == report.counts.records_read - 1
    assert payload.startswith(b'{"metric":"')
    assert (record_id is None) == (name == "a number for an id")
    # A later reading that is good closes the letter.
    world.road.reread("events", world.road.start, NOW)
    assert settled(world).keys() <= world.road.raw("events").keys()
    assert bool(world.road.letters("events")) == (record_id is None)


def test_a_replayed_event_still_knows_its_metric(world: Moving) -> None:
    world.road.fault("merged", PATH, skip=len(OF_ACCOUNT), merge={"data": {"0": {"attributes": {"datetime": "-"}}}})
    world.sync(LENIENT)
    [(record_id, _, _)] = world.road.letters("events")
    right = settled(world)[record_id]
    world.road.query(
        """
        update ops.dead_letters
        set payload = convert_to(replace(convert_from(payload, 'UTF8'), '"datetime":"-"', %(right)s), 'UTF8')
        where merchant_id = %(merchant)s returning 1
        """,
        right=f'"datetime":"{right["datetime"]}"',
    )
    assert world.road.replay("events").acceptable == 1
    assert world.road.raw("events")[record_id]["metric"] == right["metric"]


def test_too_many_dead_letters_fail_the_sync_after_the_others_landed(world: Moving) -> None:
    world.road.fault("merged", PATH, times=4, skip=10, merge={"data": {"*": {"attributes": {"datetime": "-"}}}})
    with pytest.raises(TooManyDeadLetters, match=r"of \d+ records of events"):
        world.sync("events")
    assert world.road.raw("events")


def plant(world: Moving, at: datetime, *, visible_at: datetime | None = None, metric: str = "Opened Email") -> str:
    """One more event."""
    profile = Counter(event["profile"] for event in world.truth("events")).most_common(1)[0][0]
    asked = {"metric": metric, "profile": profile, "datetime": at.isoformat()}
    asked |= {"visible_at": visible_at.isoformat()} if visible_at else {}
    return str(world.road.sandbox.admin("/klaviyo/events", asked)["id"])
