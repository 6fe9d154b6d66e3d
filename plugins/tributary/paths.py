"""Where the repository's own files are, for code that Airflow imports from anywhere."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("TRIBUTARY_HOME") or Path(__file__).resolve().parents[2])
CONFIG = ROOT / "include" / "config"
MERCHANTS = CONFIG / "merchants.yaml"
POLICY = CONFIG / "policy.yaml"
RAW_CONTRACTS = ROOT / "include" / "contracts" / "raw"
MART_CONTRACTS = ROOT / "include" / "contracts" / "marts"
DBT_PROJECT = ROOT / "dbt"
DBT_MANIFEST = DBT_PROJECT / "target" / "manifest.json"
