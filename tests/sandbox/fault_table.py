"""The tables of docs/faults.md."""

from __future__ import annotations

from pathlib import Path

FAULTS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"


def table(page: str, first_column: str) -> list[list[str]]:
    """The cells of the Markdown table whose first column has that heading."""
    _, _, rest = page.partition(f"\n| {first_column} |")
    body = rest.split("\n\n", maxsplit=1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in body]
