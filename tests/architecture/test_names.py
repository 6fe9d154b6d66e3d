"""Names that would break Airflow's plugin loader or dbt's plugin discovery, and the loader itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_python_file_that_dbt_would_import_as_a_plugin() -> None:
    # dbt imports every top-level module named dbt_* that it finds on sys.path.
    assert not [*(ROOT / "dags").rglob("dbt_*.py"), *(ROOT / "plugins").glob("dbt_*.py")]


def test_dbt_folder_does_not_shadow_the_dbt_package() -> None:
    assert not (ROOT / "dbt" / "__init__.py").exists()


def test_plugin_loader_leaves_the_package_and_the_standard_library_alone(tmp_path: Path) -> None:
    # Without plugins/.airflowignore, Airflow executes tributary/http/__init__.py under the bare name `http`.
    code = (
        "import sys\n"
        "from airflow import plugins_manager\n"
        "plugins_manager._get_plugins()\n"
        "import http\n"
        "print(http.__file__)\n"
        "print(sorted(n for n in sys.modules if n.split('.')[0] in {'streams', 'hook', 'load', 'publish', 'gate'}))\n"
    )
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    *_, module, executed = done.stdout.splitlines()
    assert "plugins" not in module
    assert executed == "[]"
