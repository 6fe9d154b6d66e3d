"""`make docs`: writes docs/metrics.md, every mart's columns with the metrics' formulas and limits, from the models."""

from __future__ import annotations

import os
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from dbt.cli.main import dbtRunner

from tributary.paths import DBT_PROJECT, ROOT
from tributary.warehouse.model_docs import described, read_project

if TYPE_CHECKING:
    from tributary.warehouse.model_docs import Project

PAGE = ROOT / "docs" / "metrics.md"

INTRODUCTION = """
# What the figures mean

Every mart with what a row is, and every column; a metric also with its formula and its limits. `make docs` writes this
page from the descriptions of the models, which Airflow shows too, at each table's task in the graph of `transform`: a
change belongs there. Why it is so, and where a vendor's own report shows another figure, is told in
[dbt/DECISIONLOG.md](../dbt/DECISIONLOG.md).
""".strip()


def main() -> int:
    """Write the page anew from the models as they are now."""
    for name in ("HOST", "PORT", "USER", "PASSWORD", "DATABASE"):
        # The profile asks for them; parsing connects to nothing.
        os.environ.setdefault(f"WAREHOUSE_{name}", "1")
    folders = ("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT))
    with tempfile.TemporaryDirectory() as made:
        parse = dbtRunner().invoke(["--quiet", "parse", *folders, "--target-path", made, "--log-path", made])
        if not parse.success:
            sys.stderr.write(f"dbt cannot parse the models: {parse.exception}\n")
            return 1
        PAGE.write_text(page(read_project(Path(made, "manifest.json"))))
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is written.\n")
    return 0


def page(project: Project) -> str:
    """The whole page: the definitions that span marts, then the marts by folder."""
    marts = sorted((m for m in project.models.values() if m.is_mart), key=lambda model: (model.folder, model.name))
    contents = []
    sections = []
    for folder, of_folder in groupby(marts, key=lambda mart: mart.folder):
        listed = list(of_folder)
        contents.append(f"* {folder}: {', '.join(f'[{mart.name}](#{mart.name})' for mart in listed)}")
        sections.append(f"## {folder.capitalize()}")
        for mart in listed:
            sections += [f"### {mart.name}", *described(mart)]
    return "\n\n".join((INTRODUCTION, "\n".join(contents), "## Definitions", project.definitions, *sections)) + "\n"


if __name__ == "__main__":
    sys.exit(main())
