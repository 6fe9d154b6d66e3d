"""The pipeline's own records end some day; open ones do not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tributary.warehouse.retention import expire

if TYPE_CHECKING:
    import psycopg

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_only_what_is_finished_and_old_goes(conn: psycopg.Connection) -> None:
    conn.execute("""
        insert into ops.check_results (run_id, dataset, check_name, level, outcome, checked_at)
        select 'run', 'a', 'b', 'fail', 'passed', at::timestamptz
        from unnest(array['2026-08-02', '2026-08-04']) as check_result (at);

        insert into ops.failed_rows (dag_id, run_id, dataset, check_name, row, failed_at)
        select 'dag', 'run', 'a', 'b', '{}', at::timestamptz
        from unnest(array['2026-10-01', '2026-10-03']) as failed (at);

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

    assert expired(conn) == {"check_results": 1, "failed_rows": 1, "syncs": 1, "dead_letters": 1, "vendor_tokens": 1}

    assert conn.execute("select status from ops.syncs order by 1").fetchall() == [("failed",), ("running",)]
    assert conn.execute("select reason from ops.dead_letters order by 1").fetchall() == [("just closed",), ("open",)]
    assert conn.execute("select grant_key from ops.vendor_tokens").fetchall() == [("2026-10-03",)]
    assert expired(conn) == {}


def test_an_incident_goes_a_year_after_it_was_resolved_and_its_thread_with_it(conn: psycopg.Connection) -> None:
    conn.execute("""
        insert into ops.messages (service, channel, body, sent_body, created_at)
        select 'slack', about, '{"text": "now"}', said::jsonb, at::timestamptz
        from (values
            ('resolved long ago', '{"text": "now"}', '2025-01-01'),
            ('just resolved', '{"text": "now"}', '2025-01-01'),
            ('open for long', '{"text": "now"}', '2025-01-01'),
            ('a reply waits', '{"text": "now"}', '2025-01-01'),
            ('never sent', null, '2025-01-01'),
            ('not edited yet', '{"text": "before"}', '2025-01-01'),
            ('of this year', '{"text": "now"}', '2026-01-01')
        ) as message (about, said, at);

        insert into ops.messages (service, channel, thread_id, body, sent_body, created_at)
        select
            'slack', 'reply: ' || channel, message_id, '{}',
            case when channel <> 'a reply waits' then '{}'::jsonb end, '2025-01-01'
        from ops.messages where channel in ('resolved long ago', 'just resolved', 'a reply waits');

        insert into ops.incidents (
            dataset, check_name, severity, status, holds_back, what, dag_id, run_id, run_url, run_started_at, opened_at,
            last_seen_at, resolved_at, message_id
        )
        select
            about, '', 'warning', status, false, '', '', '', '', now(), now(), now(), at::timestamptz,
            (select message_id from ops.messages where channel = about)
        from (values
            ('resolved long ago', 'resolved', '2025-10-31'),
            ('just resolved', 'resolved', '2025-11-02'),
            ('open for long', 'open', null)
        ) as incident (about, status, at);
        update ops.incidents as folded set root_id = root.incident_id
        from ops.incidents as root where folded.dataset = 'just resolved' and root.dataset = 'resolved long ago';

        insert into ops.mutes (dataset, check_name, severity, muted_by, reason, expires_at)
        select at, '', 'warning', '', '', at::timestamptz from unnest(array['2025-10-31', '2025-11-02']) as mute (at);
    """)

    assert expired(conn) == {"incidents": 1, "mutes": 1, "messages": 1}

    kept = conn.execute("select dataset, root_id from ops.incidents order by 1").fetchall()
    assert kept == [("just resolved", None), ("open for long", None)]
    assert {about for (about,) in conn.execute("select channel from ops.messages")} == {
        "just resolved",
        "reply: just resolved",
        "open for long",
        "a reply waits",
        "reply: a reply waits",
        "never sent",
        "not edited yet",
        "of this year",
    }
    assert conn.execute("select dataset from ops.mutes").fetchall() == [("2025-11-02",)]
    assert expired(conn) == {}


def expired(conn: psycopg.Connection) -> dict[str, int]:
    """What went, but for the tables that nothing went of."""
    return {table: rows for table, rows in expire(conn, NOW).items() if rows}


def test_details_of_backfills_end_and_what_became_of_them_stays(conn: psycopg.Connection) -> None:
    for number, (status, asked_at) in enumerate(
        [("published", "2026-08-01"), ("published", "2026-08-05"), ("waiting", "2026-08-01")]
    ):
        backfill_id = UUID(int=number)
        conn.execute(
            """
            insert into ops.backfills (
                backfill_id, kind, dag_id, run_id, run_url, requested_at, environment, role, merchants, channels,
                models, mode, is_dry_run, needs_approval, reason, build_schema, status, step
            )
            values (%s, 'backfill', '', '', '', %s, '', '', '{}', '{}', '{}', 'reread', false, false, '', '', %s, '')
            """,
            (backfill_id, asked_at, status),
        )
        conn.execute(
            "insert into ops.backfill_rows values (%s, 'aurora', 'fct_orders', '2026-01-01', true, 1, 0, 0)",
            (backfill_id,),
        )
    assert expired(conn) == {"backfill_rows": 1}
    kept = conn.execute("select backfill_id from ops.backfill_rows order by 1").fetchall()
    assert kept == [(UUID(int=1),), (UUID(int=2),)]
    assert conn.execute("select count(*) from ops.backfills").fetchone() == (3,)
