"""docs/metrics.md is what the models say today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tributary.local.metrics_page import PAGE, page
from tributary.warehouse.model_docs import Column, Model, Project, read_project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def project(manifest: Path) -> Project:
    return read_project(manifest)


def test_the_page_is_what_the_models_say(project: Project) -> None:
    assert PAGE.read_text() == page(project), "the models' descriptions have changed: run `make docs`"


def test_every_mart_says_what_a_row_is_and_describes_its_columns(project: Project) -> None:
    marts = [model for model in project.models.values() if model.is_mart]
    assert marts
    assert [mart.name for mart in marts if not mart.description.startswith("One row per merchant")] == []
    assert [mart.name for mart in marts if mart.key[:1] != ("merchant_id",)] == []
    assert [f"{mart.name}.{column.name}" for mart in marts for column in mart.columns if not column.description] == []


def test_a_metric_has_a_formula_and_says_where_it_ends(project: Project) -> None:
    columns = [(mart.name, column) for mart in project.models.values() if mart.is_mart for column in mart.columns]
    metrics = {column.name for _, column in columns if column.formula}
    assert {"revenue", "roas", "cac", "mer", "aov", "contribution_margin"} <= metrics
    assert [f"{mart}.{column.name}" for mart, column in columns if bool(column.formula) != bool(column.limits)] == []


def test_formula_and_limits_stand_with_the_column() -> None:
    ratio = Column("roas", "numeric(38, 6)", "Revenue per unit of spend.", "revenue | spend", "Empty without spend.")
    mart = Model("m", "fct_roas", "metrics", True, True, "One row per merchant.", ("merchant_id",), (ratio,), ())
    text = page(Project({"m": mart}, "### Money"))
    assert r"| `roas` numeric(38, 6) | Revenue per unit of spend. **Formula:** revenue \| spend" in text
    assert "**Limits:** Empty without spend. |" in text
    assert text.index("### Money") < text.index("## Metrics") < text.index("### fct_roas")
    assert "* metrics: [fct_roas](#fct_roas)" in text
