"""Records asked for by id: what became of unfinished ones, what is gone, and dead letters once more."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tributary.channels.shopify import reading
from tributary.channels.shopify.streams import ORDERS, SHOPIFY
from tributary.http import BrokenResponse
from tributary.warehouse.raw_table import unfinished_condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg
    from shopify_sandbox import MakeApi

    from tributary.channels.shopify.api import ShopifyApi
    from tributary.declaration import Page, Record, Stream

START = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) - timedelta(days=365)
END = NOW + timedelta(hours=1)


def records(pages: list[Page]) -> dict[str, Record]:
    return {record.record_id: record for page in pages for record in page.records}


def children(pages: list[Page], stream: Stream) -> dict[tuple[str, str], Record]:
    return {(name, r.record_id): r for page in pages for name in stream.children for r in page.children[name]}


@pytest.mark.parametrize("stream", SHOPIFY.streams, ids=[stream.name for stream in SHOPIFY.streams])
def test_by_id_and_by_time_bring_the_same_records(
    stream: Stream, make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "IDS_AT_ONCE", 30)
    by_time = list(stream.changed(make_api(), START, END))
    assert set(by_time[0].children) == set(stream.children)
    ids = sorted(records(by_time))[:100]
    assert len(ids) > 10
    asked = [*ids[:7], "404404404", *ids[7:]]
    by_id = list(stream.by_id(make_api(), asked))
    assert records(by_id) == {key: record for key, record in records(by_time).items() if key in ids}
    assert children(by_id, stream) == {
        key: record for key, record in children(by_time, stream).items() if key[1].split("/")[0] in ids
    }
    assert [gone for page in by_id for gone in page.gone] == ["404404404"]
    assert not any(page.rejects for page in by_id)
    assert len(by_id) == -(-len(asked) // 30)


@pytest.mark.parametrize("stream", SHOPIFY.streams, ids=[stream.name for stream in SHOPIFY.streams])
def test_by_id_refuses_what_a_page_would_refuse(stream: Stream, sandbox: Sandbox, make_api: MakeApi) -> None:
    first, second = list(records(list(stream.changed(make_api(), START, END))))[:2]
    sandbox.fault("merged", merge={"data": {"nodes": {"0": {"updatedAt": "lately"}, "1": {"updatedAt": "nul \x00"}}}})
    (page,) = stream.by_id(make_api(), [first, second])
    assert not page.records
    assert not page.gone
    assert {letter.record_id for letter in page.rejects} == {first, second}
    assert "$.updatedAt" in page.rejects[0].reason
    assert "NUL" in page.rejects[1].reason
    assert b"\\u0000" in page.rejects[1].payload


def test_fewer_nodes_than_ids_is_an_error(make_api: MakeApi) -> None:
    api = make_api()
    read = api._read
    api._read = lambda operation, response: read(  # type: ignore[method-assign]
        operation, replace(response, body=b'{"data": {"nodes": [null]}}')
    )
    with pytest.raises(BrokenResponse, match="1 nodes to 2 ids"):
        list(ORDERS.by_id(api, ["1", "2"]))


@pytest.mark.parametrize("stream", SHOPIFY.streams, ids=[stream.name for stream in SHOPIFY.streams])
def test_a_dead_letter_is_accepted_once_its_bytes_are(stream: Stream, make_api: MakeApi) -> None:
    page = next(iter(stream.changed(make_api(), START, END)))
    record = page.records[0]
    own = {
        name: [child for child in page.children[name] if child.record_id.startswith(f"{record.record_id}/")]
        for name in stream.children
    }
    assert all(own.values()) or stream is ORDERS
    again = stream.replay(make_api(), record.payload)
    assert (list(again.records), list(again.rejects), again.children) == ([record], [], own)
    broken = record.payload.replace(b'"updatedAt":"', b'"updatedAt":"\\u0000', 1)
    refused = stream.replay(make_api(), broken)
    assert not refused.records
    (letter,) = refused.rejects
    assert (letter.record_id, letter.payload) == (record.record_id, broken)
    assert "NUL" in letter.reason


@pytest.fixture
def young() -> Iterator[Sandbox]:
    """A sandbox in the afternoon, whose clock may be moved."""
    with serve(create_app(Settings(first_day=NOW.date(), frozen_at=NOW + timedelta(hours=8)))) as url:
        yield Sandbox(url)


def test_visits_that_come_late_are_found_by_the_declared_condition(
    young: Sandbox, make_api: Callable[..., ShopifyApi], connect: Callable[[], psycopg.Connection]
) -> None:
    assert ORDERS.unfinished is not None
    condition = unfinished_condition(ORDERS.unfinished)

    def unfinished(found: dict[str, Record]) -> set[str]:
        query = sql.SQL("select {} from (select %s::jsonb as payload) as raw").format(condition)
        holds = {key: conn.execute(query, (record.payload.decode(),)).fetchone() for key, record in found.items()}
        return {key for key, row in holds.items() if row == (True,)}

    api = make_api(shop=young.shop())
    pages = list(ORDERS.changed(api, START, NOW + timedelta(days=1)))
    with connect() as conn:
        early = unfinished(records(pages))
        assert len(early) > 3
        assert not [key for name, key in children(pages, ORDERS) if name == "visits" and key.split("/")[0] in early]
        young.admin("/clock", {"advance_seconds": 4 * 3600})
        later = list(ORDERS.by_id(api, sorted(early)))
        assert set(records(later)) == early
        assert unfinished(records(later)) == set()
    visits = [key for name, key in children(later, ORDERS) if name == "visits"]
    assert {key.split("/")[0] for key in visits} <= early
    assert visits
    told: Any = records(pages)[visits[0].split("/")[0]]
    assert json.loads(told.payload)["customerJourneySummary"] == {
        "ready": False,
        "momentsCount": None,
        "customerOrderIndex": None,
        "daysToConversion": None,
        "moments": {"nodes": [], "pageInfo": {"hasNextPage": False}},
    }
