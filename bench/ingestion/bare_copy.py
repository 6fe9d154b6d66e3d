"""Side: the same rows into the same tables by COPY alone, from bytes that were prepared before."""

from __future__ import annotations

import json
import struct
import sys
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from psycopg import sql

from bench.common.side import measured
from bench.ingestion.orders import connect_api
from bench.ingestion.tributary_sync import MERCHANT, ORDERS
from tributary.channels.shopify.streams import SHOPIFY
from tributary.warehouse.raw_table import raw_table

if TYPE_CHECKING:
    from tributary.declaration import Record

_COPY = sql.SQL(
    "copy {} (merchant_id, record_id, event_at, updated_at, payload, payload_hash, sync_id) from stdin (format binary)"
)
_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_CHUNK = 256 * 1024


def prepare(api_url: str, start: datetime, end: datetime, folder: Path) -> dict[str, str]:
    """Write down each table's rows in PostgreSQL's binary format, the cheapest it reads; returns the files."""
    names = ("orders", *ORDERS.children)
    paths = {name: folder / f"{name}.copy" for name in names}
    files = {name: path.open("wb") for name, path in paths.items()}
    sync_id = uuid4().bytes
    for file in files.values():
        file.write(_HEADER)
    api = connect_api(api_url)
    while start < end:
        for page in ORDERS.changed(api, start, min(start + ORDERS.slice_length, end)):
            for name, records in {"orders": page.records, **page.children}.items():
                files[name].writelines(_row(record, sync_id) for record in records)
        start += ORDERS.slice_length
    for file in files.values():
        file.write(struct.pack("!h", -1))
        file.close()
    return {name: str(path) for name, path in paths.items()}


def _row(record: Record, sync_id: bytes) -> bytes:
    values = (
        MERCHANT.encode(),
        record.record_id.encode(),
        _moment(record.event_at),
        _moment(record.updated_at),
        b"\x01" + record.payload,
        blake2b(record.payload, digest_size=16).digest(),
        sync_id,
    )
    return b"".join((struct.pack("!h", len(values)), *(struct.pack("!i", len(value)) + value for value in values)))


def _moment(moment: datetime) -> bytes:
    return struct.pack("!q", int((moment - _EPOCH).total_seconds() * 1_000_000))


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    prepared = {name: memoryview(Path(path).read_bytes()) for name, path in asked["files"].items()}
    with psycopg.connect(asked["database"]) as conn, measured():
        for name, rows in prepared.items():
            with conn.cursor().copy(_COPY.format(raw_table(SHOPIFY, name))) as copy:
                for at in range(0, len(rows), _CHUNK):
                    copy.write(rows[at : at + _CHUNK])
        conn.commit()
