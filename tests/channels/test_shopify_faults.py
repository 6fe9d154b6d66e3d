"""Whatever goes wrong between Shopify and the warehouse: the sync ends, says what it was, and what it leaves is right.

Every test runs the real client and the real loader against the sandbox, over HTTP, into a real warehouse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.app import create_app
from sandbox.fault_kinds import FAULTS
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import NOW, MakeApi, Sandbox
from tests.conftest import new_database
from tests.sandbox.fault_table import FAULTS_PAGE, table
from tributary.channels.shopify import reading
from tributary.channels.shopify.refusals import STATUS_REMEDIES
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.shopify.token import ClientCredentials, StaticToken
from tributary.http import (
    AuthError,
    BrokenResponse,
    Budget,
    HttpClient,
    PagingError,
    QuotaSpent,
    RateLimited,
    Redactor,
    RetryPolicy,
    Timeouts,
    VendorUnavailable,
)
from tributary.warehouse.errors import TooManyDeadLetters
from tributary.warehouse.sync import SyncReport, sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import Stream

FIRST_DAY = date(2026, 11, 19)
START = NOW - timedelta(hours=29, minutes=55)
# Three slices of several pages each, none of them read in bulk.
SLICE = timedelta(hours=10)
ORDERS = replace(SHOPIFY.stream("orders"), history=None, slice_length=SLICE)
LENIENT = replace(ORDERS, max_dead_letter_rate=0.2)
A_PAGE = 5
STALLS = Timeouts(read=2)
NODES = "data.orders.nodes"
CURSOR = {"cursor": "data.orders.pageInfo.endCursor", "more": "data.orders.pageInfo.hasNextPage"}

Snapshot = dict[str, dict[str, str]]
_UNTOUCHED: dict[datetime, Snapshot] = {}


@dataclass
class Road:
    """A shop and a warehouse that it is read into, as a merchant of the test's own."""

    merchant: str
    sandbox: Sandbox
    make_api: MakeApi
    connect: Callable[[], psycopg.Connection]

    def sync(
        self, api: ShopifyApi | None = None, *, now: datetime = NOW, stream: Stream = ORDERS, merchant: str = ""
    ) -> SyncReport:
        api = api or self.make_api()
        return sync_stream(self.connect, api, SHOPIFY, stream, merchant or self.merchant, now, START)

    def undisturbed(self, now: datetime = NOW) -> Snapshot:
        """What a merchant with the same shop holds after one sync in which nothing goes wrong."""
        self.sandbox.admin("/faults", method="DELETE")
        merchant = f"{self.merchant}, undisturbed until {now}"
        self.sync(merchant=merchant, now=now)
        return self.snapshot(merchant)

    def untouched(self, now: datetime = NOW) -> Snapshot:
        """The same for a shop in which the test changed nothing; every sandbox starts alike, so one reading does."""
        if now not in _UNTOUCHED:
            _UNTOUCHED[now] = self.undisturbed(now)
        self.sandbox.admin("/faults", method="DELETE")
        return _UNTOUCHED[now]

    def snapshot(self, merchant: str = "") -> Snapshot:
        """What the warehouse holds of a merchant, as checksums: without the ids of syncs and the times of loading."""
        parts = {
            f"raw {name}": f"""
                select record_id, md5((event_at, payload_hash, payload)::text)
                from raw.shopify_{name} where merchant_id = %(merchant)s
            """
            for name in (ORDERS.name, *ORDERS.children)
        }
        parts["changes"] = """
            select
                concat_ws(' ', stream, record_id, row_number() over of_record),
                md5((operation, old_event_at, new_event_at, old_payload)::text)
            from ops.changes where merchant_id = %(merchant)s
            window of_record as (partition by stream, record_id order by change_id)
        """
        parts["dead letters"] = """
            select md5(payload), md5((stream, record_id, reason, payload)::text)
            from ops.dead_letters where merchant_id = %(merchant)s and resolved_at is null
        """
        parts["checkpoints"] = "select stream, position::text from ops.checkpoints where merchant_id = %(merchant)s"
        return {part: dict(self.query(query, merchant=merchant or self.merchant)) for part, query in parts.items()}

    def query(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of the warehouse; `%(merchant)s` is the test's own."""
        with self.connect() as conn:
            conn.execute("set time zone 'UTC'")
            return conn.execute(query, {"merchant": self.merchant, **values}).fetchall()

    def position(self) -> datetime:
        """How far the merchant has been read."""
        [(position,)] = self.query("select position from ops.checkpoints where merchant_id = %(merchant)s")
        assert isinstance(position, datetime)
        return position

    def goes_on(self) -> datetime:
        """Where the merchant's second sync began; its slices are cut anew from there."""
        [(start,)] = self.query(
            "select min(window_start) from ops.syncs where merchant_id = %(merchant)s and window_start > %(start)s",
            start=START,
        )
        assert isinstance(start, datetime)
        return start

    def failure(self) -> str:
        """What the ledger says of the merchant's one sync that failed."""
        [(error,)] = self.query("select error from ops.syncs where merchant_id = %(merchant)s and status = 'failed'")
        return str(error)

    def slices(self, end: datetime = NOW) -> list[list[list[str]]]:
        """The ids on every page of every slice of a sync, in the order of its requests."""
        query = "{orders(first: 250, sortKey: UPDATED_AT) {nodes {legacyResourceId updatedAt}}}"
        found: list[list[list[str]]] = []
        times = {
            node["legacyResourceId"]: datetime.fromisoformat(node["updatedAt"])
            for node in self.sandbox.query(query)["orders"]["nodes"]
        }
        start = START
        while start < end:
            stop = min(start + SLICE, end)
            ids = [order for order, at in times.items() if start <= at < stop]
            found.append([ids[first : first + A_PAGE] for first in range(0, len(ids), A_PAGE)])
            start = stop
        assert all(len(pages) >= 2 for pages in found)
        return found

    def struck(self) -> list[int]:
        """How often each fault struck."""
        return [fault["hits"] for fault in self.sandbox.admin("/faults", method="GET")]


def differing(one: Snapshot, other: Snapshot) -> dict[str, set[str]]:
    """The parts that are not the same, and in them the orders whose rows, or whose children's rows, are not."""
    found: dict[str, set[str]] = {}
    for part in one:
        keys = {key for key, _ in one[part].items() ^ other[part].items()}
        if keys:
            found[part] = {number[0] if (number := re.search(r"\b\d{10,}\b", key)) else key for key in keys}
    return found


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A day and a half of business, for one test to do with as it likes."""
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=NOW))) as url:
        yield Sandbox(url)


@pytest.fixture(autouse=True)
def _no_faults_left() -> None:
    """Each test has a sandbox of its own here."""


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_SIZE", A_PAGE)


@pytest.fixture(scope="module")
def warehouse_url(postgres_server_url: str, migrated_database: str) -> Iterator[str]:
    """One warehouse for all tests here, each with a merchant of its own."""
    with new_database(postgres_server_url, template=migrated_database) as url:
        yield url


@pytest.fixture
def road(
    request: pytest.FixtureRequest, sandbox: Sandbox, make_api: MakeApi, connect: Callable[[], psycopg.Connection]
) -> Road:
    return Road(request.node.name, sandbox, make_api, connect)


class Drips:
    """A clock that makes every piece of a body seem to take minutes, until the client first backs off."""

    def __init__(self) -> None:
        self.step = 100.0
        self.now = 0.0

    def clock(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.step = 0.0


def patient(sleep: Callable[[float], None], **chosen: Any) -> HttpClient:
    """A client whose waits go to `sleep`."""
    budgets = {"graphql": Budget(rate=100, capacity=2000, sleep=sleep)}
    redact = Redactor(["shpat_sandbox_aurora"])
    return HttpClient(redact=redact, budgets=budgets, remedies=STATUS_REMEDIES, sleep=sleep, **chosen)


PASSING = {
    "429 storm": ("http_429", 5, {"retry_after": 17}),
    "THROTTLED": ("throttled", 5, {}),
    "5xx burst": ("http_5xx", 5, {"status": 502}),
    "cut": ("cut", 2, {}),
    "truncated": ("truncated", 2, {}),
    "malformed": ("malformed", 2, {}),
    "HTML page": ("html", 2, {}),
    "duplicate page": ("repeated", 2, {"records": NODES}),
    "answer of an earlier page": ("repeated", 2, {}),
    "cursor loop": ("cursor_loop", 2, CURSOR),
    "empty page": ("empty_page", 3, {"records": NODES, **CURSOR}),
    "wrong content type": ("wrong_content_type", 3, {"content_type": "text/html"}),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_passing_fault_leaves_no_trace(name: str, road: Road) -> None:
    kind, times, options = PASSING[name]
    road.sandbox.fault(kind, times=times, skip=1, **options)
    road.sync()
    assert road.struck() == [times]
    assert differing(road.snapshot(), road.untouched()) == {}


def test_a_stalled_body_is_given_up_at_the_read_time_out_and_asked_again(road: Road, slept: list[float]) -> None:
    road.sandbox.fault("stalled", skip=1)
    road.sync(road.make_api(timeouts=STALLS))
    assert road.struck() == [1]
    assert slept
    assert differing(road.snapshot(), road.untouched()) == {}


def test_a_dripping_body_is_given_up_at_the_total_time_out_and_asked_again(road: Road) -> None:
    road.sandbox.fault("slow", seconds=600)
    drips = Drips()
    road.sync(road.make_api(client=patient(drips.sleep, clock=drips.clock, timeouts=Timeouts(total=50))))
    assert drips.step == 0, "it backed off"
    assert differing(road.snapshot(), road.untouched()) == {}


LASTING: dict[str, tuple[str, dict[str, Any], type[Exception], str]] = {
    "429 storm": ("http_429", {"retry_after": 3}, RateLimited, r"HTTP 429: .*asks to wait 3 s"),
    "429 until tomorrow": (
        "http_429",
        {"retry_after": 7200},
        QuotaSpent,
        r"wait 7200 s, until .* UTC: longer than the 300 s that a task",
    ),
    "THROTTLED": ("throttled", {}, RateLimited, r"THROTTLED.*The budget refills by itself"),
    "5xx burst": ("http_5xx", {}, VendorUnavailable, r"HTTP 503: .*Given up after 2 attempts"),
    "stalled": ("stalled", {}, VendorUnavailable, r"stalled for 2 s"),
    "cut": ("cut", {}, BrokenResponse, r"broke off"),
    "truncated": ("truncated", {}, BrokenResponse, r"not whole JSON"),
    "malformed": ("malformed", {}, BrokenResponse, r"not whole JSON"),
    "HTML page": ("html", {}, BrokenResponse, r"not whole JSON: .*We'll be right back"),
    "token": ("expired_token", {}, AuthError, r"HTTP 401.*connection's password"),
    "answer of an earlier page": ("repeated", {}, PagingError, r"goes in circles.*the next run reads it again"),
    "duplicate page": (
        "repeated",
        {"records": NODES},
        PagingError,
        r"repeats itself: the same 5 records.*the next run reads it again",
    ),
    "cursor loop": ("cursor_loop", CURSOR, PagingError, r"goes in circles.*the next run reads it again"),
    "empty page": ("empty_page", {"records": NODES, **CURSOR}, PagingError, r"21 empty pages in a row"),
}


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on(name: str, road: Road) -> None:
    kind, options, error, words = LASTING[name]
    first, *_ = road.slices()
    road.sandbox.fault(kind, times=None, skip=len(first) + 1, **options)
    with pytest.raises(error, match=words) as caught:
        road.sync(road.make_api(timeouts=STALLS if kind == "stalled" else None, retry=RetryPolicy(attempts=2)))
    message = str(caught.value)
    assert "graphql.json" in message
    assert "request id" in message
    assert "shpat_" not in message
    assert road.failure() == f"{error.__name__}: {message}"
    assert road.position() == START + SLICE
    assert differing(road.snapshot(), road.untouched(road.position())) == {}
    road.sync()
    assert road.goes_on() == START + SLICE - ORDERS.look_back
    assert differing(road.snapshot(), road.untouched()) == {}


def test_a_body_that_always_drips_ends_at_the_total_time_out(road: Road) -> None:
    road.sandbox.fault("slow", times=None, seconds=600)
    client = patient(lambda _: None, clock=Drips().clock, timeouts=Timeouts(total=50), retry=RetryPolicy(attempts=3))
    with pytest.raises(VendorUnavailable, match=r"not complete after 50 s \(POST http.*graphql.json.*after 3 attempts"):
        road.sync(road.make_api(client=client))
    assert road.struck() == [3]
    assert all(rows == {} for rows in road.snapshot().values())
    road.sandbox.admin("/faults", method="DELETE")
    road.sync()
    assert differing(road.snapshot(), road.untouched()) == {}


@pytest.mark.parametrize(
    ("valid_for", "end"),
    [(None, "/tokens/{}/revoke"), (3600, "/clock")],
    ids=["revoked", "expired"],
)
def test_a_static_token_that_ends_in_mid_sync_needs_a_person_and_then_goes_on(
    valid_for: int | None, end: str, road: Road
) -> None:
    def api() -> tuple[ShopifyApi, str]:
        token = road.sandbox.admin("/shops/aurora/tokens", {"expires_in": valid_for})["access_token"]
        return road.make_api(token=StaticToken(token)), token

    ending, token = api()
    first, *_ = road.slices()
    # The first request asks for the token's scopes.
    happens = {"path": end.format(token), "body": {"advance_seconds": 3600} if valid_for else {}}
    road.sandbox.fault("meanwhile", skip=1 + len(first) + 1, **happens)
    with pytest.raises(AuthError, match=r"HTTP 401.*graphql.json, request id .*connection's password") as caught:
        road.sync(ending)
    assert token not in str(caught.value)
    assert token not in road.failure()
    assert road.position() == START + SLICE
    later = NOW + timedelta(hours=2)
    road.sync(api()[0], now=later)
    assert road.goes_on() == START + SLICE - ORDERS.look_back
    assert differing(road.snapshot(), road.undisturbed(later)).keys() <= {"changes"}


def test_a_granted_token_that_ends_in_mid_sync_is_renewed(road: Road, slept: list[float]) -> None:
    client = patient(slept.append)
    source = ClientCredentials(client, road.sandbox.shop(), "client_aurora", "secret_aurora")
    token = source.value()
    road.sandbox.fault("meanwhile", skip=4, path=f"/tokens/{token}/revoke")
    road.sync(road.make_api(client=client, token=source))
    assert source.value() != token
    assert differing(road.snapshot(), road.untouched()) == {}


MINUTES = 60


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(10, 0), (-10, 0), (0, 10), (0, -10)],
    ids=["ours ahead", "ours behind", "the vendor's ahead", "the vendor's behind"],
)
def test_a_clock_off_by_ten_minutes_loses_nothing_and_is_told(
    ours: int, theirs: int, road: Road, caplog: pytest.LogCaptureFixture
) -> None:
    off, vendors_off = timedelta(minutes=ours), timedelta(minutes=theirs)
    (first, *_), *_ = road.slices()
    if theirs:
        road.sandbox.fault("clock_off", times=None, seconds=theirs * 60)
    machine = [NOW + off]
    client = patient(lambda _: None, now=lambda: machine[-1])
    api = road.make_api(client=client)
    for minutes, order in zip((0, 5, 65), first, strict=False):
        moment = NOW + timedelta(minutes=minutes)
        machine.append(moment + off)
        road.sandbox.admin("/clock", {"freeze": moment.isoformat()})
        road.sandbox.admin(f"/shops/aurora/orders/{order}/touch")
        road.sync(api, now=moment + off)
    assert abs(client.skew - (vendors_off - off)) < timedelta(minutes=1)
    [warning] = [record.getMessage() for record in caplog.records if "clock" in record.getMessage()]
    assert re.search(
        r"clock shows \S+ \S+ UTC when this machine's shows .* (5[89]\d|60\d) s apart .*graphql.json", warning
    )
    # Both clocks are right again.
    end = NOW + timedelta(minutes=80)
    road.sandbox.admin("/clock", {"freeze": end.isoformat()})
    road.sandbox.admin("/faults", method="DELETE")
    end += timedelta(minutes=1)
    road.sync(now=end)
    assert differing(road.snapshot(), road.undisturbed(end)).keys() <= {"changes"}


@pytest.mark.parametrize("slice_number", [0, 2], ids=["an earlier slice", "the same slice"])
def test_a_record_that_changes_between_pages_comes_twice_and_the_newest_stays(slice_number: int, road: Road) -> None:
    slices = road.slices()
    order = slices[slice_number][0][4]
    skip = sum(len(pages) for pages in slices[:slice_number]) + 1
    road.sandbox.fault("meanwhile", skip=skip, path=f"/shops/aurora/orders/{order}/touch")
    end = NOW + timedelta(minutes=1)
    road.sync(now=end)
    newest = """
        select payload ->> 'updatedAt' from raw.shopify_orders
        where merchant_id = %(merchant)s and record_id = %(order)s
    """
    assert road.query(newest, order=order) == [("2026-11-20T12:00:00Z",)]
    # Moved by an earlier slice already, it is an update; within a slice only the newest is seen at all.
    expected = {"changes": {order}} if slice_number == 0 else {}
    assert differing(road.snapshot(), road.undisturbed(end)) == expected


def test_pages_that_shift_while_they_are_read_lose_nothing(road: Road) -> None:
    (first, second, *_), *_ = road.slices()
    unread = second[3]
    # Three leave a page that was read, among them the one that the cursor stands on; one goes before it was read.
    for order in (unread, first[-1], first[0], first[2]):
        road.sandbox.fault("meanwhile", skip=1, path=f"/shops/aurora/orders/{order}/touch")
    road.sync()
    assert road.struck() == [1, 1, 1, 1]
    end = NOW + timedelta(minutes=1)
    expected = road.undisturbed(end)
    assert set(expected["raw orders"]) - set(road.snapshot()["raw orders"]) == {unread}
    road.sync(now=end)
    moved = {first[-1], first[0], first[2]}
    assert differing(road.snapshot(), expected) == {"changes": moved}


def on_page(**patch: Any) -> dict[str, Any]:
    return {"merge": {"data": {"orders": {"nodes": patch}}}}


POISON: dict[str, tuple[str, dict[str, Any], str, str | None]] = {
    "another type": ("merged", on_page(**{"3": {"processedAt": 7}}), "$.processedAt", "{}"),
    "a list for an object": ("merged", on_page(**{"3": {"totalPriceSet": []}}), "$.totalPriceSet", "{}"),
    "missing id": ("missing_field", {"path": f"{NODES}.3.legacyResourceId"}, "missing required field", None),
    "NUL": ("merged", on_page(**{"3": {"name": "nul \x00"}}), "NUL character", "{}"),
    "lone surrogate": ("substituted", {"find": '"name":"', "put": '"name":"\\ud83d'}, "surrogate", "{}"),
    "not UTF-8": ("substituted", {"find": '"name":"', "put": '"name":"\xff'}, "not UTF-8", "{}"),
    "amount of 1e15": (
        "merged",
        on_page(**{"3": {"totalPriceSet": {"shopMoney": {"amount": "1000000000000000.00"}}}}),
        "$.totalPriceSet.shopMoney.amount",
        "{}",
    ),
    "id of 21 digits": (
        "merged",
        on_page(**{"3": {"legacyResourceId": "1" + "0" * 20}}),
        "$.legacyResourceId",
        "1" + "0" * 20,
    ),
}


@pytest.mark.parametrize("name", POISON)
def test_an_unacceptable_record_is_a_dead_letter_until_it_comes_right(name: str, road: Road) -> None:
    kind, options, reason, told_id = POISON[name]
    (page, *_), *_ = road.slices()
    order = page[3] if kind != "substituted" else page[0]
    road.sandbox.fault(kind, **options)
    report = road.sync(stream=LENIENT)
    assert report.counts.rejected == 1
    differences = differing(road.snapshot(), road.untouched())
    [letter] = differences.pop("dead letters")
    assert letter in road.snapshot()["dead letters"]
    assert {"raw orders", "changes"} <= differences.keys()
    assert set.union(*differences.values()) == {order}
    assert order not in road.snapshot()["raw orders"]
    [(record_id, told, payload)] = road.query(
        "select record_id, reason, payload from ops.dead_letters where merchant_id = %(merchant)s"
    )
    assert reason in told
    assert f'"gid://shopify/Order/{order}"'.encode() in payload
    assert record_id == (told_id and told_id.format(order))


@pytest.mark.parametrize("name", ["NUL", "missing id"])
def test_a_dead_letter_is_closed_when_its_record_comes_right(name: str, road: Road) -> None:
    kind, options, _, told_id = POISON[name]
    (page, *_), *_ = road.slices()
    road.sandbox.fault(kind, **options)
    road.sync(stream=LENIENT)
    # Somebody edits the order, and it comes as it should.
    road.sandbox.admin("/clock", {"advance_seconds": 3600})
    road.sandbox.admin(f"/shops/aurora/orders/{page[3]}/touch")
    end = NOW + timedelta(hours=2)
    road.sync(now=end)
    differences = differing(road.snapshot(), road.undisturbed(end))
    assert page[3] not in differences.pop("changes", set())
    # Without an id nobody can tell that it is the same record: that letter waits for a person.
    assert differences.keys() == (set() if told_id else {"dead letters"})


def test_too_many_unacceptable_records_fail_the_sync_after_the_others_landed(road: Road) -> None:
    (page, *_), *_ = road.slices()
    road.sandbox.fault("merged", **on_page(**{"*": {"processedAt": 7}}))
    words = r": 5 of \d+ records of orders, 2026-11-19 .* were unacceptable \(allowed: 1.0%\); the others landed"
    with pytest.raises(TooManyDeadLetters, match=words):
        road.sync()
    assert road.position() == START + SLICE
    differences = differing(road.snapshot(), road.untouched(road.position()))
    assert len(differences.pop("dead letters")) == 5
    assert set.union(*differences.values()) == set(page)
    road.sync()
    differences = differing(road.snapshot(), road.untouched())
    assert len(differences.pop("dead letters")) == 5
    assert set.union(*differences.values()) == set(page)


def test_an_unknown_field_is_kept(road: Road) -> None:
    (page, *_), *_ = road.slices()
    road.sandbox.fault("merged", **on_page(**{"0": {"loyaltyPoints": {"earned": 7}}}))
    road.sync()
    assert differing(road.snapshot(), road.untouched()) == {"raw orders": {page[0]}}
    kept = "select merchant_id from raw.shopify_orders where payload -> 'loyaltyPoints' ->> 'earned' = '7'"
    assert road.query(kept) == [(road.merchant,)]


def test_ids_up_to_the_end_of_64_bits_land_as_they_are(road: Road) -> None:
    (page, *_), *_ = road.slices()
    huge = [str(2**63 - 1), str(2**63), str(2**64 - 1)]
    patches = {str(index): {"legacyResourceId": key, "number": int(key)} for index, key in enumerate(huge)}
    road.sandbox.fault("merged", **on_page(**patches))
    road.sync()
    differences = differing(road.snapshot(), road.untouched())
    assert differences.pop("raw orders") == {*huge, *page[:3]}
    assert set.union(*differences.values()) == {*huge, *page[:3]}
    landed = "select record_id, payload ->> 'number' from raw.shopify_orders where payload ? 'number'"
    assert set(road.query(landed)) == {(key, key) for key in huge}


def test_the_largest_amount_lands_to_the_cent(road: Road) -> None:
    (page, *_), *_ = road.slices()
    largest = "9999999999999.99"
    road.sandbox.fault("merged", **on_page(**{"0": {"totalPriceSet": {"shopMoney": {"amount": largest}}}}))
    road.sync()
    assert differing(road.snapshot(), road.untouched()) == {"raw orders": {page[0]}}
    landed = """
        select (payload #>> '{totalPriceSet,shopMoney,amount}')::numeric::text
        from raw.shopify_orders where merchant_id = %(merchant)s and record_id = %(order)s
    """
    assert road.query(landed, order=page[0]) == [(largest,)]


TESTED = {
    "429 storm": test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on,
    "THROTTLED on HTTP 200": test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on,
    "5xx burst": test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on,
    "slow body": test_a_body_that_always_drips_ends_at_the_total_time_out,
    "stalled body": test_a_stalled_body_is_given_up_at_the_read_time_out_and_asked_again,
    "connection cut in the body": test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on,
    "truncated JSON passed off as whole": test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on,
    "wrong content type": test_a_passing_fault_leaves_no_trace,
    "HTML page with 200": test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on,
    "token revoked or expired in mid-sync": test_a_static_token_that_ends_in_mid_sync_needs_a_person_and_then_goes_on,
    "clock off by 10 minutes": test_a_clock_off_by_ten_minutes_loses_nothing_and_is_told,
    "cursor loop": test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on,
    "duplicate page": test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on,
    "empty page with a next cursor": test_a_lasting_fault_keeps_what_was_committed_and_the_next_run_goes_on,
    "page shift while paging": test_pages_that_shift_while_they_are_read_lose_nothing,
    "record updated between pages": test_a_record_that_changes_between_pages_comes_twice_and_the_newest_stays,
    "unknown new field": test_an_unknown_field_is_kept,
    "field of another type": test_an_unacceptable_record_is_a_dead_letter_until_it_comes_right,
    "many fields of another type": test_too_many_unacceptable_records_fail_the_sync_after_the_others_landed,
    "missing id": test_a_dead_letter_is_closed_when_its_record_comes_right,
    "NUL, lone surrogate, bytes that are no text": test_an_unacceptable_record_is_a_dead_letter_until_it_comes_right,
    "id of 2^63 and above": test_ids_up_to_the_end_of_64_bits_land_as_they_are,
    "amount of 1e15": test_the_largest_amount_lands_to_the_cent,
}


def test_every_documented_fault_is_tested() -> None:
    rows = table(FAULTS_PAGE.read_text(), "fault")
    assert [row[0] for row in rows] == list(TESTED)
    assert {kind.strip("`") for row in rows for kind in row[1].split(", ")} == set(FAULTS)
    assert all(row[2] and row[3] for row in rows)
