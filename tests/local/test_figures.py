"""Tables for people."""

from __future__ import annotations

import psycopg

from tributary.local.figures import CHECKPOINTS, table


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
