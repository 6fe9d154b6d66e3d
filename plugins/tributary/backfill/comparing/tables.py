"""The tables of the card: what moves at a merchant, and which rows of which marts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tributary.backfill.comparing.figures import totals
from tributary.backfill.comparing.spelling import NONE, change, code, counted, number, pair, percent, signed, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tributary.backfill.comparing.figures import Day, Found, Merchant
    from tributary.backfill.state import Backfill

_SHOWN = {
    "revenue": "revenue",
    "orders": "orders",
    "aov": "average order",
    "spend": "spend",
    "roas": "ROAS",
    "cac": "CAC",
    "new_customers": "new customers",
}


def of_merchant(backfill: Backfill, found: Found, merchant: Merchant, most: int) -> str:
    """What moves at a merchant, with at most so many lines of days and of channels."""
    days = found.days_of(merchant)
    title = f"### {typed(merchant.name, 100)} ({code(merchant.merchant_id)}), in {typed(merchant.currency, 10)}"
    old, new = totals(day for day in days if day.is_asked)
    total = _table(
        [f"{backfill.first_day} to {backfill.last_day}", "now", "then", "change", ""],
        [
            [
                name,
                number(measure, old[measure]),
                number(measure, new[measure]),
                change(measure, old[measure], new[measure]),
                percent(old[measure], new[measure]),
            ]
            for measure, name in _SHOWN.items()
        ],
    )
    parts = [title, total, _outside(days), _days([day for day in days if day.moves], most)]
    return "\n\n".join(part for part in [*parts, _channels(found, merchant, most)] if part)


def _outside(days: Iterable[Day]) -> str:
    moved = [day for day in days if not day.is_asked and day.moves]
    if not moved:
        return ""
    old, new = totals(moved)
    told = [
        f"{_SHOWN[measure]} {change(measure, old[measure], new[measure])}"
        for measure in ("revenue", "orders", "spend")
        if (old[measure] or 0) != (new[measure] or 0)
    ]
    days_move = counted(len(moved), "more day moves", "more days move")
    return f"Outside the range, {days_move}{': ' if told else ''}{', '.join(told)}."


def _days(days: Sequence[Day], most: int) -> str:
    """The days that move; when there is no room for all of them, those whose revenue moves most."""
    if not days:
        return "No daily figure moves."
    ranked = sorted(days, key=lambda day: (-_size(day), day.date_day))
    shown = sorted(ranked[:most], key=lambda day: day.date_day)
    table = _table(
        ["day", *_SHOWN.values()],
        [
            [
                f"{day.date_day}{'' if day.is_asked else ' (outside the range)'}",
                *(pair(measure, day.old[measure], day.new[measure]) for measure in _SHOWN),
            ]
            for day in shown
        ],
    )
    if more := len(days) - len(shown):
        table += f"\n\nThose whose revenue moves most, and {counted(more, 'more day')} in ops.backfill_differences."
    return table


def _size(day: Day) -> Decimal:
    return abs((day.new["revenue"] or Decimal(0)) - (day.old["revenue"] or Decimal(0)))


def _channels(found: Found, merchant: Merchant, most: int) -> str:
    channels = found.channels_of(merchant)
    if not channels:
        return ""
    is_outside = any(channel.revenue_outside or channel.orders_outside for channel in channels)
    rows = []
    for channel in channels[:most]:
        revenues = channel.old_revenue, channel.new_revenue
        row = [
            code(channel.channel),
            pair("attributed_orders", channel.old_orders, channel.new_orders),
            pair("attributed_revenue", *revenues),
            change("attributed_revenue", *revenues),
            percent(*revenues),
        ]
        rows.append(row + ([signed("attributed_revenue", channel.revenue_outside)] if is_outside else []))
    header = ["credited by last click", "orders", "revenue", "change", "", *(["outside the range"] * is_outside)]
    table = _table(header, rows)
    if more := len(channels) - len(rows):
        table += f"\n\nAnd {counted(more, 'more channel')} in ops.backfill_differences."
    return table


def of_rows(found: Found) -> str:
    """How many rows come, go and change, mart by mart."""
    if not found.rows:
        return "No row of any mart changes."
    rows = [[code(mart.mart), *map("{:,}".format, (mart.added, mart.removed, mart.changed))] for mart in found.rows]
    return "### Rows\n\n" + _table(["mart", "added", "removed", "changed"], rows)


def of_partitions(found: Found) -> str:
    """The days of marts on which most of them do."""
    if not found.partitions:
        return ""
    currencies = {merchant.merchant_id: merchant.currency for merchant in found.merchants}
    rows = [
        [
            code(one.mart),
            code(one.merchant_id),
            f"{one.date_day}{'' if one.is_asked else ' (outside the range)'}",
            *map("{:,}".format, (one.added, one.removed, one.changed)),
            f"{signed('revenue', one.money)} {typed(currencies.get(one.merchant_id, ''), 10)}" if one.money else NONE,
        ]
        for one in found.partitions
    ]
    header = ["mart", "merchant", "day", "added", "removed", "changed", "revenue of the day"]
    count = "ten" if len(rows) == 10 else f"{len(rows)}"
    title = f"The {count} partitions that move most" if len(rows) > 1 else "The partition that moves"
    return f"### {title}\n\n" + _table(header, rows, words=3)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table whose first columns are words and whose others are figures."""
    rule = [*["---"] * words, *["---:"] * (len(header) - words)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])
