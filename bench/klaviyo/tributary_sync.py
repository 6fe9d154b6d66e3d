"""Side: the channel's client and reader, and the loader, as a scheduled sync runs them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import psutil
import psycopg

from bench.common.side import measured
from bench.klaviyo.events import NOW, START
from tributary.channels.klaviyo.api import KlaviyoApi
from tributary.channels.klaviyo.limits import Limits
from tributary.channels.klaviyo.streams import EVENTS, KLAVIYO
from tributary.http import HttpClient, Redactor
from tributary.warehouse.sync import sync_stream

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    # With the budgets of a real account: 350 requests at once, and 52 a second.
    limits = Limits()
    client = HttpClient(redact=Redactor(), budgets=limits.budgets, explain=limits.explain, now=lambda: NOW)
    api = KlaviyoApi(client, limits, asked["api"], "pk_bench", now=lambda: NOW)
    with measured() as said:
        said["before_mb"] = psutil.Process().memory_info().rss / 2**20
        report = sync_stream(lambda: psycopg.connect(asked["database"]), api, KLAVIYO, EVENTS, "bench", NOW, START)
        said |= asdict(report.counts)
