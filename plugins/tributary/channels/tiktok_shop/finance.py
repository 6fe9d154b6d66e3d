"""Statements, and the transactions that each of them settles: the fees."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.payloads import neutralised
from tributary.channels.records import Kind, Rows
from tributary.channels.tiktok_shop.reading import id_at, paged, picked, window
from tributary.channels.tiktok_shop.shapes import Amount, Currency, Id, MaybeSeconds, Seconds, instant
from tributary.declaration import Page, Record, Reject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tributary.channels.answer import Answer
    from tributary.channels.tiktok_shop.api import TikTokShopApi

STATEMENTS_PATH = "/finance/202309/statements"
TRANSACTIONS_PATH = "/finance/202501/statements/{}/statement_transactions"
BUDGET = "finance"
PAGE_SIZE = 100
"""The most that TikTok gives of either."""


class Statement(msgspec.Struct, gc=False):
    """What was settled on one day."""

    id: Id
    statement_time: Seconds
    currency: Currency | None = None
    payment_status: str | None = None
    payment_id: str | None = None
    payment_time: MaybeSeconds = None
    settlement_amount: Amount = None
    revenue_amount: Amount = None
    net_sales_amount: Amount = None
    shipping_cost_amount: Amount = None
    fee_amount: Amount = None
    adjustment_amount: Amount = None

    def record(self, payload: bytes) -> Record:
        """The statement as a record. TikTok names no time of change, so the later reading replaces the earlier."""
        cut_at = instant(self.statement_time)
        return Record(self.id, cut_at, cut_at, payload)


class _Cut(msgspec.Struct, gc=False):
    """What is needed of a statement to read its transactions."""

    id: Id
    statement_time: Seconds


class _Revenue(msgspec.Struct, gc=False):
    subtotal_before_discount_amount: Amount = None
    refund_subtotal_before_discount_amount: Amount = None
    seller_discount_amount: Amount = None
    seller_discount_refund_amount: Amount = None


class Transaction(msgspec.Struct, gc=False):
    """What one order, adjustment or reserve adds to a statement."""

    id: Id
    type: str | None = None
    order_id: str | None = None
    adjustment_id: str | None = None
    adjustment_order_id: str | None = None
    order_create_time: MaybeSeconds = None
    settlement_amount: Amount = None
    revenue_amount: Amount = None
    shipping_cost_amount: Amount = None
    fee_tax_amount: Amount = None
    adjustment_amount: Amount = None
    reserve_amount: Amount = None
    revenue_breakdown: _Revenue | None = None


class InStatement(msgspec.Struct, gc=False):
    """A transaction with what it does not say itself: its statement."""

    statement_id: Id
    statement_time: Seconds
    transaction: msgspec.Raw

    def record(self, payload: bytes) -> Record:
        """The transaction as a record, at the time of its statement; the payload is the vendor's alone."""
        transaction, cut_at = _TRANSACTION.decode(self.transaction), instant(self.statement_time)
        return Record(f"{self.statement_id}/{transaction.id}", cut_at, cut_at, bytes(self.transaction))


_CUT = msgspec.json.Decoder(_Cut)
_TRANSACTION = msgspec.json.Decoder(Transaction)
STATEMENTS = Kind(msgspec.json.Decoder(Statement), id_at("id"))
TRANSACTIONS = Kind(msgspec.json.Decoder(InStatement), id_at("statement_id", "transaction.id"))


def statements(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Statements by the time they were cut; no other time is known of them."""
    return map(STATEMENTS.page, _statements(api, start, end))


def statements_by_id(api: TikTokShopApi, ids: Sequence[str]) -> Iterator[Page]:
    """Statements as they are now. Nothing asks for one by its id, so they are looked for in the list, newest first."""
    return picked(map(STATEMENTS.page, _newest_first(api)), ids)


def transactions(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
    """The transactions of the statements that were cut in the window."""
    for rows in _statements(api, start, end):
        for payload in rows.payloads:
            statement = _cut(payload)
            yield from [Page((), [statement])] if isinstance(statement, Reject) else _transactions(api, statement)


def transactions_by_id(api: TikTokShopApi, ids: Sequence[str]) -> Iterator[Page]:
    """Transactions as they are now: all of their statements' are read, and these picked."""
    of = {record_id.partition("/")[0] for record_id in ids}

    def pages() -> Iterator[Page]:
        wanted = set(of)
        for rows in _newest_first(api):
            for statement in map(_cut, rows.payloads):
                if isinstance(statement, Reject):
                    yield Page((), [statement])
                elif statement.id in wanted:
                    wanted.remove(statement.id)
                    yield from _transactions(api, statement)
            if not wanted:
                return

    return picked(pages(), ids)


def _cut(payload: bytes) -> _Cut | Reject:
    """What is needed of a statement; or the dead letter of all of its transactions, which only it leads to."""
    try:
        return _CUT.decode(neutralised(payload))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Reject(None, f"The statement cannot be read, so neither can its transactions: {error}", payload)


def _statements(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Rows]:
    since, until = window(start, end)
    cut = {"statement_time_ge": str(since), "statement_time_lt": str(until), "sort_order": "ASC"}
    return paged(partial(_ask, api, STATEMENTS_PATH, {**cut, "sort_field": "statement_time"}), "statements", PAGE_SIZE)


def _newest_first(api: TikTokShopApi) -> Iterator[Rows]:
    order = {"sort_field": "statement_time", "sort_order": "DESC"}
    return paged(partial(_ask, api, STATEMENTS_PATH, order), "statements", PAGE_SIZE)


def _transactions(api: TikTokShopApi, statement: _Cut) -> Iterator[Page]:
    order = {"sort_field": "order_create_time", "sort_order": "ASC"}
    path = TRANSACTIONS_PATH.format(statement.id)
    for rows in paged(partial(_ask, api, path, order), "transactions", PAGE_SIZE):
        yield TRANSACTIONS.page(rows._replace(payloads=[_in_statement(statement, row) for row in rows.payloads]))


def _in_statement(statement: _Cut, transaction: bytes) -> bytes:
    return b'{"statement_id":"%b","statement_time":%d,"transaction":%b}' % (
        statement.id.encode(),
        statement.statement_time,
        transaction,
    )


def _ask(api: TikTokShopApi, path: str, query: Mapping[str, str], paging: dict[str, str]) -> Answer:
    return api.get(path, {**query, **paging}, budget=BUDGET)
