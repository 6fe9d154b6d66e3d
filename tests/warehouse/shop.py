"""A channel for tests: its vendor is a list of pages in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from psycopg import sql

from tributary.declaration import Channel, Page, Record, Reject, Stream
from tributary.warehouse.settings.merchants import Merchant, apply_merchants
from tributary.warehouse.sync import SyncReport, sync_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(hours=6)


@dataclass
class Vendor:
    """What the vendor's API answers: pages by the start of the window that is asked for, or the same pages always."""

    pages: Sequence[Page | Exception] = ()
    by_window: Mapping[datetime, Sequence[Page | Exception]] = field(default_factory=dict)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    now_by_id: Mapping[str, Page] = field(default_factory=dict)
    """What is there when it is asked for by id; everything else is gone."""
    asked_ids: list[str] = field(default_factory=list)

    def read(self, start: datetime, end: datetime) -> Iterator[Page]:
        self.asked.append((start, end))
        for page in self.by_window.get(start, self.pages):
            if isinstance(page, Exception):
                raise page
            yield page

    def by_id(self, ids: Sequence[str]) -> Iterator[Page]:
        self.asked_ids.extend(ids)
        yield from (self.now_by_id.get(record_id, Page((), gone=[record_id])) for record_id in ids)


def _read(api: Vendor, start: datetime, end: datetime) -> Iterator[Page]:
    return api.read(start, end)


def _read_by_id(api: Vendor, ids: Sequence[str]) -> Iterator[Page]:
    return api.by_id(ids)


def _replay(api: Vendor, body: bytes) -> Page:
    """A body that names its version is acceptable."""
    content = json.loads(body)
    if "version" not in content:
        return page(rejects=[Reject(content.get("id"), "it has no version", body)])
    return page(order(content.pop("id"), **content))


ORDERS = Stream(
    name="orders",
    changed=_read,
    happened=_read,
    cursor="updated_at",
    slice_length=timedelta(days=1),
    look_back=timedelta(hours=1),
    sla=timedelta(hours=6),
    budget="api",
    per_request=100,
    by_id=_read_by_id,
    replay=_replay,
    children=("refunds",),
    identities={"customer": "payload ->> 'customer'", "email": "lower(payload ->> 'email')"},
)
VISITS = replace(ORDERS, name="visits", children=(), identities={"email": "lower(payload ->> 'email')"})
COUNTERS = replace(ORDERS, name="counters", children=(), identities={}, write="snapshot", api_version="202509")
FIGURES = replace(ORDERS, name="figures", children=(), identities={}, restated_for=timedelta(days=3))
SHOP = Channel(
    name="shop",
    conn_type="shop",
    hook="none",
    schedule="@hourly",
    pool="shop",
    streams=(ORDERS, VISITS, COUNTERS, FIGURES),
)


def payload(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def order(
    record_id: str, *, version: int = 1, event_at: datetime = START, updated_at: datetime | None = None, **content: Any
) -> Record:
    """An order whose `version` is its age in minutes and part of its content."""
    body = payload({"id": record_id, "version": version, **content})
    return Record(record_id, event_at, updated_at or START + timedelta(minutes=version), body)


def refund(record_id: str, *, version: int = 1, event_at: datetime = START, **content: Any) -> Record:
    return order(record_id, version=version, event_at=event_at, **content)


def page(*records: Record, refunds: Iterable[Record] = (), rejects: Iterable[Reject] = ()) -> Page:
    return Page(records, tuple(rejects), {"refunds": tuple(refunds)})


def sync(
    connect: Any, vendor: Vendor, *, now: datetime = NOW, stream: Stream = ORDERS, merchant_id: str = "aurora"
) -> SyncReport:
    return sync_stream(connect, vendor, SHOP, stream, merchant_id, now, START)


def raw(conn: psycopg.Connection, table: str = "orders", merchant_id: str = "aurora") -> dict[str, dict[str, Any]]:
    """Raw payloads by record id."""
    query = sql.SQL("select record_id, payload from {} where merchant_id = %s").format(
        sql.Identifier("raw", f"shop_{table}")
    )
    return dict(conn.execute(query, (merchant_id,)).fetchall())


def changes(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute("select stream, record_id, operation from ops.changes order by 1, 2, change_id").fetchall()


def put(
    conn: psycopg.Connection, merchant_id: str, stream: str, record_id: str, event_at: datetime, **content: Any
) -> None:
    """A row of raw as an earlier sync would have left it."""
    body = payload(content)
    conn.execute(
        sql.SQL(
            "insert into {} (merchant_id, record_id, event_at, updated_at, payload, payload_hash, sync_id) "
            "values (%s, %s, %s, %s, %s, %s, %s)"
        ).format(sql.Identifier("raw", f"shop_{stream}")),
        (merchant_id, record_id, event_at, START, body.decode(), blake2b(body, digest_size=16).digest(), uuid4()),
    )


def merchant(merchant_id: str = "aurora", time_zone: str = "America/New_York", **changed: Any) -> Merchant:
    standard = Merchant(merchant_id, merchant_id.title(), time_zone, "USD", False, START.date(), {})
    return replace(standard, **changed)


def add_merchants(conn: psycopg.Connection, *merchants: Merchant) -> None:
    """Known merchants, without the change that being new means."""
    apply_merchants(conn, merchants)
    conn.execute("delete from ops.changes where operation = 'settings'")
