"""TikTok's organic API over real HTTP: one reading a day of every video, its refusals, its tokens, and raw."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from psycopg.rows import dict_row

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tests.channels.token_vendor import Key
from tributary.channels.tiktok_organic import api as tiktok
from tributary.channels.tiktok_organic import videos
from tributary.channels.tiktok_organic.api import TikTokOrganicApi
from tributary.channels.tiktok_organic.refusals import explain
from tributary.channels.tiktok_organic.streams import TIKTOK_ORGANIC, VIDEOS
from tributary.channels.tiktok_organic.token import refreshed
from tributary.channels.vendor_tokens import StoredTokens
from tributary.http import AuthError, BrokenResponse, Budget, HttpClient, HttpError, Redactor, RequestRefused
from tributary.warehouse.errors import TooManyDeadLetters
from tributary.warehouse.replay import replay
from tributary.warehouse.reread import reread
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import psycopg

    from tributary.declaration import Page, Record
    from tributary.warehouse.sync import SyncReport

CLIENT_ID = "sandbox_client"
CLIENT_SECRET = "sandbox_client_secret_aurora_0123456789"
BUSINESS_ID = "sandbox_business_aurora"
REFRESH_TOKEN = "rft.sandbox_organic_aurora_0"
ACCESS_TOKEN = "act.sandbox_organic_aurora_0"
LIST = "/open_api/v1.3/business/video/list/"
YESTERDAY = NOW.date() - timedelta(days=1)
COUNTERS = {"video_views": "views", **{name: name for name in ("likes", "comments", "shares", "favorites")}}
DAY = timedelta(days=1)


@dataclass
class Token:
    """An access token; with `others`, one that can be replaced."""

    current: str = ACCESS_TOKEN
    others: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def value(self) -> str:
        return self.current

    def renew(self, refused: str) -> bool:
        self.refused.append(refused)
        if self.others:
            self.current = self.others.pop()
            return True
        return False


def client(slept: list[float] | None = None, now: datetime = NOW) -> HttpClient:
    return HttpClient(
        redact=Redactor([CLIENT_SECRET, REFRESH_TOKEN, ACCESS_TOKEN]),
        budgets={"videos": Budget(rate=1e9, capacity=1e9)},
        explain=explain,
        sleep=[].append if slept is None else slept.append,
        now=lambda: now,
    )


def api(sandbox: Sandbox, token: Any = None, now: datetime = NOW, slept: list[float] | None = None) -> TikTokOrganicApi:
    return TikTokOrganicApi(client(slept, now), sandbox.url, BUSINESS_ID, token or Token(), lambda: now)


def fault(sandbox: Sandbox, kind: str, times: int = 1, route: str = LIST, skip: int = 1, **options: Any) -> None:
    """What befalls the next reading; its first request only asks for the time."""
    sandbox.fault(kind, times, skip, route, **options)


def coded(code: int, message: str = "no") -> dict[str, Any]:
    return {"body": {"code": code, "message": message, "request_id": "20261120ABC", "data": {}}}


def truth(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The account's own videos that are there, as the sandbox's business knows them."""
    told = sandbox.admin("/shops/aurora/tiktok/videos/truth", method="GET")
    own = (video for video in told if video["account_type"] == "OFFICIAL_ACCOUNTS" and not video["deleted_at"])
    return {video["id"]: video["days"] for video in own}


