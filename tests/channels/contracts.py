"""What a contract says of the rows that a channel brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.paths import RAW_CONTRACTS
from tributary.quality.gate import verify

if TYPE_CHECKING:
    import psycopg


def objections(conn: psycopg.Connection, dataset: str) -> list[tuple[str, str]]:
    """How each check of aurora's raw rows ended that did not pass, and which it is."""
    findings = verify(conn, [RAW_CONTRACTS / f"{dataset}.yml"], {"schema": "raw", "merchant_id": "aurora"})
    assert findings
    return [(finding.outcome, finding.check) for finding in findings if finding.outcome != "passed"]
