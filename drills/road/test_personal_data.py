"""A customer is erased through the form, as somebody on duty would do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.leaks import logs, rows

if TYPE_CHECKING:
    from tests.e2e.conftest import Road

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200, func_only=True)]

FIGURES = """
    select md5(string_agg((to_jsonb(orders) - 'customer_key')::text, ' ' order by sales_channel, order_id))
    from marts.fct_orders as orders where merchant_id = 'nordlicht'
"""


def whereabouts(road: Road, email: str) -> set[str]:
    """Where the address stands: tables of both databases, and log files."""
    seen = {str(path): path.read_text(errors="replace") for path in logs(road)}
    for name in ("WAREHOUSE_URL", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"):
        seen |= rows(road.env[name].replace("postgresql+psycopg2", "postgresql"))
    return {place for place, text in seen.items() if email in text.lower()}


def test_a_customer_is_erased_and_no_figure_moves(road: Road) -> None:
    ((key, orders),) = road.sql(
        """
        select customer_key, count(*) from marts.fct_orders
        where merchant_id = 'nordlicht' and customer_key is not null
        group by 1 having count(*) > 2 order by 2 desc, 1 limit 1
        """
    )
    ((email,),) = road.sql(
        """
        select lower(btrim(told.payload ->> 'email')) from raw.shopify_orders as told
        inner join marts.fct_orders as orders
            on told.merchant_id = orders.merchant_id and told.record_id = orders.order_id
        where orders.customer_key = %s and told.payload ->> 'email' <> '' limit 1
        """,
        key,
    )
    figures, known = road.sql(FIGURES), whereabouts(road, email)
    assert "raw.shopify_orders" in known
    asked = {"merchant_id": "nordlicht", "customer_key": key, "reason": "asked for in ticket 4711"}

    assert road.run("erase_customer", asked)["erase_customer"] == "success"
    assert whereabouts(road, email) == known, "a dry run changes nothing"

    states = road.follow("erase_customer", asked | {"dry_run": False})
    assert (states["erase_customer"], states["transform"]) == ("success", "success"), states
    assert whereabouts(road, email) == set()
    assert road.sql(FIGURES) == figures
    audit = road.sql("select asked_by, outcome, is_dry_run, new_key from audit.erasures order by asked_at")
    new_key = audit[-1][3]
    assert audit == [("admin", "dry run", True, None), ("admin", "erased", False, new_key)]
    of_key = "select count(*) from marts.fct_orders where customer_key = %s"
    assert (road.sql(of_key, key), road.sql(of_key, new_key)) == ([(0,)], [(orders,)])

    # What the shop still has, unchanged, does not come back.
    road.cycle()
    assert whereabouts(road, email) == set()
