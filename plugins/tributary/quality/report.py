"""What a gate found, as its task's log shows it: a table of what is not well, and the sum."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tributary.quality.finding import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.quality.finding import Finding

_HEAD = ("OUTCOME", "MEASURED", "THRESHOLD", "OWNER", "RUNBOOK", "CHECK")


def report(findings: Sequence[Finding]) -> list[str]:
    """The lines: a row for each check that is not well, under it the keys of its rows; then the sum."""
    told = sorted(
        (finding for finding in findings if finding.outcome != "passed" and finding.root is None),
        key=lambda finding: not finding.is_blocking,
    )
    cells = [_HEAD, *map(_cells, told)] if told else []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    lines = rows[:1]
    for row, finding in zip(rows[1:], told, strict=True):
        lines += [row, *_below(finding)]
    folded = Counter(finding.root for finding in findings if finding.root is not None)
    lines += [f"{count} checks could not be evaluated without {root}" for root, count in folded.items()]
    return [*lines, _sum(findings)]


def _cells(finding: Finding) -> tuple[str, ...]:
    where = f"{finding.dataset}.{finding.column}" if finding.column else finding.dataset
    said = (finding.measured, finding.threshold, finding.owner, finding.runbook)
    return (finding.outcome.upper(), *(text or "-" for text in said), f"{where}: {finding.check}")


def _below(finding: Finding) -> Iterator[str]:
    for row in finding.rows[:SHOWN]:
        yield "    " + ", ".join(f"{name} {value}" for name, value in row.items())
    if (more := len(finding.rows) - SHOWN) > 0:
        yield f"    and {more} more rows in ops.failed_rows"


def _sum(findings: Sequence[Finding]) -> str:
    count = Counter(finding.outcome for finding in findings)
    warnings = "warning" if count["warned"] == 1 else "warnings"
    bad = {"failed": count["failed"], "not evaluated": count["error"], warnings: count["warned"]}
    return ", ".join([f"{len(findings)} checks", *(f"{number} {what}" for what, number in bad.items() if number)])
