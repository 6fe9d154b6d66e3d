"""How old what was read is: by the last whole sync, whatever the vendor's clock shows and however quiet the shop is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests.warehouse.shop import NOW, ORDERS, SHOP, START, Vendor, add_merchants, merchant, order, page, sync
from tributary.declaration import Reject, Slice
from tributary.http import VendorUnavailable
from tributary.paths import MART_CONTRACTS
from tributary.quality.gate import verify
from tributary.warehouse.errors import TooManyDeadLetters
from tributary.warehouse.migrate import migrate
from tributary.warehouse.replay import replay
from tributary.warehouse.reread import reread
from tributary.warehouse.settings.merchants import apply_channels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    Connect = Callable[[], psycopg.Connection]

HOUR = timedelta(hours=1)
HERE = replace(SHOP, streams=(ORDERS,))
REJECTED = page(rejects=[Reject("9", "it is bad", b'{"id": "9"}')])


@pytest.fixture(autouse=True)
def connected(conn: psycopg.Connection, warehouse_url: str) -> None:
    """A merchant with a channel of one stream, whose SLA is six hours."""
    migrate(warehouse_url, [HERE])
    add_merchants(conn, merchant())
    apply_channels(conn, [merchant(channels={"shop": "shop_aurora"})])


def fresh(conn: psycopg.Connection) -> dict[str, Any]:
    """The stream as readers see it."""
    with conn.cursor(row_factory=dict_row) as cursor:
        [row] = cursor.execute("select * from marts.fct_freshness").fetchall()
    return row


def pass_by(conn: psycopg.Connection, hours: float) -> None:
    """Let time go by: whatever happened, happened so much earlier."""
    time = timedelta(hours=hours)
    conn.execute("update ops.checkpoints set read_at = read_at - %(t)s, updated_at = updated_at - %(t)s", {"t": time})
    conn.execute("update ops.merchant_channels set connected_at = connected_at - %s", (time,))


def judged(conn: psycopg.Connection) -> tuple[bool, bool]:
    row = fresh(conn)
    return row["is_beyond_sla"], row["is_stale"]


def test_a_vendor_whose_clock_is_behind_is_read_up_to_its_own_present(
    connect: Connect, conn: psycopg.Connection
) -> None:
    sync(connect, Vendor([page(order("1"))]))
    row = fresh(conn)
    assert (row["horizon"], row["is_loading"]) == (NOW, False)
    assert (row["sla_hours"], row["blocks_after_hours"]) == (6, 30)
    assert 0 <= row["hours_behind"] < 1


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(6.2, (False, False)), (6.3, (True, False)), (29.9, (True, False)), (30.1, (True, True))],
)
def test_it_is_late_beyond_its_sla_and_holds_back_a_day_later(
    connect: Connect, conn: psycopg.Connection, hours: float, expected: tuple[bool, bool]
) -> None:
    sync(connect, Vendor())
    pass_by(conn, hours)
    assert judged(conn) == expected


@pytest.mark.parametrize(("sla", "blocks_after"), [(1, 24), (2, 26), (36, 60)])
def test_what_may_be_an_hour_old_holds_back_after_a_day(sla: int, blocks_after: int) -> None:
    assert replace(ORDERS, sla=sla * HOUR).blocks_after == blocks_after * HOUR


def test_a_quiet_shop_is_fresh(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"))]))
    pass_by(conn, 40)
    sync(connect, Vendor(), now=NOW + 40 * HOUR)
    assert (fresh(conn)["horizon"], judged(conn)) == (NOW + 40 * HOUR, (False, False))


def test_what_the_vendor_has_not_completed_counts_as_not_read(connect: Connect, conn: psycopg.Connection) -> None:
    def history(api: Vendor, start: datetime, end: datetime) -> Iterator[Slice]:
        if start < NOW:
            yield Slice(start, NOW, ORDERS.changed)

    gated = replace(ORDERS, history=history, look_back=timedelta())
    sync(connect, Vendor(), stream=gated)
    assert judged(conn) == (False, False)
    pass_by(conn, 7)
    sync(connect, Vendor(), stream=gated, now=NOW + 7 * HOUR)
    row = fresh(conn)
    assert (row["horizon"], row["is_beyond_sla"]) == (NOW, True)
    assert 7 <= row["hours_behind"] < 8


def test_a_long_history_holds_nothing_back_while_it_moves(connect: Connect, conn: psycopg.Connection) -> None:
    def load(until: timedelta) -> None:
        stops = Vendor(by_window={START + until: [VendorUnavailable("It is down")]})
        with pytest.raises(VendorUnavailable):
            sync(connect, stops, stream=replace(ORDERS, look_back=timedelta()), now=START + timedelta(days=90))

    assert (fresh(conn)["is_loading"], fresh(conn)["horizon"], judged(conn)) == (True, None, (False, False))
    pass_by(conn, 31)
    assert judged(conn) == (True, True)
    load(timedelta(days=2))
    assert (fresh(conn)["is_loading"], fresh(conn)["horizon"]) == (True, START + timedelta(days=2))
    assert judged(conn) == (False, False)
    pass_by(conn, 31)
    assert judged(conn) == (True, True)
    load(timedelta(days=3))
    assert judged(conn) == (False, False)


def test_only_a_whole_sync_counts(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("1"))]))
    pass_by(conn, 7)
    with pytest.raises(TooManyDeadLetters):
        sync(connect, Vendor([REJECTED]), now=NOW + 7 * HOUR)
    reread(connect, Vendor([page(order("1"))]), HERE, ORDERS, "aurora", START, NOW)
    replay(connect, Vendor(), HERE, ORDERS, "aurora", dry_run=False)
    assert (fresh(conn)["horizon"], judged(conn)) == (NOW, (True, False))
    sync(connect, Vendor([page(order("1"))]), now=NOW + 8 * HOUR)
    assert (fresh(conn)["horizon"], judged(conn)) == (NOW + 8 * HOUR, (False, False))


def test_whoever_has_a_channel_no_more_is_not_late_with_it(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor())
    pass_by(conn, 100)
    apply_channels(conn, [merchant(channels={"shop": "another_connection"})])
    assert judged(conn) == (True, True)
    apply_channels(conn, [merchant()])
    assert conn.execute("select from marts.fct_freshness").rowcount == 0
    # Connected again, it has as long as at first.
    apply_channels(conn, [merchant(channels={"shop": "shop_aurora"})])
    assert judged(conn) == (False, False)


def test_a_stream_is_judged_as_it_is_declared_now(conn: psycopg.Connection, warehouse_url: str) -> None:
    slower = replace(ORDERS, name="visits", children=(), sla=36 * HOUR)
    migrate(warehouse_url, [replace(SHOP, streams=(slower,))])
    row = fresh(conn)
    assert (row["stream"], row["sla_hours"], row["blocks_after_hours"]) == ("visits", 36, 60)


def test_a_merchants_reader_sees_its_own_streams_alone(conn: psycopg.Connection) -> None:
    apply_channels(conn, [merchant(name, channels={"shop": "x"}) for name in ("aurora", "nordlicht")])

    def seen_by(role: str) -> set[str]:
        with conn.transaction(force_rollback=True):
            conn.execute("create role test_freshness_nobody nologin in role tributary_merchant_reader")
            conn.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            return {merchant_id for (merchant_id,) in conn.execute("select merchant_id from marts.fct_freshness")}

    assert seen_by("tributary_reader_aurora") == {"aurora"}
    assert seen_by("test_freshness_nobody") == set()
    assert seen_by("tributary_reader") == seen_by("tributary_pipeline") == {"aurora", "nordlicht"}


def test_says_of_whose_figures_a_backfill_is_at_work(conn: psycopg.Connection) -> None:
    merchants = [merchant(name, channels={"shop": "x"}) for name in ("aurora", "nordlicht")]
    add_merchants(conn, *merchants)
    apply_channels(conn, merchants)

    def seen_by(role: str) -> dict[str, tuple[bool, datetime | None]]:
        with conn.transaction(force_rollback=True):
            conn.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            query = "select merchant_id, is_reprocessed, reprocessed_since from marts.fct_freshness"
            return {merchant_id: (is_reprocessed, since) for merchant_id, is_reprocessed, since in conn.execute(query)}

    before = seen_by("tributary_reader")
    assert before == {"aurora": (False, None), "nordlicht": (False, None)}
    conn.execute(
        "insert into ops.leases (merchant_id, backfill_id, holder, reason, since, expires_at, days) "
        "values ('aurora', gen_random_uuid(), 'engineer', 'because', %s, now() + interval '1 hour', '{}')",
        (NOW,),
    )
    assert seen_by("tributary_reader") == before | {"aurora": (True, NOW)}
    assert seen_by("tributary_reader_aurora") == {"aurora": (True, NOW)}
    assert seen_by("tributary_reader_nordlicht") == {"nordlicht": (False, None)}
    conn.execute("update ops.leases set expires_at = now()")
    assert seen_by("tributary_reader") == before


LATE, STALE = "Every stream was read within its SLA", "No stream is a day beyond its SLA"


@pytest.mark.parametrize(("hours", "told"), [(1, {}), (7, {LATE: "warned"}), (31, {STALE: "failed"})])
def test_each_late_stream_is_told_once(
    connect: Connect, conn: psycopg.Connection, hours: int, told: dict[str, str]
) -> None:
    sync(connect, Vendor())
    pass_by(conn, hours)
    with connect() as own:
        findings = verify(own, [MART_CONTRACTS / "fct_freshness.yml"], {"schema": "build", "merchant_id": "aurora"})
    assert {finding.check for finding in findings} >= {LATE, STALE}
    assert {finding.check: finding.outcome for finding in findings if finding.outcome != "passed"} == told
    shown = [(row["channel"], row["stream"]) for finding in findings for row in finding.rows]
    assert shown == ([("shop", "orders")] if told else [])
