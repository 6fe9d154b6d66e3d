"""The `query` argument of a connection: terms such as `updated_at:>='2026-11-01T00:00:00Z'`, joined by AND or a space.

As at the vendor, a field that cannot be searched is ignored with a warning in `extensions.search`, not refused. OR, NOT
and parentheses are not simulated and are refused. What can be searched in which collection stands at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.shopify.pages import bad_request

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

TERM = re.compile(r"\s*(?:(\w+):(<=|>=|<|>|)(?:'([^']*)'|\"([^\"]*)\"|([^\s()]+))|(\S+))")

Test = Callable[[Any], bool]
Field = Callable[[str, str], Test]
"""Turns an operator and a value into the test of an object."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What can be searched: the times, which an index can use, and everything else."""

    times: frozenset[str]
    others: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Search:
    """A parsed query: what an object must pass, and the window on each time that an index can use."""

    tests: tuple[Test, ...]
    windows: dict[str, tuple[datetime | None, datetime | None]]
    """Half-open [from, to) per time field."""
    warnings: tuple[dict[str, str], ...]

    def accepts(self, item: Any) -> bool:
        return all(test(item) for test in self.tests)


def parse(query: str | None, zone: ZoneInfo, fields: Fields) -> Search:
    """Read a search query; times without an offset are the shop's."""
    tests: list[Test] = []
    windows: dict[str, tuple[datetime | None, datetime | None]] = {}
    warnings: list[dict[str, str]] = []
    for name, operator, quoted, double, bare, other in TERM.findall(query or ""):
        value = quoted or double or bare
        if other.upper() == "AND":
            continue
        if other:
            raise bad_request(f"the sandbox does not simulate {other!r} in a search; join field:value terms with AND")
        if name in fields.times:
            low, high = _window(name, operator, value, zone)
            earlier_low, earlier_high = windows.get(name, (None, None))
            windows[name] = (_latest(low, earlier_low), _earliest(high, earlier_high))
        elif name in fields.others:
            try:
                tests.append(fields.others[name](operator, value))
            except ValueError:
                raise bad_request(f"Invalid value {value!r} for query filter `{name}`.") from None
        else:
            warnings.append({"field": name, "message": "Invalid search field for this query."})
    for name, (low, high) in windows.items():
        tests.append(_within(name, low, high))
    return Search(tuple(tests), windows, tuple(warnings))


def _window(name: str, operator: str, value: str, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    try:
        start = datetime.fromisoformat(value)
    except ValueError:
        raise bad_request(f"Invalid timestamp for query filter `{name}`.") from None
    length = timedelta(days=1) if len(value) == len("2026-11-01") else timedelta(seconds=1)
    end = start + length
    start, end = ((t if t.tzinfo else t.replace(tzinfo=zone)).astimezone(UTC) for t in (start, end))
    return {">=": (start, None), ">": (end, None), "<": (None, start), "<=": (None, end), "": (start, end)}[operator]


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other


def _within(name: str, low: datetime | None, high: datetime | None) -> Test:
    def test(item: Any) -> bool:
        value: datetime | None = getattr(item, name)
        return value is not None and (low is None or value >= low) and (high is None or value < high)

    return test


def _number(name: str) -> Field:
    """A numeric id, alone or at the end of a global one, with all comparisons."""

    def field(operator: str, value: str) -> Test:
        wanted = int(value.rsplit("/", 1)[-1])

        def test(item: Any) -> bool:
            found = getattr(item, name)
            outcomes = {">=": found >= wanted, ">": found > wanted, "<=": found <= wanted, "<": found < wanted}
            return bool(outcomes.get(operator, found == wanted))

        return test

    return field


def _text(name: str) -> Field:
    """A text as it is written, whatever its case; several with commas."""

    def field(operator: str, value: str) -> Test:
        wanted = {part.strip().lower() for part in value.split(",")}
        return lambda item: (getattr(item, name) or "").strip().lower() in wanted

    return field


def _flag(name: str) -> Field:
    return lambda operator, value: lambda item: bool(getattr(item, name)) == (value.lower() == "true")


def _equal(name: str) -> Field:
    def field(operator: str, value: str) -> Test:
        wanted = int(value.rsplit("/", 1)[-1])
        return lambda item: bool(getattr(item, name) == wanted)

    return field


def _order_status(operator: str, value: str) -> Test:
    if value.lower() == "cancelled":
        return lambda order: order.cancelled_at is not None
    if value.lower() in ("open", "not_closed"):
        return lambda order: order.cancelled_at is None
    if value.lower() == "closed":
        return lambda order: False  # the simulated merchants never archive an order
    return lambda order: True


def _operation_type(operator: str, value: str) -> Test:
    return lambda operation: value.lower() == "query"  # the sandbox runs no bulk mutations


ORDERS = Fields(
    frozenset({"created_at", "processed_at", "updated_at"}),
    {
        "id": _number("id"),
        "customer_id": _equal("customer_id"),
        "test": _flag("test"),
        "email": _text("email"),
        "source_name": _text("source_name"),
        "financial_status": _text("financial_status"),
        "status": _order_status,
    },
)
PRODUCTS = Fields(
    frozenset({"created_at", "updated_at"}),
    {
        "id": _number("id"),
        "status": _text("status"),
        "title": _text("title"),
        "vendor": _text("vendor"),
        "product_type": _text("product_type"),
    },
)
VARIANTS = Fields(
    frozenset({"created_at", "updated_at"}),
    {"id": _number("id"), "product_id": _number("product_id"), "sku": _text("sku")},
)
CUSTOMERS = Fields(frozenset({"created_at", "updated_at"}), {"id": _number("id"), "email": _text("email")})
BULK_OPERATIONS = Fields(
    frozenset({"created_at", "completed_at"}),
    {"id": _number("id"), "status": _text("status"), "operation_type": _operation_type},
)
