"""A request for a backfill: checked and decided before anything begins, and recorded whatever comes of it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

from tributary.backfill.asking.checks import check, harmless
from tributary.backfill.asking.policy import check_trigger, decide
from tributary.backfill.audit import begin
from tributary.backfill.errors import Refused
from tributary.backfill.state import ENDED, Backfill, build_schema, identify, load, short
from tributary.paths import ROOT
from tributary.warehouse.failpoint import failpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.asking.checks import Checked
    from tributary.backfill.asking.policy import Policy
    from tributary.warehouse.settings.merchants import Merchant

_SINCE = "select merchant_id, history_start from ops.merchants"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form was filled with."""

    merchants: Sequence[str]
    channels: Sequence[str]
    """Empty: all that the merchants have."""
    models: Sequence[str]
    """Empty: all marts."""
    first_day: date | str | None
    last_day: date | str | None
    mode: str
    reason: str
    incident: str | None = None
    is_dry_run: bool = True


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, by which run, and where."""

    user: str | None
    run_type: str
    dag_id: str
    run_id: str
    run_url: str
    environment: str = field(default="production", kw_only=True)


def request(
    conn: Connection,
    asked: Asked,
    asker: Asker,
    policy: Policy,
    merchants: Sequence[Merchant],
    manifest: Path,
    now: datetime,
) -> Backfill:
    """Begin what was asked for, or record that it was refused and raise Refused. A repeated call finds the first one's.

    Call it outside of a transaction: a refusal is committed, too.
    """
    backfill_id, refusal = identify(asker.dag_id, asker.run_id), None
    with conn.transaction():
        refusal = found(conn, backfill_id)
        if refusal is None:
            known_since: dict[str, date] = dict(conn.execute(_SINCE).fetchall())
            kept, role, needs_approval = harmless(asked, merchants), policy.role(asker.user), False
            try:
                check_trigger(asker.user, asker.run_type)
                kept = check(asked, merchants, known_since, manifest, now)
                decision = decide(
                    policy,
                    asker.environment,
                    asker.user,
                    asker.run_type,
                    kept.days,
                    kept.incident,
                    is_dry_run=asked.is_dry_run,
                )
                needs_approval = decision.needs_approval
            except Refused as error:
                refusal = error
            row = _row(backfill_id, kept, asker, role, needs_approval, asked.is_dry_run, refusal)
            insert(conn, row)
        failpoint("request: before commit")
    failpoint("request: committed")
    if refusal:
        raise refusal
    return load(conn, backfill_id)


def found(conn: Connection, backfill_id: UUID) -> Refused | None:
    """Why a run does not begin again that is over already."""
    row = conn.execute("select status, error from ops.backfills where backfill_id = %s", (backfill_id,)).fetchone()
    if row is None or row[0] not in ENDED:
        return None
    status, error = row
    if status == "refused":
        return Refused.again(error)
    why = f"backfill {short(backfill_id)} is over: {status}"
    return Refused("a run is one backfill and cannot be repeated", why, "Trigger a new run instead of clearing one.")


def insert(conn: Connection, row: Mapping[str, Any]) -> None:
    """Write a row of ops.backfills and its first event in the audit, unless it is there. Part of a transaction."""
    statement = sql.SQL(
        "insert into ops.backfills ({}) values ({}) on conflict (backfill_id) do nothing returning true"
    ).format(sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row)))
    if conn.execute(statement, row).fetchone():
        begin(conn, row["backfill_id"])


def code_version() -> str | None:
    """The version of this code, for the audit: TRIBUTARY_CODE_VERSION, else the commit, where there is a repository."""
    if version := os.environ.get("TRIBUTARY_CODE_VERSION"):
        return version
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip() or None


def _row(
    backfill_id: UUID,
    kept: Checked,
    asker: Asker,
    role: str,
    needs_approval: bool,
    is_dry_run: bool,
    refusal: Refused | None,
) -> dict[str, Any]:
    return {
        "backfill_id": backfill_id,
        "kind": "backfill",
        "dag_id": asker.dag_id,
        "run_id": asker.run_id,
        "run_url": asker.run_url,
        "requested_by": asker.user,
        "environment": asker.environment,
        "role": role,
        "merchants": list(kept.merchants),
        "first_day": kept.first_day,
        "last_day": kept.last_day,
        "channels": list(kept.channels),
        "models": list(kept.models),
        "mode": kept.mode,
        "is_dry_run": is_dry_run,
        "needs_approval": needs_approval,
        "reason": kept.reason,
        "incident": kept.incident,
        "code_version": code_version(),
        "build_schema": build_schema(backfill_id),
        "status": "refused" if refusal else "running",
        "step": "request",
        "error": str(refusal) if refusal else None,
    }
