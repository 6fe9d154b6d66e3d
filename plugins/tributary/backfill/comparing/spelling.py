"""Numbers as people read them, and what people typed, in Markdown."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

NONE = "-"
"""Where there is no figure."""

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&])")
_PLACES = {"orders": 0, "new_customers": 0, "attributed_orders": 0}
_EXACT = 6
_TENTH = Decimal("0.1")


def typed(text: str, most: int = 500) -> str:
    """What a person typed, on one line, with nothing in it that Markdown or a terminal would obey."""
    line = " ".join(text.split())
    line = line if len(line) <= most else f"{line[: most - 1]}…"
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return _SPECIAL.sub(r"\\\1", shown)


def code(name: str) -> str:
    """A name out of the configuration, as it is spelled there."""
    return f"`{name.replace('`', '').replace('|', '/')}`"


def number(measure: str, value: Decimal | None, places: int | None = None) -> str:
    """A figure: counts whole, all else to the cent."""
    if value is None:
        return NONE
    digits = _PLACES.get(measure, 2) if places is None else places
    # Halves are rounded as people do it, and what is nothing has no sign.
    rounded = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{rounded or abs(rounded):,}"


def pair(measure: str, old: Decimal | None, new: Decimal | None) -> str:
    """Old and new, or the one figure that stays; with more digits where only these tell that it changes."""
    if old == new:
        return number(measure, new)
    told = [number(measure, value) for value in (old, new)]
    if told[0] == told[1]:
        told = [number(measure, value, _EXACT) for value in (old, new)]
    return " -> ".join("none" if one == NONE else one for one in told)


def change(measure: str, old: Decimal | None, new: Decimal | None) -> str:
    """By how much it changes; something beside nothing is all of it."""
    if old is None and new is None:
        return NONE
    return signed(measure, (new or Decimal(0)) - (old or Decimal(0)))


def signed(measure: str, value: Decimal) -> str:
    """A difference with its sign; nothing has none."""
    told = number(measure, value)
    if value and not Decimal(told.replace(",", "")):
        told = number(measure, value, _EXACT)
    return f"+{told}" if value > 0 else told


def percent(old: Decimal | None, new: Decimal | None) -> str:
    """The change by the old figure; there is none beside 0 or nothing, or when it stays."""
    if not old or new is None or old == new:
        return ""
    share = (new - old) * 100 / abs(old)
    if abs(share) < _TENTH / 2:
        return f"{'+' if share > 0 else '-'}<0.1 %"
    rounded = share.quantize(_TENTH, ROUND_HALF_UP)
    return f"{'+' if rounded > 0 else ''}{rounded:,} %"


def counted(count: int, one: str, many: str | None = None) -> str:
    """So many of something."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
