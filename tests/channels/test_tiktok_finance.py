"""Statements and their transactions: each lands once, late ones too, and a payment that arrives is noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.road import differing
from tests.channels.shopify_sandbox import NOW, Sandbox
from tests.channels.tiktok_road import Road, everything
from tests.channels.tiktok_sandbox import fault
from tributary.channels.tiktok_shop import finance
from tributary.channels.tiktok_shop.streams import STATEMENT_TRANSACTIONS, STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.channels.tiktok_sandbox import MakeTikTok

LIST = "/finance/202309/statements"
BY_TIME = {"sort_field": "statement_time"}
BY_ORDER = {"sort_field": "order_create_time"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Weeks of business, because what is sold is settled long after."""
    with serve(create_app(Settings(first_day=date(2026, 10, 25), frozen_at=NOW))) as url:
        yield Sandbox(url)


@pytest.fixture
def road(tiktok_road: Road) -> Road:
    return replace(tiktok_road, start=datetime(2026, 10, 24, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finance, "PAGE_SIZE", 4)


def told_statements(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in everything(sandbox, "GET", LIST, "statements", BY_TIME)}


def told_transactions(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    found = {}
    for statement in told_statements(sandbox):
        path = finance.TRANSACTIONS_PATH.format(statement)
        for one in everything(sandbox, "GET", path, "transactions", BY_ORDER):
            found[f"{statement}/{one['id']}"] = one
    return found


def test_every_statement_lands_once_with_its_time(road: Road) -> None:
    told = told_statements(road.sandbox)
    assert len(told) > 5
    assert road.sync("statements").counts.inserted == len(told)
    assert road.raw("statements") == told
    for key, event_at in road.query(
        "select record_id, event_at from raw.tiktok_shop_statements where merchant_id = %(merchant)s"
    ):
        assert event_at == datetime.fromtimestamp(told[key]["statement_time"], UTC)
    again = road.sync("statements").counts
    assert (again.inserted, again.updated, again.removed) == (0, 0, 0)


def test_every_transaction_lands_once_under_its_statement_and_at_its_time(road: Road) -> None:
    told, cut = told_transactions(road.sandbox), told_statements(road.sandbox)
    assert len(told) > 20
    assert road.sync("statement_transactions").counts.inserted == len(told)
    assert road.raw("statement_transactions") == told
    rows = """
        select record_id, event_at, api_version
        from raw.tiktok_shop_statement_transactions where merchant_id = %(merchant)s
    """
    for key, event_at, api_version in road.query(rows):
        assert event_at == datetime.fromtimestamp(cut[key.split("/")[0]]["statement_time"], UTC)
        assert api_version == "202501"
    again = road.sync("statement_transactions").counts
    assert (again.inserted, again.updated, again.removed) == (0, 0, 0)


def test_a_payment_that_arrives_is_noticed_although_no_time_says_so(road: Road) -> None:
    last = max(told_statements(road.sandbox).values(), key=lambda one: one["statement_time"])
    unpaid = {"payment_status": "PROCESSING", "payment_id": "", "payment_time": 0}
    fault(road.sandbox, "merged", LIST, times=None, merge={"data": {"statements": {"*": unpaid}}})
    road.sync("statements")
    assert {one["payment_status"] for one in road.raw("statements").values()} == {"PROCESSING"}
    road.no_faults()
    road.sync("statements")
    assert road.raw("statements")[last["id"]] == last
    assert road.raw("statements") == told_statements(road.sandbox)


@pytest.mark.parametrize("stream", ["statements", "statement_transactions"])
def test_a_statement_that_becomes_visible_late_is_found(stream: str, road: Road) -> None:
    rows = everything(road.sandbox, "GET", LIST, "statements", BY_TIME)
    last = datetime.fromtimestamp(rows[-1]["statement_time"], UTC)
    # Nothing was listed yet when the sync passed its time.
    empty = {"data": {"statements": None, "next_page_token": ""}}
    fault(road.sandbox, "merged", LIST, times=None, merge=empty)
    now = last + timedelta(hours=20)
    narrow = replace(road, start=last - timedelta(hours=1))
    narrow.sync(stream, road.make(), now=now)
    assert road.raw(stream) == {}
    road.no_faults()
    narrow.sync(stream, road.make(), now=now + timedelta(days=1))
    assert {key.split("/")[0] for key in road.raw(stream)} == {rows[-1]["id"]}


def test_they_are_found_by_their_ids(road: Road, make_tiktok: MakeTikTok) -> None:
    statements = sorted(told_statements(road.sandbox))[::2]
    pages = list(STATEMENTS.by_id(make_tiktok(), [*statements, "9"]))
    assert sorted(record.record_id for page in pages for record in page.records) == statements
    assert [key for page in pages for key in page.gone] == ["9"]
    transactions = sorted(told_transactions(road.sandbox))[::5]
    wrong = [transactions[0] + "0", "9/1"]
    pages = list(STATEMENT_TRANSACTIONS.by_id(make_tiktok(), [*transactions, *wrong]))
    assert sorted(record.record_id for page in pages for record in page.records) == transactions
    assert sorted(key for page in pages for key in page.gone) == sorted(wrong)


def test_a_bad_transaction_is_a_dead_letter_that_knows_its_statement(road: Road) -> None:
    route = finance.TRANSACTIONS_PATH.format("*")
    fault(road.sandbox, "merged", route, merge={"data": {"transactions": {"0": {"fee_tax_amount": "1,50"}}}})
    road.sync(replace(STATEMENT_TRANSACTIONS, max_dead_letter_rate=0.5))
    told = told_transactions(road.sandbox)
    [(record_id, reason, _)] = road.letters("statement_transactions")
    assert "$.fee_tax_amount" in reason
    assert set(told) - set(road.raw("statement_transactions")) == {record_id}
    road.query(
        """
        update ops.dead_letters
        set payload = convert_to(replace(convert_from(payload, 'UTF8'), '1,50', '1.50'), 'UTF8')
        where merchant_id = %(merchant)s returning 1
        """
    )
    assert road.replay("statement_transactions").acceptable == 1
    assert road.raw("statement_transactions")[record_id] == {**told[record_id], "fee_tax_amount": "1.50"}


def test_a_statement_that_cannot_be_read_is_told_and_costs_no_other(road: Road) -> None:
    fault(road.sandbox, "missing_field", LIST, path="data.statements.0.id")
    at_once = timedelta(days=60)
    road.sync(replace(STATEMENT_TRANSACTIONS, max_dead_letter_rate=0.5, slice_length=at_once))
    [(record_id, reason, _)] = road.letters("statement_transactions")
    assert record_id is None
    assert "The statement cannot be read, so neither can its transactions" in reason
    landed = {key.split("/")[0] for key in road.raw("statement_transactions")}
    assert len({key.split("/")[0] for key in told_transactions(road.sandbox)} - landed) == 1
    road.sync(replace(STATEMENT_TRANSACTIONS, look_back=at_once))
    assert set(road.raw("statement_transactions")) == set(told_transactions(road.sandbox))
    assert differing(road.snapshot("statement_transactions"), road.undisturbed("statement_transactions")).keys() == {
        "dead letters"
    }
