"""Settings in the warehouse: they are what the files say, and a change marks the days that it moves, once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse.shop import merchant
from tributary.warehouse.settings.files import PRODUCT_COSTS, Row, Settings
from tributary.warehouse.settings.merchants import apply_merchants
from tributary.warehouse.settings.tables import apply_rows, apply_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

MERCHANTS = [merchant(), merchant("nordlicht", "Europe/Berlin")]
SOURCES: list[Row] = [("google", "cpc", "google_ads", True, "google_ads"), ("*", "email", "email", False, None)]
REFERRERS: list[Row] = [("google.com", "google", "organic")]
PROMOTIONS: list[Row] = [("aurora", "2026-03-06", "2026-03-08", "Spring")]
COSTS: list[Row] = [("aurora", "MUG", "2026-03-01", "4.5"), ("nordlicht", "VASE", "2026-03-10", "0.1")]


def apply(
    conn: psycopg.Connection,
    costs: list[Row] = COSTS,
    sources: list[Row] = SOURCES,
    referrers: list[Row] = REFERRERS,
    promotions: list[Row] = PROMOTIONS,
) -> set[tuple[str, str, datetime | None]]:
    """Apply such files, and return what that marked: merchant, file, and the time from which its figures change."""
    conn.execute("delete from ops.changes")
    apply_settings(conn, Settings(MERCHANTS, costs, sources, referrers, promotions))
    rows = conn.execute(
        "select merchant_id, stream, new_event_at from ops.changes where operation = 'settings'"
    ).fetchall()
    assert len(rows) == len(set(rows))
    return set(rows)


def of_both(stream: str) -> set[tuple[str, str, None]]:
    return {("aurora", stream, None), ("nordlicht", stream, None)}


def test_the_tables_are_what_the_files_say(conn: psycopg.Connection) -> None:
    apply(conn)

    def rows(query: str) -> list[tuple[object, ...]]:
        return conn.execute(f"{query} order by 1, 2, 3").fetchall()

    assert rows("select * from ops.product_costs") == [
        ("aurora", "MUG", date(2026, 3, 1), Decimal("4.5")),
        ("nordlicht", "VASE", date(2026, 3, 10), Decimal("0.1")),
    ]
    assert rows("select * from ops.traffic_sources where merchant_id = 'nordlicht'") == [
        ("nordlicht", "*", "email", "email", False, None),
        ("nordlicht", "google", "cpc", "google_ads", True, "google_ads"),
    ]
    assert rows("select * from ops.promotions") == [("aurora", date(2026, 3, 6), date(2026, 3, 8), "Spring")]
    assert rows("select * from ops.referrers") == [(m, *REFERRERS[0]) for m in ("aurora", "nordlicht")]


def test_applying_again_marks_nothing(conn: psycopg.Connection) -> None:
    first = apply(conn)
    assert first >= of_both("merchants") | of_both("traffic_sources") | of_both("referrers")
    assert apply(conn) == set()
    assert apply(conn, costs=[("aurora", "MUG", "2026-03-01", "4.50"), COSTS[1]], sources=SOURCES[::-1]) == set()


def test_a_changed_source_or_referrer_marks_all_days_of_every_merchant(conn: psycopg.Connection) -> None:
    apply(conn)
    assert apply(conn, sources=[SOURCES[0], ("*", "email", "other", False, None)]) == of_both("traffic_sources")
    assert apply(conn, sources=SOURCES[:1]) == of_both("traffic_sources")
    assert apply(conn, sources=SOURCES[:1], referrers=[]) == of_both("referrers")
    assert conn.execute("select count(*) from ops.traffic_sources").fetchone() == (2,)
    assert conn.execute("select count(*) from ops.referrers").fetchone() == (0,)


def test_a_promotion_marks_no_day_because_it_moves_no_figure(conn: psycopg.Connection) -> None:
    first = apply(conn)
    assert {stream for _, stream, _ in first} == {"merchants", "product_costs", "traffic_sources", "referrers"}
    renamed: list[Row] = [("aurora", "2026-03-06", "2026-03-08", "Spring sale")]
    assert apply(conn, promotions=[*renamed, ("nordlicht", "2026-04-01", "2026-04-01", "Easter")]) == set()
    assert conn.execute("select name from ops.promotions order by 1").fetchall() == [("Easter",), ("Spring sale",)]
    assert apply(conn, promotions=[]) == set()
    assert conn.execute("select count(*) from ops.promotions").fetchone() == (0,)


def test_a_new_merchant_gets_the_sources_of_all(conn: psycopg.Connection) -> None:
    apply(conn)
    apply_merchants(conn, [merchant("third")])
    assert apply(conn) == {("third", "traffic_sources", None), ("third", "referrers", None)}


def test_a_cost_moves_the_days_from_its_own_on_in_the_merchants_time_zone(conn: psycopg.Connection) -> None:
    apply(conn)
    later = [COSTS[0], ("nordlicht", "VASE", "2026-03-20", "0.1")]
    assert apply(conn, later) == {("nordlicht", "product_costs", datetime(2026, 3, 9, 23, tzinfo=UTC))}
    assert apply(conn) == {("nordlicht", "product_costs", datetime(2026, 3, 9, 23, tzinfo=UTC))}
    dearer = [("aurora", "MUG", "2026-03-01", "5"), COSTS[1]]
    assert apply(conn, dearer) == {("aurora", "product_costs", datetime(2026, 3, 1, 5, tzinfo=UTC))}
    assert apply(conn, COSTS[1:]) == {("aurora", "product_costs", datetime(2026, 3, 1, 5, tzinfo=UTC))}


DAY = date(2026, 3, 1)
CostsByKey = dict[tuple[str, str, int], str]
costs_by_key = st.dictionaries(
    st.tuples(st.sampled_from(["aurora", "nordlicht"]), st.sampled_from(["A", "a"]), st.integers(0, 5)),
    st.sampled_from(["0", "1.5", "1.500001"]),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=costs_by_key, after=costs_by_key)
def test_any_change_of_costs_marks_the_first_day_that_differs(
    conn: psycopg.Connection, before: CostsByKey, after: CostsByKey
) -> None:
    apply_merchants(conn, MERCHANTS)

    def fill(costs: Mapping[tuple[str, str, int], str]) -> None:
        conn.execute("delete from ops.changes")
        rows: list[Row] = [(who, sku, str(DAY + timedelta(days=n)), cost) for (who, sku, n), cost in costs.items()]
        apply_rows(conn, PRODUCT_COSTS, rows)

    fill(before)
    fill(after)

    stored = conn.execute("select merchant_id, sku, valid_from - %s, unit_cost from ops.product_costs", (DAY,))
    assert {row[:3]: row[3] for row in stored.fetchall()} == {key: Decimal(cost) for key, cost in after.items()}
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    marked = conn.execute(
        "select merchant_id, (new_event_at at time zone time_zone)::date - %s "
        "from ops.changes inner join ops.merchants using (merchant_id)",
        (DAY,),
    ).fetchall()
    assert sorted(marked) == sorted({(who, min(n for w, _, n in changed if w == who)) for who, _, _ in changed})
