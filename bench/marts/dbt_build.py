"""Side: dbt, with every model, as `transform` runs it, or with some; what each took is in its own run results."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bench.common.side import measured
from tributary.paths import DBT_PROJECT

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    target = Path(asked["target"])
    os.environ |= asked["environment"] | {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)}
    os.chdir(target)
    from dbt.cli.main import dbtRunner

    with measured() as said:
        folders = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
        done = dbtRunner().invoke(["run", "--select", *asked.get("models", ["path:models"]), "--quiet", *folders])
        if not done.success:
            raise SystemExit(f"dbt run failed: {done.exception or target / 'dbt.log'}")
        nodes = json.loads((target / "manifest.json").read_text())["nodes"]
        results = json.loads((target / "run_results.json").read_text())["results"]
        said["models"] = {
            nodes[result["unique_id"]]["name"]: {
                "seconds": result["execution_time"],
                "rows": result["adapter_response"].get("rows_affected", 0),
                "is_table": nodes[result["unique_id"]]["config"]["materialized"] != "view",
            }
            for result in results
        }
