"""The nine streams of TikTok Shop: what is declared, how lists are paged through, and what raw contracts notice."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.contracts import objections
from tests.channels.shopify_sandbox import NOW, Sandbox
from tests.conftest import new_database
from tributary.channels.answer import Answer
from tributary.channels.tiktok_shop.analytics import days
from tributary.channels.tiktok_shop.reading import paged, window
from tributary.channels.tiktok_shop.shapes import moment
from tributary.channels.tiktok_shop.streams import TIKTOK_SHOP
from tributary.http import BrokenResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.channels.tiktok_road import Road

HISTORY = datetime(2026, 10, 25, tzinfo=UTC)


def test_the_declaration_is_whole() -> None:
    names = [stream.name for stream in TIKTOK_SHOP.streams]
    assert len(names) == len(set(names)) == 9
    assert {stream.name for stream in TIKTOK_SHOP.streams if stream.write == "snapshot"} == {"video_details"}
    assert {stream.name for stream in TIKTOK_SHOP.streams if stream.quiet} == {"statements"}
    assert all(stream.api_version and len(stream.api_version) == 6 for stream in TIKTOK_SHOP.streams)
    # A mirror is found from either side, whichever of the two arrives first.
    mirrored = {
        stream.name for stream in TIKTOK_SHOP.streams if {*stream.identities, *stream.links} >= {"tiktok_order"}
    }
    assert mirrored == {"orders", "returns", "cancellations", "statement_transactions"}


# Paging


class Shelf:
    """A vendor's list that is cut by count, or goes on behind a row; rows leave it while it is read."""

    def __init__(self, rows: int, leaving: dict[int, list[int]], by_count: bool) -> None:
        self.rows = list(range(rows))
        self.left: set[int] = set()
        self._leaving = leaving
        self._by_count = by_count
        self.requests = 0

    def ask(self, paging: dict[str, str]) -> Answer:
        for row in self._leaving.get(self.requests, ()):
            if row in self.rows:
                self.rows.remove(row)
                self.left.add(row)
        self.requests += 1
        size, token = int(paging["page_size"]), paging.get("page_token")
        position = int(base64.b64decode(token)) if token else 0 if self._by_count else -1
        rest = self.rows[position:] if self._by_count else [row for row in self.rows if row > position]
        found, last = rest[:size], position + size
        if not self._by_count and found:
            last = found[-1]
        following = base64.b64encode(str(last).encode()).decode() if len(rest) > size else ""
        body = json.dumps({"rows": found, "next_page_token": following, "total_count": len(self.rows)}).encode()
        return Answer(None, msgspec.Raw(body), body, body, "the shelf")


@given(
    rows=st.integers(0, 60),
    size=st.integers(1, 12),
    leaving=st.dictionaries(st.integers(0, 30), st.lists(st.integers(0, 59), max_size=9), max_size=12),
    by_count=st.booleans(),
)
def test_no_row_that_stays_is_lost_however_the_pages_shift(
    rows: int, size: int, leaving: dict[int, list[int]], by_count: bool
) -> None:
    shelf = Shelf(rows, leaving, by_count)
    read = {int(payload) for page in paged(shelf.ask, "rows", size) for payload in page.payloads}
    assert set(range(rows)) - shelf.left <= read <= set(range(rows))
    if not leaving:
        assert shelf.requests == max(1, -(-rows // size))


def test_an_empty_list_may_be_left_out_but_not_if_it_is_counted() -> None:
    def answering(**data: Any) -> Any:
        body = json.dumps(data).encode()
        return lambda _: Answer(None, msgspec.Raw(body), body, body, "there")

    assert [rows.payloads for rows in paged(answering(), "orders", 10)] == [[]]
    assert [rows.payloads for rows in paged(answering(orders=None, total_count=0), "orders", 10)] == [[]]
    with pytest.raises(BrokenResponse, match="counts 3 orders and lists none"):
        list(paged(answering(total_count=3), "orders", 10))


@given(start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), seconds=st.floats(0, 1e7))  # noqa: DTZ001
def test_a_window_is_widened_to_whole_seconds_and_days_are_those_whose_noon_it_holds(
    start: datetime, seconds: float
) -> None:
    start = start.replace(tzinfo=UTC)
    end = start + timedelta(seconds=seconds)
    since, until = window(start, end)
    assert since <= start.timestamp() < since + 1
    assert until - 1 < end.timestamp() <= until
    found = days(start, end)
    noons = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in found]
    assert all(start <= noon < end for noon in noons)
    assert len(set(found)) == len(found)
    around = [start.replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=n) for n in range(-1, 130)]
    assert len([noon for noon in around if start <= noon < end]) == len(found)


@pytest.mark.parametrize(
    "text", ["2026-11-01", "2026-11-01T10:00:00Z", "2026-11-01 10:00:00+05:30", "2026-11-01T10:00:00.123-0800"]
)
def test_python_and_postgresql_read_a_time_alike(text: str, shared_warehouse: str) -> None:
    with psycopg.connect(shared_warehouse) as conn:
        conn.execute("set time zone 'UTC'")
        row = conn.execute("select %s::text::timestamptz", (text,)).fetchone()
    told = moment("video_post_time", text)
    assert row == (told if told.tzinfo else told.replace(tzinfo=UTC),)


