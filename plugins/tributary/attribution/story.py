"""How an order was credited, told to a person who knows neither the code nor the tables."""

from __future__ import annotations

from collections import Counter
from textwrap import fill
from typing import TYPE_CHECKING

from tributary.attribution import words
from tributary.attribution.shares import WIDTH, shares

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tributary.attribution.facts import Explained, Order, Rules


def tell(order: Order, explained: Explained, rules: Rules) -> str:
    """The whole story of a counted order."""
    numbers = {touch.touchpoint_id: number for number, touch in enumerate(explained.touches, 1)}
    origin = words.came_from(explained.origin)
    return _text(
        _heading(order),
        [
            f"Credited to {origin if origin != 'direct' else 'nobody, so reports show it as direct'}",
            f"  because {_why(order, explained)}",
        ],
        _way(order, explained, rules, numbers),
        shares(order, explained.credits, rules, numbers),
    )


def tell_uncounted(order: Order) -> str:
    """The story of an order that nobody is credited with."""
    return _text(_heading(order), ["Credited to nobody", f"  because it does not count: {_why_uncounted(order)}"])


def _text(*paragraphs: Sequence[str]) -> str:
    return "\n\n".join("\n".join(map(_line, lines)) for lines in paragraphs if lines) + "\n"


def _line(line: str) -> str:
    """One that fits; a link may hold what a terminal would obey, so nothing is shown that does not print."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    indent = " " * (len(shown) - len(shown.lstrip()) + 2)
    return fill(shown, WIDTH, subsequent_indent=indent) if len(shown) > WIDTH else shown.rstrip()


def _heading(order: Order) -> list[str]:
    if order.is_new_customer:
        buyer = "new, this is the customer's first order"
    elif order.is_returning_customer:
        buyer = "returning, the customer has ordered before"
    elif order.has_customer:
        buyer = "neither new nor returning, because the order was refunded in full or does not count"
    else:
        buyer = "not known, the order names nobody"
    return [
        f"Order {order.order_name} of {order.merchant}",
        f"  placed   {words.moment(order, order.ordered_at)} ({order.time_zone})",
        f"  sold on  {words.spelled(order.sales_channel)}",
        f"  revenue  {order.revenue:,.2f} {order.currency}",
        f"  buyer    {buyer}",
    ]


def _why(order: Order, explained: Explained) -> str:
    origin = explained.origin
    if origin.rule == "native":
        seller = words.spelled(origin.source)
        return f"{seller} sold the order itself. Who buys there was won there, whatever was clicked before."
    if origin.rule == "ga4_session":
        return "no click that counts is known; this is the session in which the order was placed."
    if origin.rule == "direct" and not explained.touches:
        return "nothing is known of the way to it: no visit, no click in a message, no session."
    if origin.rule == "direct":
        return "nothing that is known of the way to it counts, for the reasons below."
    kept = sum(touch.is_kept for touch in explained.touches)
    which = "it is the only click that counts" if kept == 1 else f"of the {kept} clicks that count it is the last"
    return f"{which}, {words.distance(order, origin.occurred_at or order.ordered_at)}."


def _why_uncounted(order: Order) -> str:
    if order.is_test:
        return "it is a test or a free sample."
    if order.is_cancelled:
        return "it was cancelled."
    if order.is_copy:
        seller = words.spelled(order.mirrors_channel or "")
        return f"it is the copy of {seller}'s order {order.mirrors_order_id}, which counts in its place."
    return (
        f"its payment status is {order.financial_status or 'not known'}. An order counts once it is paid at least in "
        "part; a replacement or an exchange never does."
    )


def _way(order: Order, explained: Explained, rules: Rules, numbers: Mapping[str, int]) -> list[str]:
    if not explained.touches:
        return []
    lines = [f"The way to it, the earliest first (clicks count up to {words.hours(rules.window_hours)} before)"]
    moments = Counter(touch.occurred_at for touch in explained.touches if touch.is_kept)
    for touch in explained.touches:
        when = f"{words.moment(order, touch.occurred_at)}, {words.distance(order, touch.occurred_at)}"
        lines += [
            f"  {numbers[touch.touchpoint_id]}. {when}",
            f"     {words.kind(touch)}: {words.came_from(touch)}",
            *(f"     {line}" for line in words.told_by(touch)),
            f"     {words.verdict(order, touch, rules, numbers)}",
        ]
        if touch.is_kept and moments[touch.occurred_at] > 1:
            lines.append(
                "     (Another click came at the same moment; which of them is the later one is a convention.)"
            )
    return [*lines, f"  In short: {explained.path} > order"]
