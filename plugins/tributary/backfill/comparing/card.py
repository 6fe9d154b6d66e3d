"""The difference as people read it before they approve: a card in Markdown, and one line for Slack."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from tributary.backfill.comparing.difference import DAILY
from tributary.backfill.comparing.figures import Found, Merchant, read, totals
from tributary.backfill.comparing.spelling import NONE, code, counted, pair, percent, typed
from tributary.backfill.comparing.tables import of_merchant, of_partitions, of_rows
from tributary.backfill.state import load
from tributary.notify import mrkdwn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import Connection

    from tributary.backfill.state import Backfill

LONGEST = 20_000
PARTITIONS = 10
_MOST_LINES, _MOST_MERCHANTS, _MOST_NAMES, _MOST_IN_HEADLINE = 1_000, 20, 30, 3
_MODES = {
    "reread": "asks the vendors again, then computes",
    "rebuild": "computes from what was read before, asks no vendor",
}


def card(conn: Connection, backfill_id: UUID) -> str:
    """All that somebody needs to say yes or no to, in Markdown, never too long for a task's log or an approval."""
    backfill = load(conn, backfill_id)
    found = read(conn, backfill, PARTITIONS)
    text = _card(backfill, found, _MOST_LINES)
    if len(text) <= LONGEST:
        return text
    # As many lines of each table as there is room for: the first number with which it becomes too long, less one.
    lines = bisect_right(range(1, _MOST_LINES), LONGEST, key=lambda most: len(_card(backfill, found, most)))
    return mrkdwn.clipped(_card(backfill, found, lines), LONGEST)


def headline(conn: Connection, backfill_id: UUID) -> str:
    """The same in a line of plain text: whoever shows it escapes it."""
    backfill = load(conn, backfill_id)
    found = read(conn, backfill, 0)
    asked = f"{counted(backfill.days, 'day')} asked"
    if not found.moved:
        return f"nothing changes; {asked}"
    shown = [_in_short(found, merchant) for merchant in found.merchants[:_MOST_IN_HEADLINE]] if found.days else []
    if len(found.merchants) > len(shown) > 0:
        shown.append(f"{counted(len(found.merchants) - len(shown), 'more merchant')}")
    if not shown:
        rows = sum(mart.added + mart.removed + mart.changed for mart in found.rows)
        shown = [f"{counted(rows, 'row')} of {counted(len(found.rows), 'mart')} change"]
    more = f", {found.outside:,} more {'moves' if found.outside == 1 else 'move'}" if found.outside else ""
    return f"{'; '.join(shown)}; {asked}{more}"


def _in_short(found: Found, merchant: Merchant) -> str:
    old, new = totals(day for day in found.days_of(merchant) if day.is_asked)
    share = "unchanged" if old["revenue"] == new["revenue"] else percent(old["revenue"], new["revenue"])
    return (
        f"{merchant.merchant_id} revenue {pair('revenue', old['revenue'], new['revenue'])}"
        f" {merchant.currency}{f' ({share})' if share else ''},"
        f" orders {pair('orders', old['orders'], new['orders'])}"
    )


def _card(backfill: Backfill, found: Found, most: int) -> str:
    parts = [_heading(backfill), _verdict(backfill, found)]
    if backfill.compared_at and found.moved:
        if found.days:
            parts += [of_merchant(backfill, found, merchant, most) for merchant in found.merchants[:_MOST_MERCHANTS]]
            if (more := len(found.merchants) - _MOST_MERCHANTS) > 0:
                parts.append(f"And {counted(more, 'more merchant')} in ops.backfill_differences.")
        parts += [of_rows(found), of_partitions(found)]
    parts.append(_uncompared(found))
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(backfill: Backfill) -> str:
    assert backfill.last_day, "a range was asked for"
    asker = typed(backfill.requested_by or "nobody known", 100)
    lines = [
        f"## Backfill {backfill.short}",
        "",
        f"* merchants: {_names(backfill.merchants)}",
        f"* days: {backfill.first_day} to {backfill.last_day}, {counted(backfill.days, 'day')}",
        f"* mode: {backfill.mode} ({_MODES.get(backfill.mode, 'restores')})",
        f"* channels: {_names(backfill.channels) or NONE}",
        f"* marts: {_names(backfill.models)}",
        f"* asked by: {asker} ({backfill.role}, {backfill.environment}), {mrkdwn.minute(backfill.requested_at)}",
        f"* reason: {typed(backfill.reason)}",
        f"* incident: {typed(backfill.incident, 200) if backfill.incident else NONE}",
    ]
    if backfill.is_dry_run:
        lines.append("* then: nothing, it is a dry run")
    elif backfill.needs_approval:
        lines.append("* then: it is published when a manager approves")
    else:
        lines.append("* then: it is published, without an approval")
    return "\n".join(lines)


def _verdict(backfill: Backfill, found: Found) -> str:
    if not backfill.compared_at:
        return "**The difference was not taken yet.**"
    if not found.moved:
        return "**Nothing changes:** every day that was built is as readers see it now, in all of these marts."
    asked = len(found.moved) - found.outside
    outside = f", and {found.outside:,} outside the range" if found.outside else ""
    said = f"**{asked:,} of the days asked for {'changes' if asked == 1 else 'change'}{outside}.**"
    if not {DAILY} & {*backfill.models}:
        said += f" These marts hold no daily figures ({code(DAILY)} is not among them), so only rows are told."
    elif not any(day.moves for day in found.days):
        said += " No daily figure moves."
    return f"{said} Compared at {mrkdwn.minute(backfill.compared_at)}."


def _uncompared(found: Found) -> str:
    lines = []
    for mart, columns in found.uncompared.items():
        if columns:
            lines.append(f"* {code(mart)}: its new {_names(columns)}, so only what it had before was compared")
        else:
            lines.append(f"* {code(mart)} as a whole, so all of its rows are added")
    return "\n".join(["### What production does not have yet", "", *lines]) if lines else ""


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(map(code, names[:_MOST_NAMES])) + (f" and {more:,} more" if more > 0 else "")
