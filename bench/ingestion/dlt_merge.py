"""Side: dlt on the same API, merging into PostgreSQL. Runs in an environment of its own.

`default` is what dlt's documentation shows for such an API; `tuned` keeps orders whole and loads files beside each
other; `arrow` parses pages as sparingly as Tributary does and hands over finished columns.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import requests

from bench.common.side import measured

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 250
BUFFER = 5_000
CORES = str(os.cpu_count() or 1)
TUNED = {
    "NORMALIZE__WORKERS": CORES,
    "LOAD__WORKERS": CORES,
    "DATA_WRITER__BUFFER_MAX_ITEMS": str(BUFFER),
    "DATA_WRITER__FILE_MAX_ITEMS": "25000",
}


class _Order(msgspec.Struct, rename="camel", gc=False):
    id: str
    processed_at: str
    updated_at: str


class _PageInfo(msgspec.Struct, rename="camel"):
    has_next_page: bool
    end_cursor: str | None


class _Orders(msgspec.Struct, rename="camel"):
    nodes: list[msgspec.Raw]
    page_info: _PageInfo


class _Data(msgspec.Struct):
    orders: _Orders


class _Answer(msgspec.Struct):
    data: _Data


_ANSWER = msgspec.json.Decoder(_Answer)
_ORDER = msgspec.json.Decoder(_Order)


def request_body(asked: dict[str, Any], after: str | None = None) -> dict[str, Any]:
    """What the channel's client sends, too."""
    query = f"updated_at:>='{asked['start']}' AND updated_at:<'{asked['end']}'"
    variables = {"query": query, "sortKey": "UPDATED_AT", "first": PAGE, "after": after}
    return {"query": asked["document"], "operationName": "Orders", "variables": variables}


def rest_api(asked: dict[str, Any]) -> Any:
    """The orders through dlt's own client and paginator."""
    from dlt.sources.rest_api import rest_api_source

    body = request_body(asked)
    body["query"] = body["query"].replace("{", "{{").replace("}", "}}")  # braces are its placeholders
    return rest_api_source(
        {
            "client": {"base_url": asked["api"]},
            "resources": [
                {
                    "name": "orders",
                    "primary_key": "id",
                    "write_disposition": "merge",
                    "endpoint": {
                        "path": asked["path"],
                        "method": "POST",
                        "json": body,
                        "data_selector": "data.orders.nodes",
                        "paginator": {
                            "type": "cursor",
                            "cursor_path": "data.orders.pageInfo.endCursor",
                            "cursor_body_path": "variables.after",
                            "has_more_path": "data.orders.pageInfo.hasNextPage",
                        },
                    },
                }
            ],
        },
        **({"max_table_nesting": 0} if asked["way"] == "tuned" else {}),
    )


def arrow(asked: dict[str, Any]) -> Any:
    """The orders as columns: their key, their times and their JSON as the vendor sent it."""
    import dlt

    columns = {"payload": {"data_type": "json"}}

    @dlt.resource(name="orders", primary_key="id", write_disposition="merge", columns=columns, max_table_nesting=0)
    def orders() -> Iterator[pa.Table]:
        session, after, nodes = requests.Session(), None, []
        while True:
            body = request_body(asked, after)
            answer = session.post(f"{asked['api']}/{asked['path']}", json=body, timeout=60)
            found = _ANSWER.decode(answer.content).data.orders
            nodes += found.nodes
            if len(nodes) >= BUFFER or not found.page_info.has_next_page:
                yield _table(nodes)
                nodes = []
            if not found.page_info.has_next_page:
                return
            after = found.page_info.end_cursor

    return orders


def _table(nodes: list[msgspec.Raw]) -> pa.Table:
    parsed = [_ORDER.decode(node) for node in nodes]
    moments = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "id": [order.id for order in parsed],
            "event_at": pa.array([order.processed_at for order in parsed]).cast(moments),
            "updated_at": pa.array([order.updated_at for order in parsed]).cast(moments),
            "payload": pa.array([bytes(node) for node in nodes], pa.binary()).cast(pa.string()),
        }
    )


def main(asked: dict[str, Any]) -> None:
    """Load once, into an empty database."""
    with TemporaryDirectory() as folder:
        os.environ |= {"DLT_DATA_DIR": folder, "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
        if asked["way"] != "default":
            os.environ |= TUNED
        import dlt

        pipeline = dlt.pipeline(
            pipeline_name="bench",
            pipelines_dir=str(Path(folder) / "pipelines"),
            destination=dlt.destinations.postgres(asked["database"]),
            dataset_name="raw",
        )
        with measured() as said:
            if asked["way"] == "default":
                pipeline.run(rest_api(asked)).raise_on_failed_jobs()
            else:
                data = rest_api(asked) if asked["way"] == "tuned" else arrow(asked)
                pipeline.run(data, loader_file_format=asked["format"]).raise_on_failed_jobs()
            said["dlt"] = dlt.__version__


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
