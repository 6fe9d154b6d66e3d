"""How much memory a history in bulk takes, and how fast it lands: `python -m bench.bulk_memory 250000`.

A vendor of its own process writes the orders of a hundred days as a bulk operation would, while it is downloaded; the
real reader and the real loader move them into a fresh PostgreSQL. One JSON line says what it took. The vendor, the
database and the sync share the machine's processors, so the speed is a lower bound.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 100
NOW = FIRST + timedelta(days=DAYS + 2)
FIRST_ID = 5_000_000_000_000
REFUNDED = 20
"""Every so many-th order has a refund."""
MIXED = 100
"""So many orders come together, their parts mixed."""


def money(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount}}


TAX = {"title": "State tax", "rate": 0.0725, "priceSet": money("2.17")}
ORDER: dict[str, Any] = {
    "id": "gid://shopify/Order/<id>",
    "legacyResourceId": "<id>",
    "name": "#<id>",
    "createdAt": "<when>",
    "processedAt": "<when>",
    "updatedAt": "<when>",
    "cancelledAt": None,
    "cancelReason": None,
    "test": False,
    "edited": False,
    "displayFinancialStatus": "PAID",
    "sourceName": "web",
    "tags": [],
    "discountCodes": [],
    "currencyCode": "USD",
    "presentmentCurrencyCode": "USD",
    "taxesIncluded": False,
    "email": "customer<id>@mail.example",
    "customer": {"id": "gid://shopify/Customer/<id>", "legacyResourceId": "<id>"},
    "totalPriceSet": money("96.33"),
    "originalTotalPriceSet": money("96.33"),
    "currentTotalPriceSet": money("96.33"),
    "subtotalPriceSet": money("89.82"),
    "totalDiscountsSet": money("0.0"),
    "totalShippingPriceSet": money("0.0"),
    "totalTaxSet": money("6.51"),
    "originalTotalDutiesSet": None,
    "totalTipReceivedSet": money("0.0"),
    "totalReceivedSet": money("96.33"),
    "totalRefundedSet": money("0.0"),
    "transactions": [],
    "customerJourneySummary": {
        "ready": True,
        "momentsCount": {"count": 1},
        "customerOrderIndex": 0,
        "daysToConversion": 0,
    },
    "refunds": [],
}
LINE = {
    "id": "gid://shopify/LineItem/<id>",
    "name": "Trail running shoe",
    "sku": "SHOE-42",
    "isGiftCard": False,
    "quantity": 1,
    "currentQuantity": 1,
    "product": {"id": "gid://shopify/Product/7000000001"},
    "variant": {"id": "gid://shopify/ProductVariant/7000000002"},
    "originalUnitPriceSet": money("29.94"),
    "discountAllocations": [],
    "taxLines": [TAX],
    "__parentId": "gid://shopify/Order/<id>",
}
VISIT = {
    "id": "gid://shopify/CustomerVisit/<id>",
    "occurredAt": "<when>",
    "landingPage": "https://aurora-outdoor.example/?utm_source=newsletter&utm_medium=email",
    "referrerUrl": None,
    "source": "newsletter",
    "sourceType": None,
    "sourceDescription": None,
    "referralCode": None,
    "utmParameters": {"source": "newsletter", "medium": "email", "campaign": "spring", "content": None, "term": None},
    "__parentId": "gid://shopify/Order/<id>",
}
REFUND = {
    "id": "<id>",
    "legacyResourceId": "1",
    "createdAt": "2026-03-01T00:00:00Z",
    "processedAt": "2026-03-01T00:00:00Z",
    "updatedAt": "2026-03-01T00:00:00Z",
    "totalRefundedSet": money("29.94"),
    "duties": [],
    **{
        name: {"nodes": [], "pageInfo": {"hasNextPage": False}}
        for name in ("refundLineItems", "refundShippingLines", "orderAdjustments", "transactions")
    },
}


def template(value: dict[str, Any]) -> str:
    """A line to be filled with an id and a time, both always of one length."""
    text = json.dumps(value, separators=(",", ":")).replace("%", "%%")
    return text.replace("<id>", "%(id)d").replace("<when>", "%(when)s") + "\n"


PARENT = template(ORDER)
REFUNDED_PARENT = PARENT.replace('"refunds":[]', '"refunds":[{"id":"gid://shopify/Refund/%(id)d"}]')
LINES = [template(LINE | {"id": f"gid://shopify/LineItem/<id>{number}"}) for number in range(3)]
CHILDREN = [*LINES[:2], template(VISIT), LINES[2]]


@dataclass(frozen=True)
class Shop:
    """Orders at equal distances over the days."""

    orders: int

    def within(self, start: datetime, end: datetime) -> range:
        """The numbers of the orders that changed then."""
        every = timedelta(days=DAYS) / self.orders
        low, high = (max(0, min(self.orders, -(-(moment - FIRST) // every))) for moment in (start, end))
        return range(low, high)

    def size(self, numbers: range) -> int:
        """The bytes that `lines` gives."""
        plain, refunded = (len(text % self._filling(0)) for text in (PARENT, REFUNDED_PARENT))
        children = sum(len(text % self._filling(0)) for text in CHILDREN)
        with_refund = len(range(-(-numbers.start // REFUNDED), -(-numbers.stop // REFUNDED)))
        return len(numbers) * (plain + children) + with_refund * (refunded - plain)

    def lines(self, numbers: range) -> Iterator[bytes]:
        """As bulk writes them: some orders, then what belongs to them, mixed."""
        for at in range(numbers.start, numbers.stop, MIXED):
            some = [(number, self._filling(number)) for number in range(at, min(at + MIXED, numbers.stop))]
            rows = [(PARENT if number % REFUNDED else REFUNDED_PARENT) % filling for number, filling in some]
            rows += [text % filling for text in CHILDREN for _, filling in some]
            yield "".join(rows).encode()

    def _filling(self, number: int) -> dict[str, object]:
        when = FIRST + number * (timedelta(days=DAYS) / self.orders)
        return {"id": FIRST_ID + number, "when": when.strftime("%Y-%m-%dT%H:%M:%SZ")}


class Vendor:
    """Just so much of Shopify as a sync asks for; every bulk operation is done as soon as it is started."""

    def __init__(self, orders: int) -> None:
        self.shop = Shop(orders)
        self.url = ""
        self._operations: list[tuple[str, range]] = []

    def answer(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        """What the operation's `data` says."""
        match operation:
            case "Scopes":
                return {"currentAppInstallation": {"accessScopes": [{"handle": "read_all_orders"}]}}
            case "OrdersInWindow":
                return {"ordersCount": {"count": len(self._window(variables["query"]))}}
            case "Orders":
                assert not self._window(variables["query"]), "all orders are read in bulk"
                return {"orders": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}
            case "Refunds":
                return {"nodes": [REFUND | {"id": one} for one in variables["ids"]]}
            case "BulkOperations":
                return {"bulkOperations": {"nodes": [self._told(number) for number in range(len(self._operations))]}}
            case "StartBulkOperation":
                self._operations.append((variables["query"], self._window(variables["query"])))
                started = self._told(len(self._operations) - 1)
                return {"bulkOperationRunQuery": {"bulkOperation": started, "userErrors": []}}
            case _:
                raise ValueError(f"the vendor has no {operation}")

    def file(self, number: int) -> tuple[int, Iterator[bytes]]:
        """The size and the content of an operation's file."""
        _, numbers = self._operations[number]
        return self.shop.size(numbers), self.shop.lines(numbers)

    def _told(self, number: int) -> dict[str, Any]:
        query, numbers = self._operations[number]
        return {
            "id": f"gid://shopify/BulkOperation/{number}",
            "query": query,
            "status": "COMPLETED",
            "errorCode": None,
            "createdAt": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "rootObjectCount": str(len(numbers)),
            "fileSize": str(self.shop.size(numbers)),
            "url": f"{self.url}/{number}" if numbers else None,
        }

    def _window(self, query: str) -> range:
        start, end = map(datetime.fromisoformat, re.findall(r"updated_at:[<>]=?'([^']+)'", query))
        return self.shop.within(start, end)


