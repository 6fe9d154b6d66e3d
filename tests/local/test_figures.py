"""Tables for people."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg

from tributary.channels.vendor_quotas import SharedQuota, Window
from tributary.local.figures import CHECKPOINTS, table
from tributary.local.status import freshness

if TYPE_CHECKING:
    from collections.abc import Callable


def test_rows_are_aligned_and_amounts_keep_their_decimals(postgres_server_url: str) -> None:
    query = "select * from (values ('a', 1234.50, null), ('long', 0.00, 1)) as t (name, revenue, days)"
    with psycopg.connect(postgres_server_url) as conn:
        assert table(conn, query).splitlines() == [
            "  name   revenue  days",
            "  a     1,234.50",
            "  long      0.00     1",
        ]


def test_a_warehouse_without_tables_has_nothing_to_show(postgres_server_url: str) -> None:
    with psycopg.connect(postgres_server_url) as conn:
        assert table(conn, CHECKPOINTS) == ""
        assert conn.execute("select 1").fetchone() == (1,)


def test_status_shows_the_quotas_that_are_closed_and_those_alone(
    connect: Callable[[], psycopg.Connection], warehouse_url: str
) -> None:
    def quota(account: str) -> SharedQuota:
        windows = [Window(1, timedelta(days=1), "a day")]
        return SharedQuota(connect=connect, account=account, quota="reports", windows=windows)

    env = {"WAREHOUSE_URL": warehouse_url}
    quota("vendor/open").take()
    quota("vendor/closed once").close(-1, "HTTP 429: over by now")
    assert freshness(env) == "  The warehouse is empty."

    quota("vendor/0123456789abcdef").close(3600, "HTTP 429: the day's requests are used")
    with connect() as conn:
        ((end,),) = conn.execute(
            "select to_char(closed_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI') from ops.vendor_quotas "
            "where closed_until > now()"
        ).fetchall()
    header, *rows = [line.split("  ") for line in freshness(env).splitlines()]
    assert [cell.strip() for cell in header if cell] == ["account", "quota", "closed until (UTC)", "reason"]
    assert [[cell for cell in row if cell] for row in rows] == [
        ["vendor/0123456789abcdef", "reports", end, "HTTP 429: the day's requests are used"]
    ]