def records(pages: Iterable[Page]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for page in pages:
        assert not page.rejects
        assert not page.gone
        found |= {record.record_id: record for record in page.records}
    return found


def counters(record: Record) -> dict[str, int]:
    video = json.loads(record.payload)["video"]
    return {ours: video[theirs] for theirs, ours in COUNTERS.items()}


@pytest.mark.parametrize("page_size", [20, 2])
def test_every_video_arrives_with_its_totals(sandbox: Sandbox, page_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiktok, "PAGE_SIZE", page_size)
    found = records(VIDEOS.changed(api(sandbox), NOW - timedelta(days=400), NOW))
    told = truth(sandbox)
    assert set(found) == {f"{video}/{YESTERDAY}" for video in told}
    assert len(told) > 4
    for key, record in found.items():
        expected = told[key.split("/")[0]][YESTERDAY.isoformat()]
        assert counters(record) == {name: expected[name] for name in COUNTERS.values() if name != "views"} | {
            "views": sum(day["views"] for day in told[key.split("/")[0]].values())
        }
        assert record.event_at == record.updated_at == datetime(2026, 11, 19, 12, tzinfo=UTC)


def test_the_payload_holds_the_vendors_own_bytes(sandbox: Sandbox) -> None:
    strange = '"later": [1.50,  "\\u00e4"] , "item_id"'
    fault(sandbox, "substituted", find='"item_id"', put=strange)
    first, *_ = records(VIDEOS.changed(api(sandbox), NOW, NOW)).values()
    assert first.payload.startswith(b'{"date":"2026-11-19","video":{' + strange.encode())
    assert first.payload.endswith(b"}}")


def test_a_long_window_is_one_reading(sandbox: Sandbox) -> None:
    assert VIDEOS.history is not None
    (window,) = VIDEOS.history(None, NOW - timedelta(days=120), NOW)
    assert (window.start, window.end, window.read) == (NOW - timedelta(days=120), NOW, VIDEOS.changed)


def test_the_past_cannot_be_read_again_and_is_never_gone(sandbox: Sandbox) -> None:
    noon = datetime(2026, 11, 19, 12, tzinfo=UTC)
    everything = records(VIDEOS.changed(api(sandbox), NOW, NOW))
    assert records(VIDEOS.happened(api(sandbox), noon, noon + DAY)).keys() == everything.keys()
    assert records(VIDEOS.happened(api(sandbox), noon - 30 * DAY, noon + DAY)).keys() == everything.keys()
    for start, end in ((noon - 30 * DAY, noon), (noon + timedelta(seconds=1), noon + DAY)):
        assert not list(VIDEOS.happened(api(sandbox), start, end))
    present, *_ = everything
    asked = [present, present.replace("-19", "-18"), f"1/{YESTERDAY}", "1/2026-11-01"]
    assert list(records(VIDEOS.by_id(api(sandbox), asked))) == [present]
    assert not list(VIDEOS.by_id(api(sandbox), asked[3:]))


def test_many_ids_are_asked_for_in_parts(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = records(VIDEOS.changed(api(sandbox), NOW, NOW))
    monkeypatch.setattr(videos, "PAGE_SIZE", 2)
    assert records(VIDEOS.by_id(api(sandbox), list(everything))) == everything


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"favorites": "many"}, "Expected `int | null`, got `str` - at `$.video.favorites`"),
        ({"likes": -1}, "Expected `int` >= 0 - at `$.video.likes`"),
        ({"shares": 7.0}, "at `$.video.shares`"),
        ({"comments": 2**70}, "at `$.video.comments`"),
        ({"create_time": "yesterday"}, "at `$.video.create_time`"),
        ({"share_url": "a\x00b"}, "NUL"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_a_dead_letter_and_the_others_land(
    sandbox: Sandbox, spoilt: dict[str, Any], reason: str
) -> None:
    everything = records(VIDEOS.changed(api(sandbox), NOW, NOW))
    fault(sandbox, "merged", merge={"data": {"videos": {"1": spoilt}}})
    (page,) = VIDEOS.changed(api(sandbox), NOW, NOW)
    (letter,) = page.rejects
    assert reason in letter.reason
    assert letter.record_id in everything
    assert {record.record_id for record in page.records} == set(everything) - {letter.record_id}
    (again,) = VIDEOS.replay(None, letter.payload).rejects
    assert again == letter


def test_the_time_of_publication_may_be_a_number(sandbox: Sandbox) -> None:
    fault(sandbox, "merged", merge={"data": {"videos": {"*": {"create_time": 1763000000}}}})
    assert records(VIDEOS.changed(api(sandbox), NOW, NOW))


def test_a_replayed_reading_keeps_its_day() -> None:
    payload = b'{"date":"2026-11-03","video":{"item_id":"7","favorites":3}}'
    (record,) = VIDEOS.replay(None, payload).records
    assert (record.record_id, record.event_at) == ("7/2026-11-03", datetime(2026, 11, 3, 12, tzinfo=UTC))


def test_a_refused_token_is_renewed_once(sandbox: Sandbox) -> None:
    token = Token("act.stale", [ACCESS_TOKEN])
    assert records(VIDEOS.changed(api(sandbox, token), NOW, NOW))
    assert token.refused == ["act.stale"]
    for stale in (Token("act.stale"), Token("act.stale", ["act.staler"])):
        with pytest.raises(AuthError, match=r"40105.*TikTok's request id \w+.*new refresh token into the connection"):
            list(VIDEOS.changed(api(sandbox, stale), NOW, NOW))
        assert stale.refused == ["act.stale"]


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (40130, AuthError, "video.insights"),
        (40006, RequestRefused, "Put the business_id"),
        (40002, RequestRefused, "TikTok refuses with 40002: no"),
    ],
)
def test_a_refusal_is_fatal_and_says_what_to_do(
    sandbox: Sandbox, code: int, error: type[HttpError], words: str, slept: list[float]
) -> None:
    fault(sandbox, "throttled", **coded(code))
    with pytest.raises(error, match=words) as refusal:
        list(VIDEOS.changed(api(sandbox, slept=slept), NOW, NOW))
    assert "request id 20261120ABC" in str(refusal.value)
    assert slept == []


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("throttled", coded(40100)),
        ("throttled", coded(50002)),
        ("http_429", coded(40002)),
        ("http_5xx", {}),
        ("http_5xx", coded(40002)),
        ("html", {}),
        ("malformed", {}),
        ("truncated", {}),
        ("cut", {}),
        ("missing_field", {"path": "data.has_more"}),
        ("merged", {"merge": {"data": {"has_more": True, "cursor": None}}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_may_pass_is_asked_again(sandbox: Sandbox, kind: str, options: Any, slept: list[float]) -> None:
    everything = records(VIDEOS.changed(api(sandbox), NOW, NOW))
    fault(sandbox, kind, times=2, **options)
    if kind in ("missing_field", "merged"):  # whole, and not what was asked for
        with pytest.raises(BrokenResponse, match=r"TikTok's request id \w+"):
            list(VIDEOS.changed(api(sandbox, slept=slept), NOW, NOW))
    else:
        assert records(VIDEOS.changed(api(sandbox, slept=slept), NOW, NOW)) == everything
        assert len(slept) == 2


def test_no_secret_shows_in_an_error(sandbox: Sandbox) -> None:
    secrets = (CLIENT_SECRET, REFRESH_TOKEN, ACCESS_TOKEN)
    spilled = f"token {ACCESS_TOKEN} of {CLIENT_SECRET}"
    fault(sandbox, "throttled", **coded(40002, spilled))
    fault(sandbox, "expired_token", body={"spilled": spilled}, status=403)
    half = {"code": 0, "data": {"access_token": "act.fresh"}}
    fault(sandbox, "throttled", route="*/refresh_token/", skip=0, times=9, body=half)
    for _ in range(2):
        with pytest.raises(HttpError) as error:
            list(VIDEOS.changed(api(sandbox), NOW, NOW))
        assert not [secret for secret in secrets if secret in f"{error.value!r} {error.value}"]
    with pytest.raises(BrokenResponse) as error:
        refreshed(client(), sandbox.url, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN)
    assert "act.fresh" not in str(error.value)


def test_pages_that_go_in_circles_are_an_error(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiktok, "PAGE_SIZE", 2)
    fault(sandbox, "repeated", times=9)
    with pytest.raises(HttpError, match=r"repeats itself|goes in circles"):
        list(VIDEOS.changed(api(sandbox), NOW, NOW))


@dataclass
class Account:
    """The stream of one merchant, from a sandbox of its own whose clock goes on, into a warehouse."""

    sandbox: Sandbox
    connect: Callable[[], psycopg.Connection]
    now: datetime = NOW
    key: str = field(default_factory=lambda: Fernet.generate_key().decode())

    def tokens(self) -> StoredTokens:
        sending = client()
        return StoredTokens(
            connect=self.connect,
            cipher=Key(self.key),
            connection_id="tiktok_organic_aurora",
            app_key=CLIENT_ID,
            first=REFRESH_TOKEN,
            refresh=lambda token: refreshed(
                sending, self.sandbox.url, CLIENT_ID, CLIENT_SECRET, token, lambda: self.now
            ),
            redact=sending.redact,
            now=lambda: self.now,
        )

    def api(self) -> TikTokOrganicApi:
        return api(self.sandbox, self.tokens(), self.now)

    def sync(self) -> SyncReport:
        return sync_stream(self.connect, self.api(), TIKTOK_ORGANIC, VIDEOS, "aurora", self.now, NOW - 120 * DAY)

    def advance(self, by: timedelta) -> None:
        self.now += by
        self.sandbox.admin("/clock", {"freeze": self.now.isoformat()})

    def raw(self) -> dict[str, dict[str, Any]]:
        return {row["record_id"]: row for row in self.rows("select * from raw.tiktok_organic_videos")}

    def rows(self, query: str) -> list[dict[str, Any]]:
        with self.connect() as conn:
            return conn.cursor(row_factory=dict_row).execute(query.encode()).fetchall()


@pytest.fixture
def account(connect: Callable[[], psycopg.Connection]) -> Iterator[Account]:
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=NOW))) as url:
        yield Account(Sandbox(url), connect)


