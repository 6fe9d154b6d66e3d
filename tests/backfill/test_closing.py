"""The end of a backfill: whenever it is called and however often, the audit is true and nothing is left behind."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.backfill.rows import asked, let_expire, schemas, told
from tests.warehouse.shop import add_merchants, merchant
from tributary.backfill import audit, closing, lease
from tributary.backfill.closing import close, sweep
from tributary.backfill.state import load, short
from tributary.warehouse.scope import create_build_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tributary.backfill.state import Backfill

    Connect = Callable[[], psycopg.Connection]

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """As operators have it: a transaction is begun by whatever is asked first."""
    with psycopg.connect(warehouse_url) as connection:
        add_merchants(connection, merchant(), merchant("nordlicht", "Europe/Berlin"))
        connection.commit()
        yield connection


def begun(conn: psycopg.Connection, run_id: str = "first", *merchants: str, **changed: Any) -> Backfill:
    backfill = asked(conn, run_id, *merchants, **changed)
    lease.take(conn, backfill)
    conn.commit()
    return backfill


def held(conn: psycopg.Connection) -> list[str]:
    return [merchant_id for (merchant_id,) in conn.execute("select merchant_id from ops.leases order by 1").fetchall()]


COMPARED = {"compared_at": NOW}
ENDS: dict[str, tuple[dict[str, Any], str | None, str, str | None]] = {
    "failed": ({}, "dbt failed", "failed", "dbt failed"),
    "cancelled": ({"step": "reread"}, None, "failed", "it ended in step reread, before it published"),
    "dry run": ({"is_dry_run": True, **COMPARED}, None, "dry run", None),
    "dry run that failed": ({"is_dry_run": True, **COMPARED}, "no room", "failed", "no room"),
    "dry run, not compared": (
        {"is_dry_run": True, "step": "scope"},
        None,
        "failed",
        "it ended in step scope, before it published",
    ),
    "not a dry run, compared": (
        {**COMPARED, "status": "waiting", "step": "approve"},
        None,
        "failed",
        "it ended in step approve, before it published",
    ),
}


@pytest.mark.parametrize(("changed", "error", "status", "why"), ENDS.values(), ids=ENDS.keys())
def test_records_how_it_ended_and_leaves_nothing_behind(
    conn: psycopg.Connection, connect: Connect, changed: dict[str, Any], error: str | None, status: str, why: str | None
) -> None:
    backfill = begun(conn, "first", "aurora", "nordlicht", **changed)
    assert [close(conn, backfill.backfill_id, error), close(conn, backfill.backfill_id, "again")] == [status, status]
    with connect() as other:
        assert told(other, backfill)[1:] == [(status, why)]
        assert (held(other), schemas(other)) == ([], set())


@pytest.mark.parametrize("status", ["published", "rejected", "expired", "refused"])
def test_what_is_on_record_stays_and_the_rest_is_cleared(conn: psycopg.Connection, status: Any) -> None:
    backfill = begun(conn)
    audit.move(conn, backfill.backfill_id, status)
    conn.commit()
    assert close(conn, backfill.backfill_id, "its worker was killed") == status
    assert told(conn, backfill)[1:] == [(status, None)]
    assert (held(conn), schemas(conn)) == ([], set())


@pytest.mark.parametrize("place", ["close: before commit", "close: committed"])
def test_killed_anywhere_the_next_try_ends_it(
    conn: psycopg.Connection, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backfill = begun(conn)

    def kill(name: str) -> None:
        if name == place:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(closing, "failpoint", kill)
        with pytest.raises(KeyboardInterrupt):
            close(conn, backfill.backfill_id, "dbt failed")
    conn.rollback()
    assert len(told(conn, backfill)) == (1 if place == "close: before commit" else 2)
    assert held(conn) == (["aurora"] if place == "close: before commit" else [])

    assert close(conn, backfill.backfill_id, "dbt failed") == "failed"
    assert told(conn, backfill)[1:] == [("failed", "dbt failed")]
    assert (held(conn), schemas(conn)) == ([], set())


def test_a_publication_under_way_decides_first(conn: psycopg.Connection, connect: Connect) -> None:
    backfill = begun(conn)
    publishing = connect()
    lease.check(publishing, backfill.backfill_id)
    ended: list[str] = []

    def run() -> None:
        with connect() as own:
            ended.append(close(own, backfill.backfill_id, "somebody marked it as failed"))

    thread = threading.Thread(target=run)
    thread.start()
    query = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    while not conn.execute(query).fetchall():
        conn.rollback()
    # Whoever closes locks in the same order, and so never what the other needs next.
    publishing.execute("select from ops.backfills for update nowait")
    audit.move(publishing, backfill.backfill_id, "published")
    lease.release(publishing, backfill.backfill_id)
    publishing.commit()
    publishing.close()
    thread.join(60)
    assert ended == ["published"]
    assert told(conn, backfill)[1:] == [("published", None)]


def test_a_late_end_touches_nothing_of_who_took_over(conn: psycopg.Connection) -> None:
    dead = begun(conn, "dead")
    let_expire(conn, dead)
    second = begun(conn, "second")
    assert close(conn, dead.backfill_id, "its run ended") == "failed"
    assert (held(conn), schemas(conn)) == (["aurora"], {second.build_schema})
    assert load(conn, second.backfill_id).status == "running"


def test_a_session_that_still_builds_is_not_waited_for_and_the_next_sweep_drops_the_rest(
    conn: psycopg.Connection, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    backfill = begun(conn)
    with connect() as stuck:
        stuck.execute(f"select * from {backfill.build_schema}.scope")  # type: ignore[arg-type]
        assert close(conn, backfill.backfill_id, None) == "failed"
        assert (held(conn), schemas(conn)) == ([], {backfill.build_schema})
        assert f'"{backfill.build_schema}" stays until the next sweep' in caplog.text
        sweep(conn, NOW)
        assert schemas(conn) == {backfill.build_schema}
    sweep(conn, NOW)
    assert schemas(conn) == set()


def test_a_sweep_closes_the_dead_and_leaves_the_living(conn: psycopg.Connection) -> None:
    dead, alive = begun(conn, "dead", step="dbt"), begun(conn, "alive", "nordlicht")
    still = asked(conn, "still", requested_at=NOW - timedelta(hours=31))
    new = asked(conn, "new", requested_at=NOW - timedelta(hours=29))
    let_expire(conn, dead)

    assert sweep(conn, NOW) == [dead.backfill_id, still.backfill_id]
    conn.rollback()
    killed = "its run was killed or lost"
    assert told(conn, dead)[1:] == [("failed", f"its lease expired in step dbt: {killed}")]
    assert told(conn, still)[1:] == [("failed", f"it stood still for 30 hours without a lease: {killed}")]
    assert [load(conn, each.backfill_id).status for each in (alive, new)] == ["running"] * 2
    assert (held(conn), schemas(conn)) == (["nordlicht"], {alive.build_schema})
    assert sweep(conn, NOW) == []


def test_who_is_publishing_when_the_lease_ends_is_left_alone(conn: psycopg.Connection, connect: Connect) -> None:
    backfill = begun(conn)
    with connect() as publishing:
        lease.check(publishing, backfill.backfill_id)
        # Its time runs out while it holds its rows.
        publishing.execute("update ops.leases set expires_at = now()")
        publishing.commit()
        publishing.execute("select from ops.leases for update")
        assert sweep(conn, NOW) == []
        conn.rollback()
    assert sweep(conn, NOW) == [backfill.backfill_id]


def test_staging_without_a_backfill_goes_and_other_schemas_stay(conn: psycopg.Connection) -> None:
    alive = begun(conn)
    for schema in ("backfill_0123456789ab", "backfill_of_somebody"):
        create_build_schema(conn, schema)
    conn.commit()
    sweep(conn, NOW)
    assert schemas(conn) == {alive.build_schema, "backfill_of_somebody"}


def test_snapshots_live_for_seven_days_or_until_they_are_restored(conn: psycopg.Connection) -> None:
    published, restored, never = (
        asked(conn, run_id, requested_at=NOW - 9 * DAY) for run_id in ("published", "restored", "never")
    )
    for backfill in (published, restored):
        audit.move(conn, backfill.backfill_id, "published")
    asked(conn, "rollback", kind="rollback", restores=restored.backfill_id, requested_at=NOW + 7 * DAY)
    names = {each.run_id: f"{short(each.backfill_id)}_fct_revenue" for each in (published, restored, never)}
    for name in (*names.values(), "of_somebody"):
        conn.execute(f'create table snapshots."{name}" ()')  # type: ignore[arg-type]
    conn.commit()

    def there() -> set[str]:
        return {name for (name,) in conn.execute("select tablename from pg_tables where schemaname = 'snapshots'")}

    # Both were published just now.
    sweep(conn, NOW + 7 * DAY - timedelta(minutes=1))
    assert there() == {"of_somebody", names["published"], names["restored"]}
    sweep(conn, NOW + 7 * DAY + timedelta(minutes=10))
    assert there() == {"of_somebody", names["restored"]}
