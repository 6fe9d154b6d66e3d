"""A server that answers /api/metrics and /api/events with made-up events, a page at a time, at little cost."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bench.klaviyo.events import METRICS, NOW, Events
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

_CONDITION = re.compile(r"""(equals|greater-or-equal|less-than)\((metric_id|datetime),["']?([^"')]+)["']?\)""")
_HEADERS = {"Content-Type": "application/vnd.api+json", "Date": format_datetime(NOW, usegmt=True)}


def create_app(count: int) -> Starlette:
    """The account's metrics, and so many events."""
    events = Events(count)

    async def metrics(request: Request) -> Response:
        data = [{"type": "metric", "id": one, "attributes": {"name": name}} for one, name in METRICS.items()]
        return Response(json.dumps({"data": data, "links": {}}), headers=_HEADERS)

    async def listed(request: Request) -> Response:
        asked = dict(request.query_params)
        wanted = {operator: value for operator, _, value in _CONDITION.findall(asked["filter"])}
        low, high = (datetime.fromisoformat(wanted[name]) for name in ("greater-or-equal", "less-than"))
        numbers = events.numbers(wanted["equals"], low, high)
        begin, size = int(asked.get("page[cursor]", "0")), int(asked["page[size]"])
        links = {"self": str(request.url), "next": None}
        if begin + size < len(numbers):
            following = urlencode({**asked, "page[cursor]": begin + size})
            links["next"] = str(request.url.replace(query=following))
        documents = ",".join(map(events.document, numbers[begin : begin + size]))
        return Response(f'{{"data":[{documents}],"links":{json.dumps(links)}}}', headers=_HEADERS)

    return Starlette(routes=[Route("/api/metrics", metrics), Route("/api/events", listed)])


@contextmanager
def vendor(count: int) -> Iterator[str]:
    """The server in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "bench.klaviyo.vendor", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


if __name__ == "__main__":
    app = create_app(int(sys.argv[1]))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        listener.listen()
        config = uvicorn.Config(app, log_level="warning", lifespan="off", date_header=False)
        uvicorn.Server(config).run(sockets=[listener])
