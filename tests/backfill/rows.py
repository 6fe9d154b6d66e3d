"""Backfills on record, as their request leaves them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from psycopg import sql

from tributary.backfill import audit
from tributary.backfill.state import Backfill, build_schema, identify, load

if TYPE_CHECKING:
    import psycopg


def asked(conn: psycopg.Connection, run_id: str = "first", *merchants: str, **changed: Any) -> Backfill:
    """A backfill that was asked for, and begins; three days of aurora, unless said otherwise."""
    backfill_id = identify("backfill", run_id)
    row = {
        "backfill_id": backfill_id,
        "kind": "backfill",
        "dag_id": "backfill",
        "run_id": run_id,
        "run_url": f"http://airflow/dags/backfill/runs/{run_id}",
        "requested_by": "engineer",
        "environment": "production",
        "role": "engineer",
        "merchants": list(merchants or ("aurora",)),
        "first_day": date(2026, 3, 2),
        "last_day": date(2026, 3, 4),
        "channels": ["shop"],
        "models": ["fct_revenue"],
        "mode": "rebuild",
        "is_dry_run": False,
        "needs_approval": False,
        "reason": "Orders of the first week are missing.",
        "build_schema": build_schema(backfill_id),
        "status": "running",
        "step": "request",
        **changed,
    }
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join(map(sql.Placeholder, row))
    with conn.transaction():
        conn.execute(sql.SQL("insert into ops.backfills ({}) values ({})").format(names, values), row)
        audit.begin(conn, backfill_id)
    return load(conn, backfill_id)


def let_expire(conn: psycopg.Connection, backfill: Backfill) -> None:
    """Let the time of its lease be over."""
    conn.execute(
        "update ops.leases set expires_at = now() - interval '1 second' where backfill_id = %s", (backfill.backfill_id,)
    )


def told(conn: psycopg.Connection, backfill: Backfill) -> list[tuple[str, str | None]]:
    """What the audit tells of it: state and error, one after the other."""
    return conn.execute(
        "select status, error from audit.backfill_events where backfill_id = %s order by event_id",
        (backfill.backfill_id,),
    ).fetchall()


def schemas(conn: psycopg.Connection) -> set[str]:
    """The schemas that backfills build in."""
    return {name for (name,) in conn.execute("select nspname from pg_namespace where nspname ~ '^backfill_'")}
