"""A server that answers the query `Orders` from rendered files, at next to no cost."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.ingestion.orders import APART, START, Orders
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

_WINDOW = re.compile(r"updated_at:>='([^']+)' AND updated_at:<'([^']+)'")
_COST = (
    b'"extensions":{"cost":{"requestedQueryCost":900,"throttleStatus":'
    b'{"maximumAvailable":1e9,"currentlyAvailable":1e9,"restoreRate":1e9}}}'
)
_SCOPES = b'{"data":{"currentAppInstallation":{"accessScopes":[{"handle":"read_all_orders"}]}}}'


def page(orders: Orders, variables: dict[str, Any]) -> bytes:
    """The orders that changed in the query's window, from its cursor on."""
    window = _WINDOW.fullmatch(variables["query"])
    if window is None:
        raise LookupError(f"this server knows only windows of change, not {variables['query']!r}")
    # The n-th order changed at START + n * APART; the first one at or after a moment is found by dividing upwards.
    first, end = (-((START - datetime.fromisoformat(text)) // APART) for text in window.groups())
    first = max(first, int(variables.get("after") or 0))
    last = min(end, len(orders))
    end = min(first + variables["first"], last)
    more = "true" if end < last else "false"
    info = f'],"pageInfo":{{"hasNextPage":{more},"endCursor":"{end}"}}}}}},'.encode()
    return b"".join((b'{"data":{"orders":{"nodes":[', orders.between(first, end), info, _COST, b"}"))


def create_app(folder: Path) -> Starlette:
    """The datasets of a folder: /first and /changed stand where a shop's host would."""
    datasets = {path.stem: Orders(path) for path in folder.glob("*.offsets")}

    async def graphql(request: Request) -> Response:
        asked = json.loads(await request.body())
        match asked.get("operationName"):
            case "Orders":
                body = page(datasets[request.path_params["dataset"]], asked["variables"])
            case "Scopes":
                body = _SCOPES
            case other:
                return JSONResponse({"errors": f"this server has no answer to {other!r}"}, 400)
        version = {"X-Shopify-API-Version": request.path_params["version"]}
        return Response(body, media_type="application/json", headers=version)

    return Starlette(routes=[Route("/{dataset}/admin/api/{version}/graphql.json", graphql, methods=["POST"])])


@contextmanager
def vendor(folder: str) -> Iterator[str]:
    """The server in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "bench.ingestion.vendor", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


if __name__ == "__main__":
    app = create_app(Path(sys.argv[1]))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        listener.listen()
        uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off")).run(sockets=[listener])
