"""What a check found, and the record of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from psycopg.types.json import Json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

Outcome = Literal["passed", "failed", "warned", "error"]

IS_THERE = "The table is there"
"""The check of a table without which others cannot be evaluated."""

SHOWN = 20
"""How many of the rows that failed people are shown; all that are kept stand in ops.failed_rows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of one dataset said about one merchant."""

    dataset: str
    check: str
    column: str | None
    level: Literal["fail", "warn"]
    outcome: Outcome
    measured: str | None = None
    threshold: str | None = None
    remedy: str | None = None
    rows: Sequence[Mapping[str, str]] = ()
    """Rows that failed, by their keys; never people."""
    schema: str | None = None
    owner: str | None = None
    """Who is to look at it."""
    runbook: str | None = None
    """The file's name in docs/runbooks, without .md."""
    looks_back: bool = False
    """Whether it judges the last closed days as readers will see them, and not only the days of the build."""
    root: str | None = None
    """The dataset that is missing, when only that is why this check could not be evaluated."""

    @property
    def is_blocking(self) -> bool:
        """Whether the merchant must be held back because of it."""
        return self.outcome in ("failed", "error")

    def sentence(self) -> str:
        """The finding as a person would say it."""
        where = f"{self.dataset}.{self.column}" if self.column else self.dataset
        if self.outcome == "error":
            return f"{where}: {self.check} (not evaluated: {self.measured})"
        return f"{where}: {self.check} (measured {self.measured}, {self.threshold})"


class Ran(NamedTuple):
    """The run that judged: Airflow gives runs of one hour the same run_id in every DAG."""

    dag_id: str
    run_id: str


def record(conn: psycopg.Connection, ran: Ran, merchant_id: str | None, findings: Sequence[Finding]) -> None:
    """Keep every result, passed ones too, so that a check's history can be read with SQL; and the rows that failed."""
    datasets = sorted({finding.dataset for finding in findings})
    run = {**ran._asdict(), "merchant_id": merchant_id}
    with conn.transaction(), conn.cursor() as cursor:
        for table in ("check_results", "failed_rows"):
            cursor.execute(
                f"""
                delete from ops.{table}
                where
                    (dag_id, run_id) = (%s, %s) and merchant_id is not distinct from %s and dataset = any(%s)
                """,  # noqa: S608 -- both names are written above
                (*ran, merchant_id, datasets),
            )
        cursor.executemany(
            """
            insert into ops.check_results (
                dag_id, run_id, merchant_id, dataset, check_name, column_name, level, outcome, measured, threshold,
                remedy, examples, schema_name, owner, runbook, looks_back, root
            )
            values (
                %(dag_id)s, %(run_id)s, %(merchant_id)s, %(dataset)s, %(check)s, %(column)s, %(level)s, %(outcome)s,
                %(measured)s, %(threshold)s, %(remedy)s, %(examples)s, %(schema)s, %(owner)s,
                %(runbook)s, %(looks_back)s, %(root)s
            )
            """,
            [run | asdict(finding) | {"examples": Json(finding.rows[:SHOWN])} for finding in findings],
        )
        cursor.executemany(
            """
            insert into ops.failed_rows (dag_id, run_id, merchant_id, dataset, check_name, row)
            values (%(dag_id)s, %(run_id)s, %(merchant_id)s, %(dataset)s, %(check)s, %(row)s)
            """,
            [
                run | {"dataset": finding.dataset, "check": finding.check, "row": Json(row)}
                for finding in findings
                for row in finding.rows
            ],
        )
