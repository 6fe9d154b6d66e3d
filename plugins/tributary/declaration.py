"""What a channel declares about itself: its streams, how they are read, and what a changed record touches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from decimal import Decimal

AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Record:
    """One vendor record: its key, its two times, and its bytes exactly as the vendor sent them."""

    record_id: str
    event_at: datetime
    updated_at: datetime
    payload: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that its declaration cannot accept, kept whole, with the reason a person can act on."""

    record_id: str | None
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """What one request brought. Children belong to the page's records; their ids are `<parent id>/<child id>`."""

    records: Sequence[Record]
    rejects: Sequence[Reject] = ()
    children: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    gone: Sequence[str] = ()
    """Ids that were asked for and exist no more; they leave raw together with their children."""


# A reader takes the channel's API client and a half-open window [start, end), and yields pages.
Reader = Callable[[Any, datetime, datetime], Iterator[Page]]
# The records of these ids as they are now; the ones that exist no more are in `Page.gone`.
ReaderById = Callable[[Any, Sequence[str]], Iterator[Page]]


class Slice(NamedTuple):
    """What one transaction moves: a window, and how it is read."""

    start: datetime
    end: datetime
    read: Reader


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Records that the vendor completes later without saying so: every sync reads them again."""

    condition: str
    """SQL over `payload` that holds while the record is unfinished."""
    patience: timedelta
    """Counted from the record's business time; what is older is left as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Personal:
    """What of a payload is about a person. A path is PostgreSQL's, as `customer,id`; * is every element of a list."""

    identities: Mapping[str, str] = field(default_factory=dict)
    """Path -> kind: values that say who it is, masked when the person is erased.

    The kind is what stands before the colon in `customer_identity`. An `email` may be several people's, others may not.
    """
    links: Mapping[str, str] = field(default_factory=dict)
    """Path -> kind: ids of the vendor's by which other rows of the person are found. They stay, since rows are joined
    by them."""
    removed: tuple[str, ...] = ()
    """Paths that are dropped."""
    kept: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path of an object that may hold anything -> the fields of it that stay."""
    rewritten: Mapping[str, str] = field(default_factory=dict)
    """Path -> SQL over `payload`: what stays of the value, so that all figures stay as they are."""
    children: Mapping[str, Personal] = field(default_factory=dict)
    """Child -> the same for its rows, which are whose their parent is."""


@dataclass(frozen=True, slots=True)
class DayTotal:
    """What a shop says of one of its days, asked by another road than the sync."""

    date_day: date
    orders: int
    """All orders of the day, tests and cancelled ones included."""
    gross_sales: Decimal | None
    """Gross sales of those that are no tests; None when the vendor does not say."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A collection of vendor records that lands in one raw table."""

    name: str
    changed: Reader
    """Reads by the vendor's change time: what a sync asks for."""
    happened: Reader
    """Reads by business time: what a backfill asks for."""
    cursor: str
    """The vendor's field that `changed` filters on, for people who read the declaration."""
    slice_length: timedelta
    """The widest window that one transaction moves."""
    look_back: timedelta
    """How far before the checkpoint a sync starts again, because vendors index late."""
    sla: timedelta
    """How old what was read may be: people are warned beyond it, and the merchant is held back a day later.

    What may be an hour old at most, as orders, holds it back after a day: see `blocks_after`.
    """
    budget: str
    """The rate-budget group that the stream's requests draw from."""
    per_request: int
    """How many of its records one request of `happened` brings at most: what a backfill's plan counts calls by."""
    by_id: ReaderById
    """Reads records by their ids: unfinished ones again, and ones that a window no longer shows."""
    replay: Callable[[Any, bytes], Page]
    """Puts a dead letter's bytes through the same checks as a page."""
    requests_a_window: int = 1
    """What `happened` asks however little there is, as when it reads several lists."""
    requests_a_day: int = 0
    """The same for each day of the window, where each is asked for alone."""
    history: Callable[[Any, datetime, datetime], Iterator[Slice]] | None = None
    """Cuts a sync's window into slices of its own, in order; None: `slice_length` each, by `changed`.

    The last one may end early: the checkpoint then waits there for what the vendor has not completed yet. It may also
    reach beyond the window, to the end of a day that is still going on: the checkpoint never does. Slices before the
    window, which read again what may have come late, leave it alone.
    """
    unfinished: Unfinished | None = None
    write: Literal["upsert", "replace_slice", "snapshot"] = "upsert"
    """What a slice does to raw, apart from bringing records.

    With `replace_slice` it is all there is of its window: what it no longer shows is asked for by id, and may be gone;
    what was read last counts, however old it says it is.
    A snapshot is one day's reading of counters; its id is `<subject>/<date>`, and the next day's figures need it.
    """
    restated_for: timedelta | None = None
    """For how long the vendor corrects a day: its figures are final once those of the day so much later are there."""
    api_version: str | None = None
    """The vendor's version of what the stream reads, where each endpoint has its own; kept on every row."""
    children: tuple[str, ...] = ()
    """Collections with a time of their own, replaced together with their parent."""
    quiet: frozenset[str] = frozenset()
    """Of the stream and its children, those that stand on no day of their own.

    A child's change is its parent's too. What a quiet stream's change touches is what it shares an identity or a link
    with; without one it touches nothing.
    """
    reach: timedelta | None = None
    """For how long after it a record may move figures, as a click those of an order."""
    is_dependent: bool = False
    """What it tells of came before it, as the order of a return: of a past range it is read from there to now."""
    matters: Mapping[str, str] = field(default_factory=dict)
    """The stream or a child -> SQL expression over `payload`: a change that leaves it as it was moves no figure."""
    identities: Mapping[str, str] = field(default_factory=dict)
    """Kind of identity -> SQL expression over `payload`: whom a row is of, followed from row to row, and indexed.

    Rows that share one are recomputed together, and a person's one identity leads to the other. A kind that several
    streams declare makes one thing of their rows, so that the rows' children are recomputed too.
    """
    links: Mapping[str, str] = field(default_factory=dict)
    """The same of what a row is about, as an order: rows that share one are recomputed together, and it leads no
    further."""
    personal: Personal | None = None
    """What of it is about people; None: nothing."""
    max_dead_letter_rate: float = 0.01
    """Above this share of unacceptable records the sync fails, after the good ones landed."""

    @property
    def blocks_after(self) -> timedelta:
        """Nothing of a merchant is published when what was read is older than this."""
        return A_DAY if self.sla <= AN_HOUR else self.sla + A_DAY


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A vendor: how to reach it, when, and what it gives."""

    name: str
    conn_type: str
    hook: str
    """Dotted path of the Airflow hook; a string, so that declarations stay free of Airflow."""
    schedule: str
    pool: str
    streams: tuple[Stream, ...]
    totals: Callable[[Any, str, Sequence[date]], Iterator[DayTotal]] | None = None
    """Asks the shop for the control totals of some of its days, in the time zone named."""

    def stream(self, name: str) -> Stream:
        """The stream of that name."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise LookupError(f"channel {self.name!r} has no stream {name!r}; it has {[s.name for s in self.streams]}")
