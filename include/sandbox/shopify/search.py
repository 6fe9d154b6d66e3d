"""The `query` argument of `orders`: terms such as `updated_at:>='2026-11-01T00:00:00Z'`, joined by AND or a space.

As at the vendor, a field that cannot be searched is ignored with a warning in `extensions.search`, not refused. OR, NOT
and parentheses are not simulated and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.business.order import Order
from sandbox.shopify.pages import bad_request

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

TERM = re.compile(r"\s*(?:(\w+):(<=|>=|<|>|)(?:'([^']*)'|\"([^\"]*)\"|([^\s()]+))|(\S+))")
TIMES = ("created_at", "processed_at", "updated_at")

Test = Callable[[Order], bool]


@dataclass(frozen=True, slots=True)
class Search:
    """A parsed query: what an order must pass, and the window on each time that an index can use."""

    tests: tuple[Test, ...]
    windows: dict[str, tuple[datetime | None, datetime | None]]
    """Half-open [from, to) per time field."""
    warnings: tuple[dict[str, str], ...]

    def accepts(self, order: Order) -> bool:
        return all(test(order) for test in self.tests)


def parse(query: str | None, zone: ZoneInfo) -> Search:
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
        if name in TIMES:
            low, high = _window(name, operator, value, zone)
            earlier_low, earlier_high = windows.get(name, (None, None))
            windows[name] = (_latest(low, earlier_low), _earliest(high, earlier_high))
        elif name == "id":
            tests.append(_compare("id", operator, int(value.rsplit("/", 1)[-1])))
        elif name == "customer_id":
            tests.append(_equals("customer_id", int(value)))
        elif name == "test":
            tests.append(_equals("test", value.lower() == "true"))
        elif name == "email":
            tests.append(_email(value.strip().lower()))
        elif name == "source_name":
            tests.append(_equals("source_name", value))
        elif name == "financial_status":
            tests.append(_financial_status({part.upper() for part in value.split(",")}))
        elif name == "status":
            tests.append(_status(value.lower()))
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
    def test(order: Order) -> bool:
        value: datetime = getattr(order, name)
        return (low is None or value >= low) and (high is None or value < high)

    return test


def _compare(name: str, operator: str, wanted: Any) -> Test:
    def test(order: Order) -> bool:
        value = getattr(order, name)
        outcomes = {">=": value >= wanted, ">": value > wanted, "<=": value <= wanted, "<": value < wanted}
        return bool(outcomes.get(operator, value == wanted))

    return test


def _equals(name: str, wanted: Any) -> Test:
    return lambda order: bool(getattr(order, name) == wanted)


def _email(wanted: str) -> Test:
    return lambda order: (order.email or "").strip().lower() == wanted


def _financial_status(wanted: set[str]) -> Test:
    return lambda order: order.financial_status in wanted


def _status(value: str) -> Test:
    if value == "cancelled":
        return lambda order: order.cancelled_at is not None
    if value in ("open", "not_closed"):
        return lambda order: order.cancelled_at is None
    if value == "closed":
        return lambda order: False  # the simulated merchants never archive an order
    return lambda order: True
