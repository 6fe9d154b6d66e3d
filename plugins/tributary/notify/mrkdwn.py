"""Data in Slack's markup: escaped, on one line, never too long, and times that need no calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST, _LONGEST_VALUE, _MOST_NAMES = 400, 60, 8


def text(data: str, most: int = _LONGEST) -> str:
    """Data as Slack asks for it: nothing in it is read as a link or a mention."""
    return _escaped(clipped(" ".join(data.split()), most))


def link(url: str, label: str) -> str:
    """A link; a bar in the address would end it."""
    return f"<{_escaped(url).replace('|', '%7C')}|{label}>"


def row(values: Mapping[str, str]) -> str:
    """A row by its keys and figures; its day comes first, since JSON keeps no order."""
    cells = sorted(values.items(), key=lambda cell: cell[0] != "date_day")
    return ", ".join(f"{text(name)} {text(str(value), _LONGEST_VALUE)}" for name, value in cells)


def names(merchants: Iterable[str]) -> str:
    """Merchants, each once; the first few by name."""
    known = sorted(set(merchants))
    more = f" and {len(known) - _MOST_NAMES:,} more" if len(known) > _MOST_NAMES else ""
    return ", ".join(text(name) for name in known[:_MOST_NAMES]) + more


def minute(moment: datetime) -> str:
    """A moment to the minute, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def span(length: timedelta) -> str:
    """How long something took, in the unit that people would use."""
    minutes = int(length.total_seconds() // 60)
    for unit, size in (("day", 2880), ("hour", 120)):
        if minutes >= size:
            return f"{minutes // (size // 2)} {unit}s"
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def clipped(data: str, most: int) -> str:
    """No longer than that, and saying so."""
    return data if len(data) <= most else f"{data[: most - 1]}…"


def _escaped(data: str) -> str:
    return data.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
