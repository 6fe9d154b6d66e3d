"""What each model of attribution gives of an order, as a table with a word on every model."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tributary.attribution.words import hours, source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tributary.attribution.facts import Credit, Order, Rules

WIDTH = 110
MODELS = {
    "last_click": "last click",
    "first_click": "first click",
    "linear": "linear",
    "position_based": "by position",
    "time_decay": "time decay",
}


def shares(order: Order, given: Sequence[Credit], rules: Rules, numbers: Mapping[str, int]) -> list[str]:
    """A share for each step and model; one sentence when all of them give all to one."""
    by_model = {model: [one for one in given if one.model == model] for model in MODELS}
    totals = [_share(of_model) for of_model in by_model.values()]
    if all(len(of_model) == 1 for of_model in by_model.values()) and len({one.touchpoint_id for one in given}) == 1:
        return [
            f"Every model gives {' of the order, '.join(totals[0])} {order.currency}, to {_label(given[0], numbers)}."
        ]
    rows = [("", list(MODELS.values()))]
    for step in sorted({one.step for one in given}):
        cells = [_share(one for one in of_model if one.step == step) for of_model in by_model.values()]
        one = next(one for one in given if one.step == step)
        campaign = f"   {one.campaign}" if one.campaign else ""
        rows += [(_label(one, numbers), [cell[0] for cell in cells]), (campaign, [cell[1] for cell in cells])]
    rows += [("together", [total[0] for total in totals]), ("", [total[1] for total in totals])]
    return [
        f"What the models give to each click, in percent of the order and in {order.currency}",
        *_table(rows),
        *_legend(rules),
    ]


def _share(parts: Iterable[Credit]) -> tuple[str, str]:
    """Percent and money; a dash for nothing."""
    found = [*parts]
    if not found:
        return "-", ""
    return (
        f"{sum((one.credit for one in found), Decimal()):.1%}",
        f"{sum((one.revenue for one in found), Decimal()):,.2f}",
    )


def _label(one: Credit, numbers: Mapping[str, int]) -> str:
    number = numbers.get(one.touchpoint_id or "")
    return f"{number}. {source(one)}" if number else source(one)


def _table(rows: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """Figures to the right; labels have what those leave."""
    widths = [max(map(len, column)) for column in zip(*(cells for _, cells in rows), strict=True)]
    room = min(WIDTH - 2 - sum(2 + width for width in widths), max(len(name) for name, _ in rows))
    for name, cells in rows:
        label = name if len(name) <= room else f"{name[: room - 3]}..."
        figures = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        yield f"  {label:{room}}{figures}"


def _legend(rules: Rules) -> list[str]:
    together = rules.first + rules.middle + rules.last
    first, middle, last = (f"{weight / together:.0%}" for weight in (rules.first, rules.middle, rules.last))
    return [
        "",
        "  last click   all to the last click",
        "  first click  all to the first click",
        "  linear       the same to every click",
        f"  by position  {first} to the first, {last} to the last, {middle} shared by those between (if there are any)",
        f"  time decay   half the weight for every {hours(rules.half_life_hours)} that a click is older than the last",
        "  Figures are rounded here; in the warehouse they add up to the order exactly.",
    ]
