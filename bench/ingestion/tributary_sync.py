"""Side: the channel's client and reader, and the loader, as a scheduled sync runs them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from datetime import datetime

import psycopg

from bench.common.side import measured
from bench.ingestion.orders import connect_api
from bench.ingestion.phases import Phases
from tributary.channels.shopify.streams import SHOPIFY
from tributary.warehouse.sync import sync_stream

# The road of pages is what is measured; bulk operations have a benchmark of their own.
ORDERS = replace(SHOPIFY.stream("orders"), history=None)
MERCHANT = "bench"

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
    api, stream, phases = connect_api(asked["api"]), ORDERS, Phases()
    if asked["profile"]:
        stream = phases.reading(ORDERS)

    def connect() -> psycopg.Connection:
        """What a task would connect by, watched or not."""
        return phases.connect(asked["database"]) if asked["profile"] else psycopg.connect(asked["database"])

    with measured() as said:
        report = sync_stream(connect, api, SHOPIFY, stream, MERCHANT, end, start)
        said |= asdict(report.counts)
        if asked["profile"]:
            said["phases"] = phases.seconds()
