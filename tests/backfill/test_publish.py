"""Publishing a backfill: exactly what was built and shown, in one transaction, or nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.backfill.kill_build import build
from tests.backfill.kill_world import REPROCESSED, WORLD
from tests.backfill.states import days, not_as_rebuilt, outside, production, put
from tests.backfill.steps import OPERATIONS, RUNS
from tributary.backfill.errors import LeaseLost, NotEqual, Overtaken, Refused
from tributary.backfill.publishing import publish as publish_module
from tributary.backfill.publishing.publish import publish
from tributary.warehouse.errors import UnpublishableModel
from tributary.warehouse.manifest import MartModel, read_marts
from tributary.warehouse.publish import publish as publish_by_schedule
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from pathlib import Path

    from tests.backfill.states import States

FIRST = next(run for run in RUNS if run.name == "first")
FROM_RAW = next(run for run in RUNS if run.name == "from raw")
STEPS = ("request", "lease", "reread", "scope", "build", "difference")
COMPARED = tuple(f"{step} first" for step in STEPS)
SCOPE = f"{FIRST.schema}.scope"
_MARCH = f"select merchant_id, extract(day from date_day)::int from {SCOPE}"


def publish_it(url: str, states: States, run: Any = FIRST) -> int:
    with psycopg.connect(url) as conn:
        return publish(conn, run.backfill_id, WORLD, states.manifest)


def test_the_days_of_the_scope_become_what_was_built_and_nothing_else_moves(states: States) -> None:
    with states.after(*COMPARED) as url:
        before, beyond = production(url), outside(url, FIRST.schema, REPROCESSED)
        scope = put(url, f"select count(*), count(distinct merchant_id) from {SCOPE}")
        assert scope[0][0] > 8
        assert scope[0][1] == 2
        pending = put(url, "select * from ops.changes order by change_id")
        checkpoints = put(url, "select * from ops.checkpoints order by 1, 2, 3")

        affected = publish_it(url, states)

        assert production(url) != before
        assert outside(url, FIRST.schema, REPROCESSED) == beyond
        [(counted,)] = put(url, "select sum(added + removed + changed) from ops.backfill_rows")
        assert affected == counted > 0
        assert put(url, "select status, rows_affected from audit.backfills") == [("published", affected)]
        assert put(url, "select count(*) from ops.leases") == [(0,)]
        assert put(url, "select * from ops.changes order by change_id") == pending
        assert put(url, "select * from ops.checkpoints order by 1, 2, 3") == checkpoints
        published = "select merchant_id, date_day from ops.publications where build_id = %s order by 1, 2"
        of_scope = put(url, f"select merchant_id, date_day from {SCOPE} order by 1, 2")
        assert put(url, published, FIRST.backfill_id) == of_scope
        assert put(url, "select count(*) from ops.syncs where sync_id = %s", FIRST.backfill_id) == [(0,)]
        assert put(url, "select count(*) > 0 from raw.shopify_orders where sync_id = %s", FIRST.backfill_id) == [
            (True,)
        ]
        after = production(url)
        assert publish_it(url, states) == affected
        assert production(url) == after
        assert put(url, "select count(*) from audit.backfill_events where status = 'published'") == [(1,)]
        assert not_as_rebuilt(url, states.manifest) == []


def test_only_the_chosen_marts_change(states: States) -> None:
    built = tuple(f"{step} from raw" for step in STEPS if step != "reread")
    chosen = ["fct_orders", "fct_revenue"]
    with states.after(*built) as url:
        put(url, "update ops.backfills set models = %s", chosen)
        for mart in (*chosen, "fct_order_lines"):
            put(url, f"delete from {FROM_RAW.schema}.{mart}")
        put(
            url,
            "insert into ops.changes (merchant_id, channel, stream, operation) values ('aurora', 'x', 'y', 'insert')",
        )
        before = production(url)

        assert publish_it(url, states, FROM_RAW) > 0

        after = production(url)
        moved = {table for (table, _), digest in before.items() if after.get((table, _)) != digest}
        assert moved == {f"marts.{mart}" for mart in chosen}
        assert put(url, "select channel from ops.changes") == [("x",)]
        models = put(url, "select distinct models from ops.publications where build_id = %s", FROM_RAW.backfill_id)
        assert [sorted(one) for (one,) in models] == [chosen]


def test_what_a_sync_brought_meanwhile_is_kept_and_stays_to_be_published(states: States) -> None:
    with states.after(*COMPARED, "sync") as url:
        pending = put(url, "select change_id, build_id from ops.changes order by 1")
        synced = put(
            url,
            "select record_id, payload from raw.shopify_orders where sync_id <> all (select sync_id from"
            " ops.changes where sync_id is null) and record_id = any('{71,81}') order by 1, merchant_id",
        )
        assert len(pending) >= 6

        publish_it(url, states)

        again = put(
            url,
            "select record_id, payload from raw.shopify_orders where record_id = any('{71,81}')"
            " order by 1, merchant_id",
        )
        assert again == synced
        assert set(put(url, "select change_id, build_id from ops.changes")) >= set(pending)
        assert not_as_rebuilt_after_the_next_run(url, states) == []


def not_as_rebuilt_after_the_next_run(url: str, states: States) -> list[Any]:
    OPERATIONS["publish hourly"](url)
    return not_as_rebuilt(url, states.manifest)


def test_after_it_the_next_scheduled_run_has_nothing_to_do(states: States) -> None:
    with states.after(*COMPARED, "publish first") as url:
        before = production(url)
        OPERATIONS["publish hourly"](url)
        assert production(url) == before


def test_a_scheduled_build_that_began_before_does_not_take_it_back(states: States) -> None:
    with states.after(*COMPARED, "sync") as url:
        with psycopg.connect(url) as conn:
            opened = open_build(conn, "build", WORLD)
            conn.commit()
            assert opened is not None
            build(conn, "build")
        publish_it(url, states)
        shown = days(url)
        reprocessed = {day: shown[day] for day in put(url, _MARCH)}
        waiting = 0
        for merchant_id in opened.merchants:
            with psycopg.connect(url) as conn:
                waiting += publish_by_schedule(conn, opened.build_id, "build", merchant_id, states.manifest).held
        assert waiting > 0
        shown = days(url)
        assert {day: shown[day] for day in reprocessed} == reprocessed
        assert not_as_rebuilt_after_the_next_run(url, states) == []


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            "update ops.leases set expires_at = now() - interval '1 s' where merchant_id = 'nordlicht'",
            LeaseLost,
            "nordl",
        ),
        ("delete from ops.leases where merchant_id = 'aurora'", LeaseLost, "aurora is lost"),
        ("update ops.backfills set is_dry_run = true", Refused, "dry run"),
        ("update ops.backfills set needs_approval = true", Refused, "not approved"),
        ("update ops.backfills set compared_at = null", Refused, "no difference"),
        ("update ops.backfills set models = models || '{fct_gone}'", UnpublishableModel, "fct_gone"),
        (
            f"""
            insert into ops.publications
            select gen_random_uuid(), merchant_id, date_day, clock_timestamp(), '{{}}', 0
            from {SCOPE} where merchant_id = 'aurora' limit 1
            """,
            Overtaken,
            "1 of its days .* aurora 2026-03-",
        ),
    ],
)
def test_what_must_not_become_visible_does_not(
    states: States, wrong: str, error: type[Exception], message: str
) -> None:
    with states.after(*COMPARED) as url:
        put(url, wrong)
        before, known = production(url), put(url, "select * from ops.publications order by 1, 2, 3")
        with pytest.raises(error, match=message):
            publish_it(url, states)
        assert production(url) == before
        assert put(url, "select * from ops.publications order by 1, 2, 3") == known
        assert put(url, "select count(*) from pg_tables where schemaname = 'snapshots'") == [(0,)]
        assert put(url, "select status from ops.backfills") == [("running",)]


@pytest.mark.parametrize("happens", ["new.revenue = new.revenue + 1; return new", "return null"])
def test_nothing_is_published_when_readers_would_see_something_else(states: States, happens: str) -> None:
    with states.after(*COMPARED) as url:
        put(url, f"create function marts.alter_it() returns trigger language plpgsql as $$begin {happens}; end$$")
        put(
            url,
            "create trigger alter_it before insert on marts.fct_revenue for each row execute function marts.alter_it()",
        )
        before = production(url)
        with pytest.raises(NotEqual, match=r"fct_revenue: after the swap aurora 2026-03-\d\d is not what was built"):
            publish_it(url, states)
        assert production(url) == before
        assert put(url, "select count(*) from pg_tables where schemaname = 'snapshots'") == [(0,)]
        assert put(url, "select count(*) from ops.leases") == [(2,)]


def test_a_mart_that_is_published_by_key_is_refused(states: States, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_key(manifest: Path) -> list[MartModel]:
        return [
            MartModel(m.name, m.columns, m.required, m.primary_key, m.indexes, ("merchant_id", "customer_key"))
            if m.name == "dim_customers"
            else m
            for m in read_marts(manifest)
        ]

    monkeypatch.setattr(publish_module, "read_marts", by_key)
    with (
        states.after(*COMPARED) as url,
        pytest.raises(UnpublishableModel, match="dim_customers: it is published by key"),
    ):
        publish_it(url, states)


def test_what_was_replaced_is_kept_out_of_readers_sight(states: States) -> None:
    with states.after(*COMPARED, "publish first") as url:
        short = FIRST.backfill_id.hex[:12]
        kept = {name for (name,) in put(url, "select tablename from pg_tables where schemaname = 'snapshots'")}
        marts = {model.name for model in read_marts(states.manifest)}
        assert {f"{short}_{name}" for name in (*marts, "shopify_orders", "raw_keys")} <= kept
        owners = put(url, "select distinct tableowner from pg_tables where schemaname = 'snapshots'")
        assert owners == [("tributary_pipeline",)]
        for role in ("tributary_reader", "tributary_merchant_reader"):
            with psycopg.connect(url) as conn:
                conn.execute(f"set role {role}".encode())
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(f'select * from snapshots."{short}_shopify_orders"'.encode())


def test_a_row_that_another_writes_meanwhile_makes_it_begin_anew(
    states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0

    def failpoint(name: str) -> None:
        nonlocal begun
        if name == "publish: snapshotted":
            begun += 1
            if begun == 1:
                put(
                    url,
                    "update raw.shopify_orders set loaded_at = clock_timestamp(), updated_at = now() where"
                    " merchant_id = 'aurora' and record_id = '51'",
                )

    monkeypatch.setattr(publish_module, "failpoint", failpoint)
    with states.after(*COMPARED) as url:
        publish_it(url, states)
        assert begun == 2
        [(whose,)] = put(
            url,
            "select sync_id = %s from raw.shopify_orders where merchant_id = 'aurora' and record_id = '51'",
            FIRST.backfill_id,
        )
        assert not whose, "it is newer than what was read again"


def test_readers_see_all_of_the_old_or_all_of_the_new(states: States, monkeypatch: pytest.MonkeyPatch) -> None:
    query = """
        select string_agg(t.merchant_id || t.date_day || t.revenue, ',' order by t.merchant_id, t.date_day),
            (select sum(revenue) from marts.fct_orders), (select sum(spend) + count(*) from marts.fct_ad_spend)
        from marts.fct_daily_metrics as t
    """
    with states.after(*COMPARED) as url:
        old = put(url, query)
        seen: list[Any] = []
        monkeypatch.setattr(publish_module, "failpoint", lambda _: seen.append(put(url, query)))
        stop = threading.Event()

        def keep_looking() -> None:
            with psycopg.connect(url, autocommit=True) as conn:
                while not stop.is_set():
                    seen.append(conn.execute(query.encode()).fetchall())

        thread = threading.Thread(target=keep_looking)
        thread.start()
        try:
            publish_it(url, states)
        finally:
            stop.set()
            thread.join()
        new = put(url, query)
        assert old != new
        assert {str(one) for one in seen} <= {str(old), str(new)}
        assert str(old) in {str(one) for one in seen}