def test_readings_pile_up_in_raw_and_none_is_ever_lost(account: Account) -> None:
    assert account.sync().counts.inserted == len(truth(account.sandbox))
    assert account.rows("select distinct api_version from raw.tiktok_organic_videos") == [{"api_version": "v1.3"}]
    again = account.sync()
    assert (again.slices, again.counts.inserted, again.counts.updated) == (1, 0, 0)
    assert again.position == NOW

    first = account.raw()
    deleted, taken_back, *_ = (row["payload"]["video"]["item_id"] for row in first.values())
    account.advance(DAY)
    account.sandbox.admin(f"/shops/aurora/tiktok/videos/{deleted}", method="DELETE")
    undone = {"day": str(YESTERDAY), "counter": "favorites", "by": -100_000}
    account.sandbox.admin(f"/shops/aurora/tiktok/videos/{taken_back}/adjust", undone)
    account.sync()
    both = account.raw()
    assert {key: both[key] for key in first} == first
    assert set(both) - set(first) == {f"{video}/{NOW.date()}" for video in truth(account.sandbox)}
    assert f"{deleted}/{NOW.date()}" not in both
    totals = [both[f"{taken_back}/{on}"]["payload"]["video"]["favorites"] for on in (YESTERDAY, NOW.date())]
    assert totals[1] < totals[0]

    counts = reread(account.connect, account.api(), TIKTOK_ORGANIC, VIDEOS, "aurora", NOW - 60 * DAY, account.now)
    assert (counts.inserted, counts.updated, counts.removed) == (0, 0, 0)
    assert account.raw().keys() == both.keys()


