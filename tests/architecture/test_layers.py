"""The layers that the architecture promises, read from the imports themselves."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tributary.channels import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "plugins" / "tributary"


def modules(*patterns: str) -> list[Path]:
    found = sorted(path for pattern in patterns for path in PACKAGE.glob(pattern))
    assert found, f"nothing matches {patterns}: the test would hold of an empty house"
    return found


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


AIRFLOW_FREE = modules(
    "declaration.py",
    "paths.py",
    "http/**/*.py",
    "warehouse/**/*.py",
    "quality/**/*.py",
    "notify/**/*.py",
    "attribution/**/*.py",
    "backfill/**/*.py",
    "ci/**/*.py",
    "channels/__init__.py",
    "channels/*/streams.py",
    "channels/*/api.py",
)


@pytest.mark.parametrize("path", AIRFLOW_FREE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_runs_without_airflow(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] == "airflow"]


# Each folder may import from those named beside it, and from nothing else of the package.
ALLOWED = {
    "http": {"http"},
    "warehouse": {"warehouse", "declaration", "paths", "channels", "http"},
    "notify": {"notify"},
    "attribution": {"attribution", "paths"},
    "quality": {"quality", "notify"},
    "backfill": {"backfill", "warehouse", "notify", "declaration", "paths"},
    "ci": {"ci", "channels", "notify", "quality", "warehouse", "paths"},
    "channels": {"channels", "http", "declaration", "paths"},
    "operators": {
        "operators",
        "channels",
        "warehouse",
        "backfill",
        "quality",
        "notify",
        "declaration",
        "paths",
        "http",
    },
}


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_imports_only_from_the_layers_below(folder: str) -> None:
    for path in modules(f"{folder}/**/*.py"):
        used = {name.split(".")[1] for name in imports(path) if name.startswith("tributary.")}
        assert used <= ALLOWED[folder], f"{path.relative_to(ROOT)} imports {sorted(used - ALLOWED[folder])}"


def test_nothing_imports_a_dag() -> None:
    dag_files = {path.stem for path in (ROOT / "dags").glob("*.py")}
    assert dag_files
    for path in modules("**/*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & (dag_files | {"dags"})


def test_dag_files_are_a_page() -> None:
    for path in (ROOT / "dags").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 120, f"{path.name} does more than wire"


def test_no_operator_or_dag_names_a_vendor() -> None:
    vendors = {channel.name for channel in CHANNELS}
    for path in [*modules("operators/**/*.py", "warehouse/**/*.py"), *(ROOT / "dags").glob("*.py")]:
        text = path.read_text().lower()
        assert not [vendor for vendor in vendors if vendor in text], f"{path.relative_to(ROOT)} names a vendor"
