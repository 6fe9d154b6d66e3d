"""A channel of the sandbox and a warehouse that it is read into; what differs from vendor to vendor stands beside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tests.channels.shopify_sandbox import FIRST_DAY, NOW
from tributary.warehouse.replay import ReplayReport, replay
from tributary.warehouse.reread import reread
from tributary.warehouse.sync import SyncReport, sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.channels.shopify_sandbox import Sandbox
    from tributary.declaration import Channel, Stream
    from tributary.warehouse.ledger import Counts

START = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) - timedelta(days=1)
"""A day before the sandbox's first."""

Snapshot = dict[str, dict[str, str]]
_UNTOUCHED: dict[tuple[str, str, str], Snapshot] = {}


@dataclass
class Road(ABC):
    """One merchant of the test's own, read from the sandbox by the real client into a real warehouse."""

    merchant: str
    sandbox: Sandbox
    connect: Callable[[], psycopg.Connection]
    start: datetime = field(default=START, kw_only=True)

    channel: ClassVar[Channel]

    @abstractmethod
    def api(self, **how: Any) -> Any:
        """A client of the vendor's API."""

    def sync(
        self, stream: Stream | str, api: Any = None, *, now: datetime | None = NOW, merchant: str = ""
    ) -> SyncReport:
        stream = self.channel.stream(stream) if isinstance(stream, str) else stream
        api = api or self.api(now=lambda: now)
        return sync_stream(self.connect, api, self.channel, stream, merchant or self.merchant, now, self.start)

    def reread(self, stream: str, start: datetime, end: datetime) -> Counts:
        return reread(self.connect, self.api(), self.channel, self.channel.stream(stream), self.merchant, start, end)

    def replay(self, stream: str) -> ReplayReport:
        return replay(self.connect, self.api(), self.channel, self.channel.stream(stream), self.merchant, dry_run=False)

    def undisturbed(self, stream: Stream | str, now: datetime = NOW) -> Snapshot:
        """What a merchant with the same shop holds after one sync in which nothing goes wrong."""
        self.no_faults()
        merchant = f"{self.merchant}, undisturbed"
        self.sync(stream, now=now, merchant=merchant)
        return self.snapshot(stream, merchant)

    def untouched(self, stream: Stream) -> Snapshot:
        """The same where the shop stands still, so that one reading does for all tests of a module."""
        key = self.sandbox.url, self.query("select current_database()")[0][0], stream.name
        if key not in _UNTOUCHED:
            _UNTOUCHED[key] = self.undisturbed(stream)
        return _UNTOUCHED[key]

    def snapshot(self, stream: Stream | str, merchant: str = "") -> Snapshot:
        """What the warehouse holds of a stream, without the ids of syncs and the times of loading."""
        name = stream if isinstance(stream, str) else stream.name
        parts = {
            "raw": f"""
                select record_id, md5((event_at, updated_at, payload, api_version)::text)
                from raw.{self.channel.name}_{name} where merchant_id = %(merchant)s
            """,
            "dead letters": """
                select md5(payload), md5((record_id, reason)::text) from ops.dead_letters
                where merchant_id = %(merchant)s and stream = %(stream)s and resolved_at is null
            """,
            "checkpoints": """
                select stream, position::text from ops.checkpoints
                where merchant_id = %(merchant)s and stream = %(stream)s
            """,
        }
        values = {"merchant": merchant or self.merchant, "stream": name}
        return {part: dict(self.query(query, **values)) for part, query in parts.items()}

    def query(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of the warehouse; `%(merchant)s` is the test's own."""
        with self.connect() as conn:
            conn.execute("set time zone 'UTC'")
            return conn.execute(query, {"merchant": self.merchant, **values}).fetchall()

    def raw(self, stream: str, column: str = "payload", merchant: str = "") -> dict[str, Any]:
        """A column of a stream's rows by their ids."""
        query = f"select record_id, {column} from raw.{self.channel.name}_{stream} where merchant_id = %(merchant)s"
        return dict(self.query(query, merchant=merchant or self.merchant))

    def position(self, stream: str) -> datetime | None:
        """How far the merchant has been read."""
        query = "select position from ops.checkpoints where merchant_id = %(merchant)s and stream = %(stream)s"
        found = self.query(query, stream=stream)
        return found[0][0] if found else None

    def letters(self, stream: str) -> list[tuple[Any, ...]]:
        """The open dead letters of a stream: id, reason, payload."""
        return self.query(
            "select record_id, reason, payload from ops.dead_letters"
            " where merchant_id = %(merchant)s and stream = %(stream)s and resolved_at is null",
            stream=stream,
        )

    def errors(self) -> list[str]:
        """What the ledger says of syncs that failed."""
        query = "select error from ops.syncs where merchant_id = %(merchant)s and status = 'failed' order by started_at"
        return [error for (error,) in self.query(query)]

    def changed(self, stream: str = "") -> dict[str, str]:
        """The ids that are waiting to be built again, and what happened to each; of one stream, or of all."""
        query = """
            select record_id, operation from ops.changes
            where merchant_id = %(merchant)s and %(stream)s in ('', stream)
        """
        return dict(self.query(query, stream=stream))

    def forget_changes(self) -> None:
        """As if everything had been built."""
        self.query("with gone as (delete from ops.changes where merchant_id = %(merchant)s returning 1) select 1")

    def now(self) -> datetime:
        """The sandbox's time."""
        return datetime.fromisoformat(self.sandbox.admin("/clock", method="GET")["now"])

    def advance(self, by: timedelta) -> None:
        """So much time passes in the sandbox."""
        self.sandbox.admin("/clock", {"advance_seconds": int(by.total_seconds())})

    def no_faults(self) -> None:
        self.sandbox.admin("/faults", method="DELETE")

    def struck(self) -> list[int]:
        """How often each fault struck."""
        return [fault["hits"] for fault in self.sandbox.admin("/faults", method="GET")]


def differing(one: Snapshot, other: Snapshot) -> dict[str, set[str]]:
    """The parts that are not the same, and in them the ids whose rows are not."""
    found = {part: {key for key, _ in one[part].items() ^ other[part].items()} for part in one}
    return {part: {key.split(" ")[0] for key in keys} for part, keys in found.items() if keys}
