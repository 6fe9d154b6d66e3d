"""A shop with something for every branch of the loader, the operations on it, and all that they leave behind."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from tests.warehouse.shop import FIGURES, ORDERS, SHOP, START, order, page, payload, refund
from tributary.declaration import Page, Reject, Unfinished
from tributary.warehouse.failpoint import failpoint
from tributary.warehouse.replay import replay
from tributary.warehouse.reread import reread
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tributary.declaration import Record, Stream

DAY = timedelta(days=1)
PLACES = ("reading", "staged", "merged", "before commit", "committed")
"""Where a worker can be stopped: the loader's failpoints, and between two pages of the vendor."""

_MINUTES = 24 * 60
_ACCEPTABLE = payload({"id": "90", "version": 1})
_NAMELESS = payload({"id": "92", "version": 1})
_REFUSED = payload({"id": "91", "note": "it has no version"})


def _days_order(day: int, record_id: str, **content: Any) -> Record:
    """An order as it was changed on a day, unless another day is given as its business time."""
    return order(record_id, **{"version": day * _MINUTES + 1, "event_at": START + day * DAY, **content})


def _first_day() -> Iterator[Page]:
    rejects = [
        Reject("x", "no date", b'{"id":"x"}'),
        Reject("y", "no date", b'{"id":"y"}'),
        Reject("90", "was strange", _ACCEPTABLE),
        Reject("91", "was strange", _REFUSED),
        Reject(None, "was strange", _NAMELESS),
    ]
    plain = [order(str(n)) for n in range(1, 31)]
    waiting = [order(record_id, ready=False) for record_id in ("31", "32")]
    refunds = [refund(record_id) for record_id in ("1/7", "2/8", "3/9", "32/10")]
    yield page(*plain, *waiting, _days_order(2, "33", version=1), refunds=refunds, rejects=rejects)


# What the vendor holds of the first day now: 3 is deleted, 5 has moved to another day, 80 was overlooked.
_NOW = {
    "1": page(_days_order(1, "1", event_at=START), refunds=[refund("1/7", note="edited"), refund("1/11")]),
    "2": page(_days_order(1, "2", event_at=START)),
    "5": page(_days_order(6, "5")),
    "31": page(order("31", ready=True)),
    "80": page(order("80"), refunds=[refund("80/12")], rejects=[Reject("81", "no date", b'{"id":"81"}')]),
}
_GONE = ("3", "32")

_CHANGED: dict[datetime, Sequence[Page]] = {
    START: [*_first_day()],
    START + DAY: [
        _NOW["1"],
        _NOW["2"],
        page(
            *(_days_order(1, str(n), note="some pages of it" * 100) for n in range(100, 140)),
            refunds=[refund("100/1"), refund("100/2")],
            rejects=[Reject("y", "no date", b'{"id":"y"}'), Reject("z", "no id", b"{}")],
        ),
    ],
    START + 2 * DAY: [
        page(_days_order(2, "x"), _days_order(2, "33"), _days_order(2, "90"), _days_order(2, "91")),
        page(_days_order(2, "100", note="second day"), refunds=[refund("100/2", note="second day")]),
        page(*(_days_order(2, str(n)) for n in range(140, 160)), rejects=[Reject("160", "no date", b"[]")]),
    ],
    START + 3 * DAY: [
        page(_days_order(3, "33", note="third day"), _days_order(3, "170", ready=False)),
        page(_days_order(3, "100", note="third day"), refunds=[]),
    ],
}

# A report as it is read first, with the days ahead, and how each of these days reads when it has come.
_REPORT: dict[datetime, Sequence[Page]] = {
    START: [Page([_days_order(day, f"{day}/{name}") for day in range(4) for name in "abc"])],
    START + DAY: [
        Page([_days_order(1, "1/a"), _days_order(1, "1/d")]),
        Page([], [Reject("1/b", "no figure", b"{}"), Reject("1/e", "no figure", b"[]")]),
    ],
    START + 2 * DAY: [Page([_days_order(2, "2/b", note="restated")]), Page([_days_order(2, "2/c")])],
}


@dataclass
class Shop:
    """The vendor. It may stop answering between two pages."""

    hangs: bool = False

    def changed(self, start: datetime, end: datetime) -> Iterator[Page]:
        return self._paged(_CHANGED.get(start, ()))

    def happened(self, start: datetime, end: datetime) -> Iterator[Page]:
        assert start == START
        unchanged = page(order("4"), *(order(str(n)) for n in range(6, 31)))
        return self._paged([unchanged, _NOW["1"], _NOW["2"], _NOW["80"]])

    def report(self, start: datetime, end: datetime) -> Iterator[Page]:
        return self._paged(_REPORT.get(start, ()))

    def by_id(self, ids: Sequence[str]) -> Iterator[Page]:
        return self._paged([_NOW[id_] if id_ in _NOW else Page((), gone=[id_]) for id_ in ids])

    def replay(self, body: bytes) -> Page:
        self._answer()
        return ORDERS.replay(self, body)

    def _paged(self, pages: Sequence[Page]) -> Iterator[Page]:
        for number, one in enumerate(pages):
            if number == 1:
                self._answer()
            yield one

    def _answer(self) -> None:
        failpoint("reading")
        if self.hangs:
            threading.Event().wait()


