"""The gate: Soda contracts of one schema verified for one merchant."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from tributary.quality.contract import read
from tributary.quality.failed_rows import failing_rows, why_not
from tributary.quality.finding import IS_THERE, Finding
from tributary.quality.soda import judge

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import psycopg
    from soda_core.contracts.contract_verification import CheckResult

    from tributary.quality.contract import Asked
    from tributary.quality.finding import Outcome

_OUTCOMES: Mapping[str, Outcome] = {"PASSED": "passed", "FAILED": "failed", "WARN": "warned"}
_THERE = """
select needed.name, to_regclass(format('%%I.%%I', needed.place, needed.name)) is not null
from unnest(%s::text[], %s::text[]) as needed (place, name)
"""
# What a backfill reads again is judged beside raw, and says nothing of what is in raw.
_BLOCKING = """
with judged as (
    select * from ops.check_results
    where merchant_id = %(merchant_id)s and dataset = any(%(datasets)s) and coalesce(schema_name, 'raw') = 'raw'
),
latest as (
    select dataset, max(checked_at) as checked_at
    from judged
    group by dataset
)

select
    result.dataset,
    result.column_name,
    result.check_name,
    result.level,
    result.outcome,
    result.measured,
    result.threshold,
    (
        select min(bad.checked_at)
        from judged as bad
        where
            (bad.merchant_id, bad.dataset, bad.check_name) = (result.merchant_id, result.dataset, result.check_name)
            and bad.outcome in ('failed', 'error')
            and not exists (
                select from judged as good
                where
                    (good.merchant_id, good.dataset, good.check_name)
                    = (result.merchant_id, result.dataset, result.check_name)
                    and good.outcome in ('passed', 'warned')
                    and good.checked_at > bad.checked_at
            )
    ) as since
from latest
inner join judged as result on latest.dataset = result.dataset and latest.checked_at = result.checked_at
where
    result.merchant_id = %(merchant_id)s
    -- What is connected no more will never be judged again.
    and exists (
        select from ops.merchant_channels as connected
        where
            connected.merchant_id = result.merchant_id and starts_with(result.dataset, connected.channel || '_')
    )
    and result.outcome in ('failed', 'error')
    and result.root is null
order by result.dataset, result.check_name
"""


def verify(conn: psycopg.Connection, contracts: Sequence[Path], variables: Mapping[str, str]) -> list[Finding]:
    """Verify the contracts over the caller's connection; anything Soda could not evaluate is a blocking finding."""
    if not contracts:
        raise ValueError("no contract to verify: a gate that checks nothing would let everything through")
    variables = {"database": conn.info.dbname, **variables}
    checks = read(contracts, variables)
    session = judge(conn, contracts, variables)
    tables = _tables(conn, checks)
    absent = {table.dataset for table in tables if table.is_blocking}
    asked = {(check.dataset, check.column, check.name): check for check in checks}
    findings = [
        _finding(conn, result, asked[of.contract.dataset_name, result.check.column_name, result.check.name], absent)
        for of in session.results
        for result in of.check_results
    ]
    unjudged = sorted({check.dataset for check in checks} - {finding.dataset for finding in findings})
    if unjudged or (session.has_errors and not any(finding.outcome == "error" for finding in findings)):
        said = session.get_errors_str().strip()
        findings += [
            Finding(dataset, "Its contract can be judged", None, "fail", "error", said, schema=variables["schema"])
            for dataset in unjudged or ["contracts"]
        ]
    return tables + findings


def held_by(conn: psycopg.Connection, merchant_id: str, datasets: Sequence[str]) -> list[str]:
    """What blocks in the latest results of these datasets, as sentences that say since when."""
    rows = conn.execute(_BLOCKING, {"merchant_id": merchant_id, "datasets": list(datasets)})
    return [
        f"{Finding(dataset, check, column, level, outcome, measured, threshold).sentence()}, "
        f"since {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        for dataset, column, check, level, outcome, measured, threshold, since in rows
    ]


def _tables(conn: psycopg.Connection, checks: Sequence[Asked]) -> list[Finding]:
    """Whether each table that a check needs is there: the one reason of whatever cannot be evaluated without it."""
    needed: dict[str, Asked] = {}
    for check in sorted(checks, key=lambda check: len(check.tables)):
        for table in check.tables:
            needed.setdefault(table, check)
    places = [check.schema for check in needed.values()]
    return [
        Finding(
            table,
            IS_THERE,
            None,
            "fail",
            "passed" if is_there else "error",
            measured=None if is_there else f"{needed[table].schema}.{table} does not exist",
            remedy=None if is_there else "Read the log of what makes it, mend the cause, and run it again.",
            schema=needed[table].schema,
            owner=needed[table].attribute("owner"),
            runbook=needed[table].defaults.get("runbook"),
        )
        for table, is_there in conn.execute(_THERE, (places, list(needed)))
    ]


def _finding(conn: psycopg.Connection, result: CheckResult, asked: Asked, absent: Collection[str]) -> Finding:
    check = result.check
    threshold = check.warn_threshold if result.is_warned and check.warn_threshold else check.threshold
    outcome = _OUTCOMES.get(result.outcome.name, "error")
    measured = None if result.threshold_value is None else f"{_short(result.threshold_value)}{asked.unit}"
    root = next((table for table in asked.tables if table in absent), None) if outcome == "error" else None
    if outcome == "error":
        measured = None if root else why_not(conn, asked) or "another check of this table is wrong"
    said = "" if threshold is None else str(threshold).partition("\n")[2].replace("\n", ", ")
    return Finding(
        dataset=asked.dataset,
        check=asked.name,
        column=asked.column,
        level="warn" if threshold is not None and threshold.level == "warn" else "fail",
        outcome=outcome,
        measured=measured,
        threshold=f"{said}{asked.unit}" if said else None,
        remedy=(asked.attribute("remedy") or "").strip() or None,
        rows=failing_rows(conn, asked) if outcome in ("failed", "warned") else (),
        schema=asked.schema,
        owner=asked.attribute("owner"),
        runbook=asked.runbook(warns=outcome == "warned"),
        looks_back=bool(asked.attribute("looks_back")),
        root=root,
    )


def _short(value: float) -> str:
    """A percentage to two digits: a message is repeated only when it says something new."""
    return str(round(value, 2)).removesuffix(".0") if isinstance(value, float) else str(value)