@pytest.mark.parametrize("text", ["soon", "2026-W45-1", "20261101", "2026-11-31", "1826-11-01", "2026-11-01T25:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expected a (date|time).* - at `\$.video_post_time`"):
        moment("video_post_time", text)


# Products, which are read as a whole, and contracts over all nine


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Weeks of business, because what is sold is settled long after."""
    with serve(create_app(Settings(first_day=HISTORY.date(), frozen_at=NOW))) as url:
        yield Sandbox(url)


def test_the_catalogue_is_read_whole_first_and_then_what_changed(tiktok_road: Road) -> None:
    road = tiktok_road
    road.start = HISTORY
    first = road.sync("products")
    assert first.counts.inserted == len(road.raw("products")) > 3
    [(api_version,)] = road.query(
        "select distinct api_version from raw.tiktok_shop_products where merchant_id = %(merchant)s"
    )
    assert api_version == "202502"
    assert road.sync("products").counts.records_read == 0
    known = sorted(road.raw("products"))
    pages = list(TIKTOK_SHOP.stream("products").by_id(road.make(), [*known[:2], "9"]))
    assert sorted(record.record_id for page in pages for record in page.records) == known[:2]
    assert [key for page in pages for key in page.gone] == ["9"]
    counts = road.reread("products", datetime(2020, 1, 1, tzinfo=UTC), NOW)
    assert (counts.inserted, counts.updated, counts.removed) == (0, 0, 0)


STREAMS = [stream.name for stream in TIKTOK_SHOP.streams]


@pytest.fixture(scope="module")
def synced(postgres_server_url: str, migrated_database: str) -> Iterator[str]:
    """A warehouse that the first test fills."""
    with new_database(postgres_server_url, template=migrated_database) as url:
        yield url


@pytest.fixture
def conn(tiktok_road: Road, synced: str) -> Iterator[psycopg.Connection]:
    """Everything that the shop gives, as if it had all happened just now; what a test does to it is undone."""
    road = tiktok_road
    road.merchant, road.start, road.connect = "aurora", HISTORY, lambda: psycopg.connect(synced)
    if not road.query("select from ops.syncs limit 1"):
        for name in STREAMS:
            road.sync(name)
            road.query(f"update raw.tiktok_shop_{name} set event_at = now() - interval '1 hour' returning 1")
    with psycopg.connect(synced) as conn:
        yield conn
        conn.rollback()


@pytest.mark.parametrize("stream", STREAMS)
def test_what_the_shop_sends_passes_its_contract(conn: psycopg.Connection, stream: str) -> None:
    assert conn.execute(f"select count(*) > 3 from raw.tiktok_shop_{stream}".encode()).fetchone() == (True,)
    assert objections(conn, f"tiktok_shop_{stream}") == []


@pytest.mark.parametrize(
    ("stream", "outcome", "check", "damage"),
    [
        ("orders", "failed", "Every order has its id", "payload - 'id'"),
        ("orders", "failed", "Less than a tenth of orders lack their units", "payload - 'line_items'"),
        ("orders", "failed", "Less than a tenth of orders lack their status", "payload - 'status'"),
        (
            "orders",
            "failed",
            "Less than a tenth of orders lack their currency",
            "payload #- '{payment,currency}'",
        ),
        (
            "orders",
            "warned",
            "An order's total is the sum of its parts",
            "jsonb_set(payload, '{payment,tax}', '\"99.00\"')",
        ),
        ("returns", "failed", "Less than a tenth of returns lack their status", "payload - 'return_status'"),
        ("cancellations", "failed", "Every cancellation has its id", "payload - 'cancel_id'"),
        ("statements", "failed", "Less than a tenth of statements lack their currency", "payload - 'currency'"),
        (
            "statement_transactions",
            "warned",
            "A settlement is the sum of its parts",
            "jsonb_set(payload, '{fee_tax_amount}', '\"99.00\"')",
        ),
        ("products", "failed", "Less than a tenth of products lack their SKUs", "payload - 'skus'"),
        ("videos", "failed", "Less than a tenth of videos lack their views", "payload - 'views'"),
        ("video_details", "failed", "Less than a tenth of days lack their likes", "payload #- '{traffic,likes}'"),
    ],
)  # fmt: skip
def test_what_a_contract_is_for(conn: psycopg.Connection, stream: str, outcome: str, check: str, damage: str) -> None:
    conn.execute(f"update raw.tiktok_shop_{stream} set payload = {damage}".encode())
    assert (outcome, check) in objections(conn, f"tiktok_shop_{stream}")


def test_a_day_that_lies_ahead_is_noticed(conn: psycopg.Connection) -> None:
    conn.execute("update raw.tiktok_shop_shop_performance set event_at = now() + interval '2 days'")
    assert objections(conn, "tiktok_shop_shop_performance") == [("failed", "No day of the shop lies ahead")]
