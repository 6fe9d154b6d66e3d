"""The card that people approve by: bounded, escaped, plain when nothing changes, with numbers as people read them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.backfill.rows import asked
from tributary.backfill.comparing.card import LONGEST, card, headline
from tributary.backfill.comparing.difference import MEASURES
from tributary.backfill.comparing.spelling import change, number, pair, percent, typed

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from psycopg import Connection

FIRST = date(2026, 3, 2)
MARTS = [f"fct_mart_{place:02}" for place in range(20)]


@pytest.fixture
def conn(connect: Callable[[], Connection]) -> Connection:
    return connect()


def merchant(conn: Connection, merchant_id: str, currency: str = "USD") -> str:
    conn.execute(
        """
        insert into ops.merchants (merchant_id, name, time_zone, currency, revenue_includes_tax, history_start)
        values (%s, %s, 'Europe/Berlin', %s, false, '2026-01-01')
        """,
        (merchant_id, merchant_id.title(), currency),
    )
    return merchant_id


def compared(conn: Connection, *merchants: str, days: int = 3, **changed: object) -> UUID:
    """A backfill over so many days whose difference was taken, and is empty yet."""
    last = FIRST + timedelta(days=days - 1)
    changed = {"models": ["fct_daily_metrics", *MARTS], "first_day": FIRST, "last_day": last, **changed}
    backfill_id = asked(conn, "first", *merchants, **changed).backfill_id
    conn.execute("update ops.backfills set compared_at = now() where backfill_id = %s", (backfill_id,))
    return backfill_id


def moves(
    conn: Connection,
    backfill_id: UUID,
    merchant_id: str,
    day: int,
    old: str | None,
    new: str | None,
    *,
    orders: int = 1,
    is_asked: bool = True,
    spend: str | None = "0",
) -> None:
    """A day whose revenue becomes another, and whose other figures stay."""
    others = {"orders": (orders, orders), "spend": (spend, spend)}
    for measure in MEASURES:
        told = {"revenue": (old, new)}.get(measure) or others.get(measure, (1, 1))
        sides = [None if side is None else value for side, value in zip((old, new), told, strict=True)]
        conn.execute(
            "insert into ops.backfill_differences values (%s, %s, %s, %s, '', %s, %s, %s)",
            (backfill_id, merchant_id, FIRST + timedelta(days=day), measure, is_asked, *sides),
        )


def shifts(conn: Connection, backfill_id: UUID, merchant_id: str, channel: str, old: int | None, new: int) -> None:
    conn.execute(
        "insert into ops.backfill_differences values (%s, %s, %s, 'attributed_revenue', %s, true, %s, %s)",
        (backfill_id, merchant_id, FIRST, channel, old, new),
    )


def changes(conn: Connection, backfill_id: UUID, merchant_id: str, mart: str, day: int, rows: int) -> None:
    conn.execute(
        "insert into ops.backfill_rows values (%s, %s, %s, %s, true, %s, 0, 0)",
        (backfill_id, merchant_id, mart, FIRST + timedelta(days=day), rows),
    )


def test_that_nothing_changes_is_said(conn: Connection) -> None:
    backfill_id = compared(conn, merchant(conn, "aurora"))
    moves(conn, backfill_id, "aurora", 0, "10", "10")
    text = card(conn, backfill_id)
    assert "**Nothing changes:**" in text
    assert "| revenue |" not in text
    assert headline(conn, backfill_id) == "nothing changes; 3 days asked"


def test_what_was_not_compared_yet_is_not_called_unchanged(conn: Connection) -> None:
    backfill = asked(conn, "first", merchant(conn, "aurora"))
    text = card(conn, backfill.backfill_id)
    assert "**The difference was not taken yet.**" in text
    assert "Nothing changes" not in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"is_dry_run": True, "needs_approval": True}, "* then: nothing, it is a dry run\n"),
        ({"needs_approval": True}, "* then: it is published when a manager approves\n"),
        ({}, "* then: it is published, without an approval\n"),
    ],
)
def test_it_says_what_comes_next(conn: Connection, changed: dict[str, bool], said: str) -> None:
    assert said in card(conn, compared(conn, merchant(conn, "aurora"), **changed))


def test_a_big_difference_is_cut_and_says_so(conn: Connection) -> None:
    merchants = [merchant(conn, name) for name in ("aurora", "basalt", "cirrus", "dune")]
    backfill_id = compared(conn, *merchants, days=90, reason="x" * 5_000, incident="y" * 5_000)
    for merchant_id in merchants:
        for day in range(90):
            # The later, the more.
            moves(conn, backfill_id, merchant_id, day, "1000000", str(1_000_001 + day))
            changes(conn, backfill_id, merchant_id, MARTS[day % 20], day, 1 + day)
        for shift in range(40):
            shifts(conn, backfill_id, merchant_id, f"a_channel_of_number_{shift}", 1, 2 + shift)
    text = card(conn, backfill_id)
    assert LONGEST - 1_000 < len(text) <= LONGEST
    shown = [text.count(f"\n| {FIRST + timedelta(days=day)} |") for day in range(90)]
    kept = sum(shown) // 4
    assert shown == [0] * (90 - kept) + [4] * kept
    more = f"Those whose revenue moves most, and {90 - kept} more days in ops.backfill_differences."
    assert text.count(more) == 4
    assert text.count(f"And {40 - kept} more channels in ops.backfill_differences.") == 4
    # The largest shift stays, the smallest goes.
    assert text.count("`a_channel_of_number_39`") == 4
    assert "`a_channel_of_number_0`" not in text
    assert f"| `{MARTS[9]}` | `aurora` | {FIRST + timedelta(days=89)} | 90 | 0 | 0 | +90.00 USD |" in text


def test_forty_merchants_still_fit(conn: Connection) -> None:
    merchants = [merchant(conn, f"merchant_{place:02}") for place in range(40)]
    backfill_id = compared(conn, *merchants)
    for merchant_id in merchants:
        moves(conn, backfill_id, merchant_id, 0, "1", "2")
    text = card(conn, backfill_id)
    assert len(text) <= LONGEST
    assert "And 20 more merchants in ops.backfill_differences." in text
    line = headline(conn, backfill_id)
    assert line.startswith("merchant_00 revenue 1.00 -> 2.00 USD (+100.0 %), orders 1; merchant_01 ")
    assert line.endswith("; 37 more merchants; 3 days asked")


def test_currencies_are_never_added(conn: Connection) -> None:
    backfill_id = compared(conn, merchant(conn, "aurora", "USD"), merchant(conn, "nordlicht", "EUR"))
    moves(conn, backfill_id, "aurora", 0, "100", "110")
    moves(conn, backfill_id, "nordlicht", 0, "1000", "1200")
    text = card(conn, backfill_id)
    assert "### Aurora (`aurora`), in USD" in text
    assert "### Nordlicht (`nordlicht`), in EUR" in text
    assert "| revenue | 100.00 | 110.00 | +10.00 | +10.0 % |" in text
    assert "| revenue | 1,000.00 | 1,200.00 | +200.00 | +20.0 % |" in text
    assert "1,310.00" not in text
    assert headline(conn, backfill_id) == (
        "aurora revenue 100.00 -> 110.00 USD (+10.0 %), orders 1;"
        " nordlicht revenue 1,000.00 -> 1,200.00 EUR (+20.0 %), orders 1; 3 days asked"
    )


def test_partitions_of_as_many_rows_stand_by_money(conn: Connection) -> None:
    backfill_id = compared(conn, merchant(conn, "aurora"))
    for day, new in enumerate(("11", "70", "15")):
        moves(conn, backfill_id, "aurora", day, "10", new)
        changes(conn, backfill_id, "aurora", "fct_mart_00", day, 5)
    changes(conn, backfill_id, "aurora", "fct_mart_01", 0, 6)
    partitions = card(conn, backfill_id).rpartition("### ")[2].splitlines()[4:]
    assert [line.split(" | ")[:3] for line in partitions] == [
        ["| `fct_mart_01`", "`aurora`", "2026-03-02"],
        ["| `fct_mart_00`", "`aurora`", "2026-03-03"],
        ["| `fct_mart_00`", "`aurora`", "2026-03-04"],
        ["| `fct_mart_00`", "`aurora`", "2026-03-02"],
    ]


def test_an_unknown_spend_makes_no_total(conn: Connection) -> None:
    backfill_id = compared(conn, merchant(conn, "aurora"))
    moves(conn, backfill_id, "aurora", 0, "10", "20", spend="5")
    moves(conn, backfill_id, "aurora", 1, "10", "20", spend=None)
    # A day that is not there on one side lacks nothing.
    moves(conn, backfill_id, "aurora", 2, None, "20", spend="5")
    text = card(conn, backfill_id)
    assert "| spend | - | - | - |  |" in text
    assert "| revenue | 20.00 | 60.00 | +40.00 | +200.0 % |" in text


def test_what_people_typed_is_not_obeyed(conn: Connection) -> None:
    evil = "**bold** [click](http://evil.example) <img src=x> `code`\n\n# A heading\n| a | b | \x1b[2J\u202e"
    text = card(conn, compared(conn, merchant(conn, "aurora"), reason=evil, incident=evil, requested_by=evil))
    for line in (line for line in text.splitlines() if "bold" in line):
        assert "\\*\\*bold\\*\\* \\[click\\](http://evil.example) \\<img src=x\\> \\`code\\` # A heading \\|" in line
    assert text.count("bold") == 3
    assert "\n# A heading" not in text
    assert not {"\x1b", "\u202e"} & {*text}
    assert typed("a" * 600) == "a" * 499 + "…"


@pytest.mark.parametrize(
    ("measure", "value", "said"),
    [
        ("revenue", "1234.5", "1,234.50"),
        ("revenue", "-0.001", "0.00"),
        ("aov", "2.345", "2.35"),
        ("orders", "12345", "12,345"),
        ("spend", None, "-"),
    ],
)
def test_a_number_is_as_people_read_it(measure: str, value: str | None, said: str) -> None:
    assert number(measure, Decimal(value) if value else None) == said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("100", "103.2", ("100.00 -> 103.20", "+3.20", "+3.2 %")),
        ("100", "100", ("100.00", "0.00", "")),
        ("0", "5", ("0.00 -> 5.00", "+5.00", "")),
        ("-50", "-75", ("-50.00 -> -75.00", "-25.00", "-50.0 %")),
        (None, "5", ("none -> 5.00", "+5.00", "")),
        ("5", None, ("5.00 -> none", "-5.00", "")),
        ("5", "0", ("5.00 -> 0.00", "-5.00", "-100.0 %")),
        # Too small to see is not nothing.
        ("1.111111", "1.111112", ("1.111111 -> 1.111112", "+0.000001", "+<0.1 %")),
        ("0.01", "1234567.89", ("0.01 -> 1,234,567.89", "+1,234,567.88", "+12,345,678,800.0 %")),
    ],
)
def test_a_change_is_as_people_read_it(old: str | None, new: str | None, said: tuple[str, str, str]) -> None:
    sides = [Decimal(side) if side else None for side in (old, new)]
    assert (pair("revenue", *sides), change("revenue", *sides), percent(*sides)) == said
