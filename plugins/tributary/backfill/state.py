"""A backfill or a rollback as it goes on: what was asked for, and where it is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid5

from psycopg import sql
from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from psycopg import Connection

Kind = Literal["backfill", "rollback"]
Mode = Literal["reread", "rebuild"]
Status = Literal[
    "refused",
    "running",
    "waiting",
    "dry run",
    "rejected",
    "expired",
    "failed",
    "published",
    "restored",
    "rolled back",
]
ENDED = frozenset({"refused", "dry run", "rejected", "expired", "failed", "published", "restored", "rolled back"})
"""The states that nothing follows any more, but for a rollback."""

_NAMESPACE = UUID("5f6e2a34-52c5-4c43-9d0e-6a0f9f2f5f10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """One row of ops.backfills."""

    backfill_id: UUID
    kind: Kind
    dag_id: str
    run_id: str
    run_url: str
    requested_by: str | None
    requested_at: datetime
    environment: str
    role: str
    merchants: Sequence[str]
    first_day: date | None
    last_day: date | None
    channels: Sequence[str]
    models: Sequence[str]
    mode: str
    is_dry_run: bool
    needs_approval: bool
    reason: str
    incident: str | None
    restores: UUID | None
    code_version: str | None
    build_schema: str
    status: Status
    step: str
    thread_id: int | None = None
    compared_at: datetime | None = None
    approved_by: str | None = None
    rows_affected: int | None = None
    error: str | None = None

    @property
    def days(self) -> int:
        """How long the range is that was asked for."""
        assert self.first_day is not None, "a range was asked for"
        assert self.last_day is not None, "a range was asked for"
        return (self.last_day - self.first_day).days + 1

    @property
    def short(self) -> str:
        """Twelve digits that it is called by where there is little room."""
        return short(self.backfill_id)

    @property
    def is_over(self) -> bool:
        """Whether its outcome is recorded."""
        return self.status in ENDED


def identify(dag_id: str, run_id: str) -> UUID:
    """The id of the backfill that a run is about: each of its tasks knows it, whatever happened to the others."""
    return uuid5(_NAMESPACE, f"{dag_id} {run_id}")


def short(backfill_id: UUID) -> str:
    """Twelve digits of the id."""
    return backfill_id.hex[:12]


def build_schema(backfill_id: UUID) -> str:
    """The schema that it builds in, and that shows raw as it will be."""
    return f"backfill_{short(backfill_id)}"


def load(conn: Connection, backfill_id: UUID, *, lock: bool = False) -> Backfill:
    """The backfill as it is now; with `lock` nobody else moves it until the transaction ends."""
    columns = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(Backfill))
    query = sql.SQL("select {} from ops.backfills where backfill_id = {} {}").format(
        columns, sql.Literal(backfill_id), sql.SQL("for update" if lock else "")
    )
    with conn.cursor(row_factory=class_row(Backfill)) as cursor:
        row = cursor.execute(query).fetchone()
    if row is None:
        raise LookupError(f"there is no backfill {backfill_id}: its task `request` did not come to its end")
    return row


def enter(conn: Connection, backfill_id: UUID, step: str) -> Backfill:
    """Note the task that it came to, and read it."""
    conn.execute("update ops.backfills set step = %s where backfill_id = %s", (step, backfill_id))
    return load(conn, backfill_id)