def vend(orders: int) -> None:
    """Serves a shop for as long as this process lives, and says where."""
    vendor = Vendor(orders)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = vendor.answer(asked["operationName"], asked["variables"])
            body = json.dumps({"data": answer}, separators=(",", ":")).encode()
            self._send(len(body), [body])

        def do_GET(self) -> None:
            self._send(*vendor.file(int(self.path.rpartition("/")[2])))

        def _send(self, length: int, content: Iterable[bytes]) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            for piece in content:
                self.wfile.write(piece)

        def log_message(self, *_: object) -> None:
            """Keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vendor.url = f"http://127.0.0.1:{server.server_address[1]}"
    print(vendor.url, flush=True)
    server.serve_forever()


def megabytes(name: str) -> float:
    """A line of /proc/self/status: VmRSS is what this process holds now, VmHWM the most that it ever held."""
    kilobytes = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert kilobytes is not None
    return int(kilobytes[1]) / 1024


def sync(warehouse_url: str, vendor_url: str) -> None:
    """One sync of the whole history; prints what it took."""
    import psycopg

    from tributary.channels.shopify import bulk_query
    from tributary.channels.shopify.api import ShopifyApi, budgets
    from tributary.channels.shopify.streams import ORDERS, SHOPIFY
    from tributary.channels.shopify.token import StaticToken
    from tributary.http import HttpClient, Redactor
    from tributary.warehouse.sync import sync_stream

    bulk_query.order_shape()
    client = HttpClient(redact=Redactor(), budgets=budgets())
    api = ShopifyApi(client, vendor_url, StaticToken("bench"), now=lambda: NOW)
    before, began, cpu = megabytes("VmRSS"), time.perf_counter(), time.process_time()
    report = sync_stream(lambda: psycopg.connect(warehouse_url), api, SHOPIFY, ORDERS, "bench", NOW, FIRST)
    seconds = time.perf_counter() - began
    peak = megabytes("VmHWM")
    assert report.counts.rejected == 0
    measured = {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "slices": report.slices,
        "rss_before_mb": round(before, 1),
        "rss_peak_mb": round(peak, 1),
        "rss_growth_mb": round(peak - before, 1),
    }
    print(json.dumps(measured))


@contextmanager
def vending(orders: int) -> Iterator[str]:
    """The vendor's address while it runs."""
    process = subprocess.Popen([*_me(), "vend", str(orders)], stdout=subprocess.PIPE, text=True, env=_environment())
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def check(warehouse_url: str, orders: int) -> int:
    """Everything is there and whole; returns the mean size of a payload."""
    import psycopg

    query = """
        select
            count(*),
            sum(jsonb_array_length(payload #> '{lineItems,nodes}')),
            count(distinct payload #>> '{lineItems,nodes,0,id}'),
            (select count(*) from raw.shopify_visits),
            (select count(*) from raw.shopify_refunds),
            avg(octet_length(payload::text))
        from raw.shopify_orders
    """
    with psycopg.connect(warehouse_url) as conn:
        row = conn.execute(query).fetchone()
    assert row is not None
    assert row[:5] == (orders, 3 * orders, orders, orders, -(-orders // REFUNDED)), row
    return int(row[5])


def measure(orders: int) -> dict[str, Any]:
    """A fresh warehouse and vendor, one sync in a process of its own, and a look at what landed."""
    from tributary.channels import CHANNELS
    from tributary.local.postgres import temporary_server
    from tributary.warehouse.migrate import migrate

    with temporary_server() as warehouse_url, vending(orders) as vendor_url:
        migrate(warehouse_url, CHANNELS)
        run = subprocess.run(
            [*_me(), "sync", warehouse_url, vendor_url],
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
            check=True,
        )
        measured: dict[str, Any] = json.loads(run.stdout)
        payload = check(warehouse_url, orders)
    shop = Shop(orders)
    return {
        "orders": orders,
        "orders_per_second": round(orders / measured["seconds"]),
        "jsonl_bytes_per_order": shop.size(range(orders)) // orders,
        "payload_bytes": payload,
        **measured,
    }


def _me() -> list[str]:
    return [sys.executable, "-m", "bench.bulk_memory"]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")])}


def main(arguments: list[str] | None = None) -> None:
    """Prints one JSON line for the number of orders given."""
    given = arguments if arguments is not None else sys.argv[1:]
    if given[:1] == ["vend"]:
        return vend(int(given[1]))
    if given[:1] == ["sync"]:
        return sync(*given[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("orders", type=int, nargs="?", default=250_000)
    print(json.dumps(measure(parser.parse_args(given).orders)))
    return None


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "plugins")]
    main()
