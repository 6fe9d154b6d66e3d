"""Tables for people."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg

from tributary.channels.vendor_quotas import SharedQuota, Window
from tributary.local.figures import FRESHNESS, table
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
        assert table(conn, FRESHNESS) == ""
        assert conn.execute("select 1").fetchone() == (1,)


def test_status_shows_what_is_late_what_is_wrong_and_what_waits(
    connect: Callable[[], psycopg.Connection], warehouse_url: str
) -> None:
    with connect() as conn:
        conn.execute(
            """
            insert into ops.merchant_channels values ('aurora', 'shopify', '2026-03-01');
            insert into ops.checkpoints (merchant_id, channel, stream, position, sync_id, read_at, as_of)
            select
                'aurora', 'shopify', stream, '2026-03-01 06:00Z', gen_random_uuid(), now() - ago, '2026-03-01 06:00Z'
            from (values ('orders', interval '2 hours'), ('products', '2 days'), ('customers', null))
            as read (stream, ago);
            insert into ops.incidents (
                merchant_id, dataset, check_name, severity, holds_back, what, dag_id, run_id, run_url,
                run_started_at, opened_at, last_seen_at, muted_until, root_id
            )
            values
                ('aurora', 'fct_orders', 'No order is there twice', 'blocking', true, '', '', '', '',
                    now(), '2026-03-01 07:00Z', now(), '2026-03-01 09:00Z', null),
                ('aurora', 'fct_aov', 'It follows from the other', 'blocking', true, '', '', '', '',
                    now(), now(), now(), null, 1);
            insert into ops.messages (service, channel, body, created_at, error, sent_body)
            values
                ('slack', '#analytics-incidents', '{}', '2026-03-01 07:00Z', 'HTTP 500', null),
                ('slack', '#analytics-monitoring', '{}', now(), null, '{}')
            """
        )
    shown = [" ".join(line.split()) for line in freshness({"WAREHOUSE_URL": warehouse_url}).splitlines() if line]
    loading = [line for line in shown if line.endswith("reading its history")]
    assert "aurora shopify orders 2026-03-01 06:00 beyond its SLA of 1 h: 2.00 h behind" in shown
    assert "aurora shopify products 2026-03-01 06:00 blocks after 30 h, is 48.00 h behind" in shown
    assert loading == ["aurora shopify customers 2026-03-01 06:00 reading its history"]
    assert shown[4:] == [
        "incident severity merchant check since (UTC) muted until (UTC)",
        "1 blocking aurora fct_orders: No order is there twice 2026-03-01 07:00 2026-03-01 09:00",
        "service channel messages waiting since (UTC) last error",
        "slack #analytics-incidents 1 2026-03-01 07:00 HTTP 500",
    ]


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
