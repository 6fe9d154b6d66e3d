"""The pipeline's own records end some day; open ones do not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tributary.warehouse.retention import expire

if TYPE_CHECKING:
    import psycopg

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_only_what_is_finished_and_old_goes(conn: psycopg.Connection) -> None:
    conn.execute("""
        insert into ops.check_results (run_id, dataset, check_name, level, outcome, checked_at)
        select 'run', 'a', 'b', 'fail', 'passed', at::timestamptz
        from unnest(array['2026-08-02', '2026-08-04']) as check_result (at);

        insert into ops.syncs (sync_id, merchant_id, channel, stream, window_start, window_end, status, finished_at)
        select gen_random_uuid(), 'aurora', 'shop', status, now(), now(), status, finished_at::timestamptz
        from (values
            ('succeeded', '2026-08-02'), ('failed', '2026-08-04'), ('running', null)
        ) as sync (status, finished_at);

        insert into ops.dead_letters (
            merchant_id, channel, stream, reason, payload, payload_hash, sync_id, first_seen_at, resolved_at
        )
        select 'aurora', 'shop', 'orders', reason, '', reason::bytea, gen_random_uuid(), '2026-01-01', at::timestamptz
        from (values ('closed long ago', '2026-10-01'), ('just closed', '2026-10-03'), ('open', null))
            as letter (reason, at);

        insert into ops.vendor_tokens (grant_key, connection, pair, access_ends_at, authorisation_ends_at)
        select at, 'shop', '', now(), at::timestamptz
        from unnest(array['2026-10-01', '2026-10-03']) as authorisation (at);
    """)

    assert expire(conn, NOW) == {"check_results": 1, "syncs": 1, "dead_letters": 1, "vendor_tokens": 1}

    assert conn.execute("select status from ops.syncs order by 1").fetchall() == [("failed",), ("running",)]
    assert conn.execute("select reason from ops.dead_letters order by 1").fetchall() == [("just closed",), ("open",)]
    assert conn.execute("select grant_key from ops.vendor_tokens").fetchall() == [("2026-10-03",)]
    assert expire(conn, NOW) == {"check_results": 0, "syncs": 0, "dead_letters": 0, "vendor_tokens": 0}