def test_the_days_later_reading_counts(account: Account) -> None:
    account.sync()
    for later in (1, 2):
        account.advance(timedelta(hours=5))
        fault(account.sandbox, "merged", merge={"data": {"videos": {"*": {"favorites": later}}}})
        assert account.sync().counts.updated == len(account.raw())
    assert {row["payload"]["video"]["favorites"] for row in account.raw().values()} == {2}
    assert account.now.date() == NOW.date()


class RepairedVideo(videos.Video):
    """What a later version may know better."""

    likes: int | None = None


class RepairedReading(videos.Reading):
    video: RepairedVideo


def test_a_dead_letter_is_taken_up_on_its_own_day(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(account.sandbox, "merged", merge={"data": {"videos": {"0": {"likes": -5}}}})
    with pytest.raises(TooManyDeadLetters, match="1 of 6 records of videos"):
        account.sync()
    assert len(account.raw()) == 5
    account.advance(3 * DAY)
    account.sync()
    monkeypatch.setattr(videos, "_READING", msgspec.json.Decoder(RepairedReading))
    report = replay(account.connect, account.api(), TIKTOK_ORGANIC, VIDEOS, "aurora", dry_run=False)
    assert (report.letters, report.acceptable) == (1, 1)
    (landed,) = (row for row in account.raw().values() if row["payload"]["video"]["likes"] == -5)
    assert landed["event_at"] == datetime(2026, 11, 19, 12, tzinfo=UTC)


def test_a_rotated_pair_survives_a_restart(account: Account) -> None:
    """Tasks share what is in the warehouse: the first trades the connection's token, a day later another one its."""
    account.sync()
    assert account.tokens().value() == "act.sandbox_organic_aurora_1"
    account.advance(DAY)
    account.sync()
    assert account.tokens().value() == "act.sandbox_organic_aurora_2"
    (row,) = account.rows("select pair, access_ends_at, authorisation_ends_at from ops.vendor_tokens")
    assert b"sandbox_organic" not in row["pair"]
    assert row["access_ends_at"] == account.now + DAY
    assert row["authorisation_ends_at"] == account.now + 365 * DAY


def test_an_authorisation_that_ended_is_told(account: Account) -> None:
    account.advance(366 * DAY)
    with pytest.raises(AuthError, match=r"'tiktok_organic_aurora' cannot be renewed.*40105.*request id") as error:
        account.sync()
    assert REFRESH_TOKEN not in str(error.value)
