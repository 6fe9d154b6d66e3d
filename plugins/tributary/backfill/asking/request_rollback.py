"""A request to take a published backfill back: by the same policy as the backfill, and recorded as one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tributary.backfill.asking.checks import check_words, harmless_words
from tributary.backfill.asking.policy import check_trigger, decide
from tributary.backfill.asking.request import code_version, found, insert
from tributary.backfill.errors import Refused
from tributary.backfill.publishing.restorable import check_restorable
from tributary.backfill.state import build_schema, identify, load
from tributary.warehouse.failpoint import failpoint

if TYPE_CHECKING:
    from psycopg import Connection

    from tributary.backfill.asking.policy import Policy
    from tributary.backfill.asking.request import Asker
    from tributary.backfill.state import Backfill


@dataclass(frozen=True, slots=True)
class AskedBack:
    """What the form was filled with."""

    backfill_id: str
    reason: str
    incident: str | None = None
    is_dry_run: bool = True


def request_rollback(conn: Connection, asked: AskedBack, asker: Asker, policy: Policy) -> Backfill:
    """Begin what was asked for, or record that it was refused and raise Refused. A repeated call finds the first one's.

    Call it outside of a transaction: a refusal is committed, too.
    """
    rollback_id = identify(asker.dag_id, asker.run_id)
    with conn.transaction():
        refusal = found(conn, rollback_id)
        if refusal is None:
            original = _original(conn, asked.backfill_id)
            row = _row(rollback_id, asked, asker, policy, original)
            try:
                check_trigger(asker.user, asker.run_type)
                row["reason"], row["incident"] = check_words(asked.reason, asked.incident)
                check_restorable(conn, asked.backfill_id)
                assert original is not None, "it can be taken back"
                decision = decide(
                    policy,
                    asker.environment,
                    asker.user,
                    asker.run_type,
                    original.days,
                    row["incident"],
                    is_dry_run=asked.is_dry_run,
                )
                row["needs_approval"] = decision.needs_approval
            except Refused as error:
                refusal = error
                row |= {"status": "refused", "error": str(error)}
            insert(conn, row)
        failpoint("request: before commit")
    failpoint("request: committed")
    if refusal:
        raise refusal
    return load(conn, rollback_id)


def _original(conn: Connection, backfill_id: str) -> Backfill | None:
    with suppress(ValueError, LookupError):
        return load(conn, UUID(backfill_id))
    return None


def _row(
    rollback_id: UUID, asked: AskedBack, asker: Asker, policy: Policy, original: Backfill | None
) -> dict[str, Any]:
    reason, incident = harmless_words(asked.reason, asked.incident)
    of_both = {name: list(getattr(original, name, ())) for name in ("merchants", "channels", "models")}
    return of_both | {
        "backfill_id": rollback_id,
        "kind": "rollback",
        "dag_id": asker.dag_id,
        "run_id": asker.run_id,
        "run_url": asker.run_url,
        "requested_by": asker.user,
        "environment": asker.environment,
        "role": policy.role(asker.user),
        "first_day": getattr(original, "first_day", None),
        "last_day": getattr(original, "last_day", None),
        "mode": "restore",
        "is_dry_run": asked.is_dry_run,
        "needs_approval": False,
        "reason": reason,
        "incident": incident,
        "restores": original.backfill_id if original else None,
        "code_version": code_version(),
        "build_schema": build_schema(rollback_id),
        "status": "running",
        "step": "request",
        "error": None,
    }
