"""`make explain ORDER=1042`: why an order was credited to whom, told from what is published.

It asks the warehouse of this installation, or the one that WAREHOUSE_URL names.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys

import psycopg

from tributary.attribution.facts import Order, find_orders, read_explained, read_merchants, read_rules
from tributary.attribution.story import tell, tell_uncounted
from tributary.attribution.words import moment
from tributary.local.environment import Installation
from tributary.local.problem import ProblemError

REBUILD = "Trigger `transform` with full rebuild, and ask again when it has published."


def main() -> int:
    """Tell the story of the order that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tributary.local.explain", description=__doc__)
    parser.add_argument("--order", default="", help="the shop's id of the order, or its name as #1042")
    parser.add_argument("--merchant", default="", help="only look at this merchant")
    parser.add_argument("--channel", default="", help="only look at this sales channel, as shopify")
    asked = parser.parse_args()
    try:
        sys.stdout.write(explain(warehouse_url(), asked.order.strip(), asked.merchant, asked.channel))
    except ProblemError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def warehouse_url() -> str:
    """Where the marts are: as the environment says, else as this installation does."""
    url = os.environ.get("WAREHOUSE_URL") or Installation.of_environment().env().get("WAREHOUSE_URL")
    if not url:
        raise ProblemError(
            "Nothing was started here yet, and WAREHOUSE_URL names no warehouse.",
            "Start one with make demo, or set WAREHOUSE_URL=postgresql://user:password@host:port/database.",
        )
    return url


def explain(url: str, order: str, merchant: str = "", channel: str = "") -> str:
    """The story of the order; a problem says what keeps it from being told."""
    if not order:
        raise ProblemError(
            "No order is named.", "Name one by the shop's id or by its name: make explain ORDER=1042 MERCHANT=aurora"
        )
    try:
        with psycopg.connect(url, connect_timeout=10) as conn:
            # Of one moment: a publication in between would give the order of before and the credits of after.
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            conn.read_only = True
            one = the_one(conn, order, merchant, channel)
            if not one.is_counted:
                return tell_uncounted(one)
            explained = read_explained(conn, one)
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        missing = str(error).splitlines()[0]
        raise ProblemError(f"What is published tells no such story yet: {missing}.", REBUILD) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise ProblemError(
            f"This login may not read it: {str(error).splitlines()[0]}.",
            "Use one that may read marts and ops.merchants.",
        ) from None
    except psycopg.OperationalError:
        raise ProblemError(
            "The warehouse does not answer, or refuses the login.",
            "See whether it runs: make status. Check WAREHOUSE_URL.",
        ) from None
    except (psycopg.ProgrammingError, UnicodeDecodeError):
        # Its own words would show the URL, and the password in it.
        raise ProblemError(
            "WAREHOUSE_URL is not an address of PostgreSQL.",
            "Give it as postgresql://user:password@host:port/database.",
        ) from None
    if explained is None:
        raise ProblemError(
            f"Order {one.order_name} was published before credits were told with their reasons.", REBUILD
        )
    return tell(one, explained, read_rules())


def the_one(conn: psycopg.Connection, order: str, merchant: str, channel: str) -> Order:
    """The order that is meant; none and several are problems that say how to go on."""
    merchants = [one for one in read_merchants(conn) if merchant in ("", one.merchant_id)]
    if not merchants:
        known = ", ".join(one.merchant_id for one in read_merchants(conn)) or "none yet"
        raise ProblemError(
            f"There is no merchant {merchant!r}.", f"Name one of those there are ({known}), or leave it out."
        )
    found = find_orders(conn, order, merchant, channel)
    if not found:
        looked_at = ", ".join(
            f"{one.merchant_id}, {f'published to {one.last_day}' if one.last_day else 'not published'}"
            for one in merchants
        )
        only = f" sold through {channel}" if channel else ""
        raise ProblemError(
            f"No published order{only} has the id or the name {order!r} (looked at: {looked_at}).",
            "Compare it with the shop. An order of the last hours comes with the next run of `transform`. One that "
            "stays away was not read yet (see make status), or its merchant is held back "
            "(see docs/runbooks/held-back-merchant.md).",
        )
    if len(found) > 1:
        raise ProblemError(
            f"{len(found)} orders have the id or the name {order!r}.", f"Choose one:{''.join(map(choice, found))}"
        )
    return found[0]


def choice(order: Order) -> str:
    """The command that means this order and no other."""
    return (
        f"\n    make explain ORDER={shlex.quote(order.order_id)} MERCHANT={order.merchant_id} "
        f"CHANNEL={order.sales_channel}   # {order.order_name}, {moment(order, order.ordered_at)}, "
        f"{order.revenue:,.2f} {order.currency}"
    )


if __name__ == "__main__":
    sys.exit(main())
