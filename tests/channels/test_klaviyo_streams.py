"""Klaviyo's lists over real HTTP into a real warehouse: every campaign, flow, metric and profile, in all weathers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.klaviyo_client import KEY, klaviyo_clients
from tests.channels.klaviyo_road import Road
from tests.channels.road import START
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tributary.channels.klaviyo import campaigns, flows, profiles
from tributary.channels.klaviyo.refusals import ScopeMissing
from tributary.channels.klaviyo.streams import KLAVIYO
from tributary.http import (
    AuthError,
    BrokenResponse,
    PagingError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    RetryPolicy,
    VendorUnavailable,
)
from tributary.warehouse.errors import TooManyDeadLetters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tributary.warehouse.ledger import Counts

LISTED = ("metrics", "campaigns", "flows", "profiles")
A_PAGE = 20
PROFILES = KLAVIYO.stream("profiles")
LENIENT = replace(PROFILES, max_dead_letter_rate=0.2)
PATH = "/api/profiles"
AGO = datetime(2010, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A week of business, frozen, whose account may be asked a thousand times as often."""
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=NOW, klaviyo_rate=1000))) as url:
        yield Sandbox(url)


@pytest.fixture
def road(request: pytest.FixtureRequest, sandbox: Sandbox, slept: list[float], shared_warehouse: str) -> Iterator[Road]:
    with klaviyo_clients(f"{sandbox.url}/klaviyo", slept) as make:
        yield Road(request.node.name, sandbox, lambda: psycopg.connect(shared_warehouse), make)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "PAGE_SIZE", A_PAGE)
    monkeypatch.setattr(campaigns, "PAGE_SIZE", 2)
    monkeypatch.setattr(flows, "PAGE_SIZE", 1)


def own(payload: dict[str, Any]) -> dict[str, Any]:
    """The vendor's own part of a payload."""
    found: dict[str, Any] = payload.get("campaign", payload)
    return found


def written(counts: Counts) -> int:
    return counts.inserted + counts.updated


@pytest.mark.parametrize("stream", LISTED)
def test_everything_arrives_as_it_is(stream: str, road: Road) -> None:
    shown = road.items(stream)
    road.sync(stream)
    assert {key: own(payload) for key, payload in road.raw(stream).items()} == shown
    assert road.letters(stream) == []
    assert len(shown) >= 3
    # What has not changed is not written again.
    assert written(road.sync(stream).counts) == 0


def test_campaigns_are_of_every_channel_and_the_archived_too(road: Road) -> None:
    road.sync("campaigns")
    raw = road.raw("campaigns")
    channels = Counter(payload["channel"] for payload in raw.values())
    assert set(channels) == {"email", "sms", "mobile_push"}
    attributes = [payload["campaign"]["attributes"] for payload in raw.values()]
    assert {one["archived"] for one in attributes} == {True, False}
    assert {"Draft", "Sent"} <= {one["status"] for one in attributes}
    times = road.raw("campaigns", "event_at")
    for key, payload in raw.items():
        one = payload["campaign"]["attributes"]
        happened = one["send_time"] or one["scheduled_at"] or one["created_at"]
        assert times[key] == datetime.fromisoformat(happened)


@pytest.mark.parametrize("stream", LISTED)
def test_times_are_those_of_creation_and_of_the_last_change(stream: str, road: Road) -> None:
    road.sync(stream)
    rows = road.query(
        f"select payload, event_at, updated_at from raw.klaviyo_{stream} where merchant_id = %(merchant)s"
    )
    for payload, event_at, updated_at in rows:
        attributes = own(payload)["attributes"]
        assert updated_at == datetime.fromisoformat(attributes.get("updated") or attributes["updated_at"])
        if stream != "campaigns":
            assert event_at == datetime.fromisoformat(attributes["created"])


@pytest.mark.parametrize("stream", ["campaigns", "flows", "profiles"])
def test_a_first_sync_reads_what_has_not_changed_for_long(stream: str, road: Road) -> None:
    late = replace(road, start=NOW - timedelta(days=8))
    report = late.sync(stream)
    assert set(late.raw(stream)) == set(road.items(stream))
    assert report.position == NOW
    windows = late.query(
        "select window_start from ops.syncs where merchant_id = %(merchant)s and stream = %(stream)s", stream=stream
    )
    assert min(windows) == (AGO,)
    late.sync(stream)
    assert len(late.query("select 1 from ops.syncs where merchant_id = %(merchant)s")) == report.slices + 1


