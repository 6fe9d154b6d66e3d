"""Whether what landed is what the API showed; a speed is printed only after this."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from bench.ingestion.orders import CHANGED_EVERY, Orders

if TYPE_CHECKING:
    from bench.ingestion.orders import Dataset

_RAW = "select record_id as id, payload from raw.shopify_orders"
_PEER = "select substring(id from '[0-9]+$') as id, to_jsonb(orders) -> 'payload' as payload from raw.orders"
_SAMPLE = 100


class WrongResultError(RuntimeError):
    """What landed is not what was sent."""


def check_warehouse(url: str, dataset: Dataset, shown: str = "first") -> None:
    """Raw holds the orders and all their children, with the payloads that were shown."""
    with psycopg.connect(url) as conn:
        _check_ids(conn, _RAW, dataset)
        _check_payloads(conn, _RAW, dataset, shown)
        for child, expected in dataset.children.items():
            _expect(child, expected, conn.execute(f"select count(*) from raw.shopify_{child}").fetchone())


def check_peer(url: str, dataset: Dataset, *, whole_payload: bool) -> None:
    """The peer's table holds the orders; where it keeps their payload in one column, that too."""
    with psycopg.connect(url) as conn:
        _check_ids(conn, _PEER, dataset)
        if whole_payload:
            _check_payloads(conn, _PEER, dataset, "first")


def check_counts(said: dict[str, object], **expected: int) -> None:
    """What a sync reports of itself."""
    for name, count in expected.items():
        _expect(name, count, (said[name],))


def _check_ids(conn: psycopg.Connection, rows: str, dataset: Dataset) -> None:
    found = conn.execute(f"select count(*), md5(string_agg(id, ',' order by id collate \"C\")) from ({rows}) as landed")
    _expect("orders and the checksum of their ids", (dataset.orders, dataset.ids), (found.fetchone(),))


def _check_payloads(conn: psycopg.Connection, rows: str, dataset: Dataset, shown: str) -> None:
    """Every so many-th order, changed ones and others."""
    orders = Orders(Path(dataset.folder) / shown)
    numbers = {0, CHANGED_EVERY, len(orders) - 1, *range(1, len(orders), max(1, len(orders) // _SAMPLE))}
    payloads = [orders.between(number, number + 1).decode() for number in numbers]
    found = conn.execute(
        f"select count(*) from ({rows}) as landed inner join unnest(%s::jsonb[]) as sent (payload) "
        "on landed.id = sent.payload ->> 'legacyResourceId' and landed.payload = sent.payload",
        (payloads,),
    )
    _expect("payloads of a sample", len(payloads), found.fetchone())


def _expect(what: str, expected: object, found: tuple[object, ...] | None) -> None:
    if found != (expected,):
        raise WrongResultError(f"{what}: {expected} expected, {found} found")
