"""What a check found, and the record of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from psycopg.types.json import Json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

Outcome = Literal["passed", "failed", "warned", "error"]


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
    examples: Sequence[Mapping[str, str]] = ()
    """Some of the rows that failed, where the check asks for rows."""

    @property
    def is_blocking(self) -> bool:
        """Whether the merchant must be held back because of it."""
        return self.outcome in ("failed", "error")

    def sentence(self) -> str:
        """The finding as a person would say it."""
        where = f"{self.dataset}.{self.column}" if self.column else self.dataset
        if self.outcome == "error":
            return f"{where}: {self.check}"
        return f"{where}: {self.check} (measured {self.measured}, {self.threshold})"


def record(conn: psycopg.Connection, run_id: str, merchant_id: str, findings: Sequence[Finding]) -> None:
    """Keep every result, passed ones too, so that a check's history can be read with SQL."""
    with conn.transaction(), conn.cursor() as cursor:
        cursor.execute(
            "delete from ops.check_results where run_id = %s and merchant_id = %s and dataset = any(%s)",
            (run_id, merchant_id, sorted({finding.dataset for finding in findings})),
        )
        cursor.executemany(
            """
            insert into ops.check_results (
                run_id, merchant_id, dataset, check_name, column_name, level, outcome,
                measured, threshold, remedy, examples
            )
            values (
                %(run_id)s, %(merchant_id)s, %(dataset)s, %(check)s, %(column)s, %(level)s, %(outcome)s,
                %(measured)s, %(threshold)s, %(remedy)s, %(examples)s
            )
            """,
            [
                {**asdict(finding), "run_id": run_id, "merchant_id": merchant_id, "examples": Json(finding.examples)}
                for finding in findings
            ],
        )
