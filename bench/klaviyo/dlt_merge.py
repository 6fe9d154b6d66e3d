"""Side: dlt's rest_api source on the same routes, merging into PostgreSQL. Runs in an environment of its own.

`default` is what dlt's documentation shows for such an API; `tuned` keeps events whole and loads files beside each
other.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.common.side import measured

CORES = str(os.cpu_count() or 1)
TUNED = {
    "NORMALIZE__WORKERS": CORES,
    "LOAD__WORKERS": CORES,
    "DATA_WRITER__BUFFER_MAX_ITEMS": "5000",
    "DATA_WRITER__FILE_MAX_ITEMS": "25000",
}


def rest_api(asked: dict[str, Any]) -> Any:
    """The events of each metric through dlt's own client and paginator, into one table."""
    from dlt.sources.rest_api import rest_api_source

    window = f"greater-or-equal(datetime,{asked['start']}),less-than(datetime,{asked['end']})"
    resources = [
        {
            "name": f"events_{metric}",
            "table_name": "events",
            "primary_key": "id",
            "write_disposition": "merge",
            "endpoint": {
                "path": "api/events",
                "params": {
                    "filter": f'and(equals(metric_id,"{metric}"),{window})',
                    "sort": "datetime",
                    "page[size]": "1000",
                },
                "data_selector": "data",
                "paginator": {"type": "json_link", "next_url_path": "links.next"},
            },
        }
        for metric in asked["metrics"]
    ]
    nesting = {"max_table_nesting": 0} if asked["way"] == "tuned" else {}
    return rest_api_source({"client": {"base_url": asked["api"]}, "resources": resources}, **nesting)


def main(asked: dict[str, Any]) -> None:
    """Load once, into an empty database."""
    with TemporaryDirectory() as folder:
        os.environ |= {"DLT_DATA_DIR": folder, "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
        if asked["way"] == "tuned":
            os.environ |= TUNED
        import dlt

        pipeline = dlt.pipeline(
            pipeline_name="bench",
            pipelines_dir=str(Path(folder) / "pipelines"),
            destination=dlt.destinations.postgres(asked["database"]),
            dataset_name="raw",
        )
        with measured() as said:
            files = {"loader_file_format": "csv"} if asked["way"] == "tuned" else {}
            pipeline.run(rest_api(asked), **files).raise_on_failed_jobs()
            said["dlt"] = dlt.__version__


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