def test_an_hourly_sync_asks_for_what_changed_alone(road: Road) -> None:
    road.sync("profiles")
    asked = road.sync("profiles")
    assert asked.slices == 1
    assert asked.counts.records_read < len(road.items("profiles")) / 2


@pytest.mark.parametrize("stream", LISTED)
def test_a_backfill_reads_by_business_time_and_leaves_the_rest(stream: str, road: Road) -> None:
    road.sync(stream)
    before = road.snapshot(stream)
    times = road.query(f"select event_at from raw.klaviyo_{stream} where merchant_id = %(merchant)s order by 1")
    middle = times[len(times) // 2][0]
    within = [at for (at,) in times if START <= at < middle + timedelta(seconds=1)]
    counts = road.reread(stream, START, middle + timedelta(seconds=1))
    assert counts.records_read >= len(within)
    assert written(counts) == counts.removed == 0
    assert road.snapshot(stream) == before


@pytest.mark.parametrize("stream", LISTED)
def test_what_is_gone_leaves_raw_with_a_backfill_of_its_day(stream: str, road: Road) -> None:
    road.sync(stream)
    before = road.snapshot(stream)
    [(at,)] = road.query(
        f"update raw.klaviyo_{stream} set record_id = 'ghost' where merchant_id = %(merchant)s and record_id ="
        f" (select max(record_id) from raw.klaviyo_{stream} where merchant_id = %(merchant)s) returning event_at"
    )
    counts = road.reread(stream, at, at + timedelta(seconds=1))
    assert (counts.inserted, counts.removed) == (1, 1)
    assert road.snapshot(stream) == before


@pytest.mark.parametrize("stream", LISTED)
def test_records_are_found_by_their_ids(stream: str, road: Road) -> None:
    known = sorted(road.items(stream))
    pages = list(KLAVIYO.stream(stream).by_id(road.make(), [*known[::2], "nobody"]))
    assert sorted(record.record_id for page in pages for record in page.records) == known[::2]
    assert [key for page in pages for key in page.gone] == ["nobody"]


def item(**patch: Any) -> dict[str, Any]:
    return {"merge": {"data": {"3": patch}}}


def told(**attributes: Any) -> dict[str, Any]:
    return item(attributes=attributes)


def spoilt(text: str) -> dict[str, Any]:
    return {"find": '"type":"profile"', "put": f'"type":"profile","x":"{text}"'}


def throttled(detail: str = "Request was throttled.") -> dict[str, Any]:
    return {"errors": [{"id": "e-1", "code": "throttled", "title": "Throttled.", "detail": detail, "source": {}}]}


ROWS, CURSOR = "data", "links.next"
PASSING: dict[str, tuple[str, int, dict[str, Any]]] = {
    "429 storm": ("http_429", 4, {"retry_after": 17, "body": throttled()}),
    "5xx burst": ("http_5xx", 4, {"status": 502}),
    "truncated": ("truncated", 2, {}),
    "HTML page": ("html", 2, {}),
    "malformed": ("malformed", 2, {}),
    "cut off": ("cut", 2, {}),
    "duplicate page": ("repeated", 2, {"records": ROWS}),
    "cursor loop": ("cursor_loop", 2, {"cursor": CURSOR}),
    "wrong content type": ("wrong_content_type", 3, {}),
    "new fields": ("merged", 3, {"merge": {"meta": {"later": 1}, "included": []}}),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_passing_fault_leaves_no_trace(name: str, road: Road) -> None:
    kind, times, options = PASSING[name]
    road.fault(kind, PATH, times=times, skip=1, **options)
    road.sync(PROFILES)
    assert road.struck() == [times]
    assert road.snapshot(PROFILES) == road.untouched(PROFILES)


LASTING: dict[str, tuple[str, dict[str, Any], type[Exception], str]] = {
    "429 storm": ("http_429", {"retry_after": 3, "body": throttled()}, RateLimited, "429: Request was throttled"),
    "429 for long": ("http_429", {"retry_after": 7200, "body": throttled("Day.")}, QuotaSpent, "429: Day.*14:00 UTC"),
    "5xx burst": ("http_5xx", {}, VendorUnavailable, "HTTP 503"),
    "a key revoked": ("expired_token", {"body": throttled("Invalid key")}, AuthError, "401: Invalid key.*password"),
    "truncated": ("truncated", {}, BrokenResponse, "not whole JSON"),
    "HTML page": ("html", {}, BrokenResponse, "not whole JSON: .*We'll be right back"),
    "malformed": ("malformed", {}, BrokenResponse, "not whole JSON"),
    "cut off": ("cut", {}, BrokenResponse, "broke off"),
    "duplicate page": ("repeated", {"records": ROWS}, PagingError, "repeats itself: the same 20 records"),
    "cursor loop": ("cursor_loop", {"cursor": CURSOR}, PagingError, "goes in circles"),
    "items of another type": ("merged", {"merge": {"data": 7}}, BrokenResponse, "Expected `array`"),
    "no items": ("missing_field", {"path": ROWS}, RequestRefused, "missing required field `data`.*api_host"),
}  # fmt: skip


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_fault_leaves_raw_as_it_was_and_is_told(name: str, road: Road) -> None:
    kind, options, error, words = LASTING[name]
    road.fault(kind, PATH, times=None, skip=2, **options)
    with pytest.raises(error, match=words) as caught:
        road.sync(PROFILES, road.make(retry=RetryPolicy(attempts=2)))
    message = str(caught.value)
    assert PATH in message
    assert KEY not in message
    [(failure,)] = road.query("select error from ops.syncs where merchant_id = %(merchant)s and status = 'failed'")
    assert failure == f"{error.__name__}: {message}"
    # What has not changed since before the window came whole; of the window itself nothing is kept.
    assert road.raw("profiles") == {}
    assert road.snapshot(PROFILES)["checkpoints"] == {"profiles": "2026-11-13 00:00:00+00"}
    road.no_faults()
    road.sync(PROFILES)
    assert road.snapshot(PROFILES) == road.untouched(PROFILES)


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_that_is_wrong_loses_nothing(minutes: int, road: Road, caplog: pytest.LogCaptureFixture) -> None:
    ours = NOW + timedelta(minutes=minutes)
    api = road.make(now=lambda: ours)
    assert abs(api.now() - NOW) <= timedelta(seconds=1)
    road.sync(PROFILES, api)
    assert [1 for record in caplog.records if "clock shows" in record.getMessage()] == [1]
    assert road.snapshot(PROFILES) == road.untouched(PROFILES)


POISON: dict[str, tuple[str, dict[str, Any], str, str | None]] = {
    "a number for a time": ("merged", told(created=7), "got `int` - at `$.attributes.created`", "{}"),
    "a time without an offset": ("merged", told(updated="2026-11-16T10:00:00"), "$.attributes.updated", "{}"),
    "a day that is none": ("merged", told(updated="2026-02-31T10:00:00+00:00"), "$.attributes.updated", "{}"),
    "another century": ("merged", told(created="1970-01-01T00:00:00Z"), "from 2000 to 2099", "{}"),
    "no time at all": ("merged", told(created=None, updated=None), "got neither", "{}"),
    "an e-mail of another type": ("merged", told(email=["x"]), "$.attributes.email", "{}"),
    "no attributes": ("missing_field", {"path": "data.3.attributes"}, "missing required field `attributes`", "{}"),
    "no id": ("missing_field", {"path": "data.3.id"}, "missing required field `id`", None),
    "an id with a slash": ("merged", item(id="1/2"), "$.id", "1/2"),
    "NUL": ("merged", told(title="nul \x00"), "NUL character", "{}"),
    "half a surrogate": ("substituted", spoilt("\\ud83d"), "surrogate", "{}"),
    "not UTF-8": ("substituted", spoilt("\xff"), "not UTF-8", "{}"),
}  # fmt: skip


@pytest.mark.parametrize("name", POISON)
def test_an_unacceptable_item_is_a_dead_letter_until_it_comes_right(name: str, road: Road) -> None:
    kind, options, reason, told_id = POISON[name]
    [first, *_] = profiles.changed_profiles(road.make(), START, NOW)
    expected = road.untouched(PROFILES)
    target = first.records[0 if kind == "substituted" else 3].record_id
    road.fault(kind, PATH, skip=1, **options)
    report = road.sync(LENIENT)
    assert report.counts.rejected == 1
    [(record_id, why, payload)] = road.letters("profiles")
    assert reason in why
    assert record_id == (told_id and told_id.format(target))
    assert payload.strip().startswith(b"{")
    assert set(road.raw("profiles")) == set(expected["raw"]) - {target}
    # Taken up again as it is, it is refused again; read again as it should be, it lands.
    assert sum(road.replay("profiles").refused.values()) == 1
    road.reread("profiles", AGO, NOW)
    assert road.snapshot(PROFILES)["raw"] == expected["raw"]
    assert len(road.letters("profiles")) == (0 if told_id == "{}" else 1)


def test_a_dead_letter_that_is_acceptable_by_now_lands(road: Road) -> None:
    expected = road.undisturbed("campaigns")["raw"]
    road.fault("substituted", "/api/campaigns", skip=6, find='"created_at":"2', put='"created_at":"1')
    with pytest.raises(TooManyDeadLetters):
        road.sync("campaigns")
    [(key, why, payload)] = road.letters("campaigns")
    assert "from 2000 to 2099" in why
    assert payload.startswith(b'{"channel":"')
    assert set(road.raw("campaigns")) | {key} == set(expected)
    mended = "update ops.dead_letters set payload = %(payload)s where merchant_id = %(merchant)s returning 1"
    road.query(mended, payload=payload.replace(b'"created_at":"1', b'"created_at":"2'))
    assert road.replay("campaigns").acceptable == 1
    assert road.snapshot("campaigns")["raw"] == expected
    assert road.letters("campaigns") == []


def test_too_many_dead_letters_fail_the_sync_after_the_others_landed(road: Road) -> None:
    road.fault("merged", PATH, skip=1, merge={"data": {"*": {"attributes": {"created": "soon"}}}})
    with pytest.raises(TooManyDeadLetters, match=r"of \d+ records of profiles"):
        road.sync(PROFILES)
    assert road.letters("profiles")


def test_a_profile_without_an_e_mail_lands(road: Road) -> None:
    road.fault("merged", PATH, merge={"data": {"*": {"attributes": {"email": None}}}}, times=None)
    road.sync(PROFILES)
    assert {payload["attributes"]["email"] for payload in road.raw("profiles").values()} == {None}
    assert len(road.raw("profiles")) == len(road.untouched(PROFILES)["raw"])


def test_a_missing_scope_is_named_and_other_streams_go_on(road: Road) -> None:
    refused = {"status": 403, "body": throttled("You do not have permission")}
    road.fault("http_5xx", "/api/campaigns", times=None, **refused)
    road.fault("http_5xx", "/api/metrics", times=None, **refused)
    with pytest.raises(ScopeMissing, match="lacks the scope campaigns:read"):
        road.sync("campaigns")
    assert road.make().now() == NOW
    road.sync(PROFILES)
    assert road.snapshot(PROFILES)["raw"] == road.undisturbed(PROFILES)["raw"]


def test_a_renamed_campaign_arrives_under_its_new_name(road: Road) -> None:
    road.sync("campaigns")
    before = road.raw("campaigns")
    key = max(key for key, payload in before.items() if payload["campaign"]["attributes"]["send_time"])
    road.sandbox.admin(f"/klaviyo/campaigns/{key}", {"name": "Trails, again"})
    report = road.sync("campaigns", now=NOW + timedelta(hours=1))
    assert (report.counts.inserted, report.counts.updated) == (0, 1)
    after = road.raw("campaigns")
    assert after[key]["campaign"]["attributes"]["name"] == "Trails, again"
    assert {name: payload for name, payload in after.items() if name != key} == {
        name: payload for name, payload in before.items() if name != key
    }


def test_a_key_revoked_in_mid_sync_leaves_raw_as_it_was(road: Road) -> None:
    road.fault("meanwhile", PATH, skip=2, path="/klaviyo/key", body={"revoked": True})
    try:
        with pytest.raises(AuthError, match=r"401: .*invalid private key.*connection's password"):
            road.sync(PROFILES)
    finally:
        road.sandbox.admin("/klaviyo/key", {})
    assert road.raw("profiles") == {}
    road.sync(PROFILES)
    assert road.snapshot(PROFILES) == road.untouched(PROFILES)