# Without a look-back, a re-run's windows are the undisturbed run's, so that the ledgers can be compared.
STREAM = replace(
    ORDERS,
    changed=Shop.changed,
    happened=Shop.happened,
    by_id=Shop.by_id,
    replay=Shop.replay,
    look_back=timedelta(),
    unfinished=Unfinished("(payload ->> 'ready') = 'false'", timedelta(days=30)),
    max_dead_letter_rate=1,
)
REPORT = replace(
    FIGURES,
    changed=Shop.report,
    by_id=lambda api, ids: iter([Page((), gone=ids)]),
    look_back=timedelta(),
    write="replace_slice",
    max_dead_letter_rate=1,
)


def _sync(url: str, end: datetime, shop: Shop, stream: Stream = STREAM) -> None:
    sync_stream(lambda: psycopg.connect(url), shop, SHOP, stream, "aurora", end, START)


def prepare(url: str) -> None:
    """The first day, synced."""
    for stream in (STREAM, REPORT):
        _sync(url, START + DAY, Shop(), stream)


def _reread(url: str) -> None:
    reread(lambda: psycopg.connect(url), Shop(), SHOP, STREAM, "aurora", START, START + DAY)


def _replay(url: str) -> None:
    replay(lambda: psycopg.connect(url), Shop(), SHOP, STREAM, "aurora", reason="was strange", dry_run=False)


OPERATIONS: dict[str, Callable[[str], None]] = {
    "sync": lambda url: _sync(url, START + 4 * DAY, Shop()),
    "sync of a report": lambda url: _sync(url, START + 4 * DAY, Shop(), REPORT),
    "reread": _reread,
    "replay": _replay,
    "sync of a vendor that hangs": lambda url: _sync(url, START + 4 * DAY, Shop(hangs=True)),
}

# By which work a row was written: ids differ from run to run, and a replay's time is the clock's.
_BY = """(
    select syncs.kind || case when syncs.kind = 'replay' then '' else ' from ' || syncs.window_start end
    from ops.syncs
    where syncs.sync_id = kept.sync_id and syncs.status = 'succeeded'
)"""
_RAW = """
    select merchant_id, record_id, event_at, updated_at, payload, payload_hash, {by} from raw.shop_{stream} as kept
"""
_STATE = {
    "orders": _RAW.replace("{stream}", "orders"),
    "refunds": _RAW.replace("{stream}", "refunds"),
    "visits": _RAW.replace("{stream}", "visits"),
    "figures": _RAW.replace("{stream}", "figures"),
    "changes": """
        select
            merchant_id, channel, stream, record_id, operation, old_event_at, new_event_at, old_payload, {by},
            row_number() over (partition by merchant_id, channel, stream, record_id order by change_id)
        from ops.changes as kept
    """,
    "checkpoints": "select merchant_id, channel, stream, position, {by} from ops.checkpoints as kept",
    "dead letters": """
        select
            merchant_id, channel, stream, record_id, reason, payload, payload_hash, times_seen,
            resolved_at is null, {by}
        from ops.dead_letters as kept
    """,
    "ledger": """
        select
            merchant_id, channel, stream, records_read, inserted, updated, removed, unchanged, rejected, error, {by}
        from ops.syncs as kept
        where status = 'succeeded'
    """,
}


def state(url: str) -> dict[str, list[str]]:
    """Every row that operations left, with the work that wrote it, but for ids and clocks that differ between runs."""
    return _rows(url, _STATE, _BY)


def outcome(url: str) -> dict[str, list[str]]:
    """What operations left, whichever of them did what: of the ledger, what they changed together."""
    summed = "select sum(inserted), sum(updated), sum(removed) from ops.syncs where status = 'succeeded'"
    return _rows(url, _STATE | {"ledger": summed}, "null")


def _rows(url: str, queries: dict[str, str], by: str) -> dict[str, list[str]]:
    with psycopg.connect(url) as conn:
        return {
            name: [row for (row,) in conn.execute(f"select kept::text from ({query.format(by=by)}) as kept order by 1")]
            for name, query in queries.items()
        }


def unsuccessful(url: str) -> list[tuple[str, str | None]]:
    """What the ledger says of the work that did not succeed: status and error."""
    with psycopg.connect(url) as conn:
        return conn.execute(
            "select status, error from ops.syncs where status <> 'succeeded' order by started_at"
        ).fetchall()
