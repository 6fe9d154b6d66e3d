"""Any number of orders as the API answers them, rendered before anything is measured.

The sandbox's business gives some thousand orders through the sync's own query. They are repeated with ids, e-mails and
times of their own, so that what the query asks for is always what is measured.
"""

from __future__ import annotations

import array
import json
import mmap
import re
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b, md5
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tributary.channels.shopify.api import DOCUMENT, ShopifyApi
from tributary.channels.shopify.streams import SHOPIFY
from tributary.channels.shopify.token import StaticToken
from tributary.http import Budget, HttpClient, Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START = datetime(2024, 1, 1, tzinfo=UTC)
APART = timedelta(minutes=1)
"""Between one order's last change and the next one's: ten thousand orders a week, a busy shop."""
CHANGED_EVERY = 100

_POOL_START = datetime(2026, 9, 25, tzinfo=UTC)
_POOL_END = datetime(2026, 11, 20, tzinfo=UTC)
# A day later every customer journey of the pool is known.
_POOL_SEEN = _POOL_END + timedelta(days=1)

# Products are the shop's own and stay; everything else belongs to one order, or to one customer.
_VARIABLE = re.compile(
    rb'(?P<id>(?:gid://shopify/(?!Product)\w+/|"legacyResourceId":")(?P<digits>\d\d))'
    rb'|"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"'
    rb'|(?P<email>"email":")(?!")'
)
_FIRST_COPY = 100
_ID = b'"legacyResourceId":"'


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rendered orders: their JSON one behind the other, and where each begins."""

    folder: str
    orders: int
    children: dict[str, int]
    """How many records of each child stream they hold."""
    bytes: int
    ids: str
    """The checksum of the orders' ids: MD5 over them, sorted as bytes, with commas between."""

    @property
    def start(self) -> datetime:
        return START

    @property
    def end(self) -> datetime:
        return START + self.orders * APART


class Orders:
    """Rendered orders: their bytes in one file, and where each begins."""

    def __init__(self, path: Path) -> None:
        with path.with_suffix(".json").open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._offsets = array.array("Q", path.with_suffix(".offsets").read_bytes())

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def between(self, first: int, end: int) -> bytes:
        """Some orders, with a comma between them."""
        return self._bytes[self._offsets[first] : self._offsets[end] - 1] if first < end else b""


def render(orders: int, cache_folder: Path, *, changed: bool = True) -> Dataset:
    """The orders as the API shows them first, and again with some of them changed; rendered once for each query."""
    code = Path(__file__).read_bytes() + DOCUMENT.encode()
    folder = cache_folder / f"orders-{orders}-{blake2b(code, digest_size=6).hexdigest()}"
    description = folder / "dataset.json"
    if not description.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pool = _pool()
        templates = [_Template(payload) for payload, _ in pool]
        if changed:
            _write(folder / "changed", templates, orders, changed=True)
        children: Counter[str] = Counter()
        for number in range(orders):
            children.update(pool[number % len(pool)][1])
        ids = _write(folder / "first", templates, orders, changed=False)
        size = (folder / "first.json").stat().st_size
        dataset = Dataset(str(folder), orders, dict(children), size, md5(b",".join(sorted(ids))).hexdigest())
        description.write_text(json.dumps(asdict(dataset)))
    return Dataset(**json.loads(description.read_text()))


def _write(path: Path, templates: Sequence[_Template], orders: int, *, changed: bool) -> list[bytes]:
    """Write the orders; returns their ids."""
    offsets, ids = array.array("Q", [0]), []
    with path.with_suffix(".json").open("wb") as out:
        for number in range(orders):
            copy, template = divmod(number, len(templates))
            payload = templates[template].order(_FIRST_COPY + copy, START + number * APART)
            if changed and number % CHANGED_EVERY == 0:
                payload = _edited(payload)
            out.write(payload + b",")
            offsets.append(offsets[-1] + len(payload) + 1)
            ids.append(payload[payload.index(_ID) + len(_ID) :].partition(b'"')[0])
    path.with_suffix(".offsets").write_bytes(offsets.tobytes())
    return ids


def _edited(payload: bytes) -> bytes:
    order = json.loads(payload)
    changed_at = datetime.fromisoformat(order["updatedAt"]) + timedelta(seconds=1)
    order |= {"updatedAt": _text(changed_at).decode(), "tags": [*order["tags"], "changed"]}
    return json.dumps(order, separators=(",", ":"), ensure_ascii=False).encode()


class _Template:
    """One order's JSON, taken apart where copies of it differ."""

    def __init__(self, payload: bytes) -> None:
        updated_at = datetime.fromisoformat(json.loads(payload)["updatedAt"])
        self._parts: list[bytes | timedelta | None] = []
        end = 0
        for found in _VARIABLE.finditer(payload):
            if found["id"]:
                self._parts += [payload[end : found.start("digits")], None]
                end = found.end("digits")
            elif found["time"]:
                moment = datetime.fromisoformat(found["time"].decode())
                self._parts += [payload[end : found.start("time")], moment - updated_at]
                end = found.end("time")
            else:
                self._parts += [payload[end : found.end()] + b"of-", None, b"."]
                end = found.end()
        self._parts.append(payload[end:])

    def order(self, copy: int, updated_at: datetime) -> bytes:
        mark = str(copy).encode()
        return b"".join(
            part if isinstance(part, bytes) else mark if part is None else _text(updated_at + part)
            for part in self._parts
        )


def _text(moment: datetime) -> bytes:
    return _day(moment.date().toordinal()) + _time_of_day(moment.hour * 3600 + moment.minute * 60 + moment.second)


@cache
def _day(ordinal: int) -> bytes:
    return f"{datetime.fromordinal(ordinal):%Y-%m-%dT}".encode()


@cache
def _time_of_day(seconds: int) -> bytes:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z".encode()


def _pool() -> list[tuple[bytes, Counter[str]]]:
    """Some weeks of the sandbox's orders by the time of their last change, with how many children each has."""
    settings = Settings(first_day=_POOL_START.date(), frozen_at=_POOL_SEEN, restore_rate=1_000_000)
    with serve(create_app(settings)) as url:
        api = connect_api(f"{url}/shopify/aurora.myshopify.com", "shpat_sandbox_aurora")
        return list(_orders(api))


def _orders(api: ShopifyApi) -> Iterator[tuple[bytes, Counter[str]]]:
    for page in SHOPIFY.stream("orders").changed(api, _POOL_START, _POOL_END):
        children: dict[str, Counter[str]] = {record.record_id: Counter() for record in page.records}
        for stream, records in page.children.items():
            for record in records:
                children[record.record_id.partition("/")[0]][stream] += 1
        for record in page.records:
            yield record.payload, children[record.record_id]


def connect_api(base_url: str, token: str = "bench") -> ShopifyApi:
    """The channel's own client, without a rate budget that would make it wait."""
    client = HttpClient(redact=Redactor([]), budgets={"graphql": Budget(rate=1e9, capacity=1e9)})
    return ShopifyApi(client, base_url, StaticToken(token))
