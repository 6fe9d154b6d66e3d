"""Taking a backfill back: byte by byte what was there before, but for what others have done since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from tests.backfill.kill_world import WORLD
from tests.backfill.rows import asked
from tests.backfill.states import days, not_as_rebuilt, production, put
from tests.backfill.steps import OPERATIONS, RUNS
from tributary.backfill import lease
from tributary.backfill.closing import sweep
from tributary.backfill.errors import LeaseLost, Refused
from tributary.backfill.publishing import rollback as rollback_module
from tributary.backfill.publishing import snapshot
from tributary.backfill.publishing.rollback import check_restorable, preview, restore
from tributary.warehouse.personal.erase import Request, erase

if TYPE_CHECKING:
    from tests.backfill.states import States
    from tributary.backfill.state import Backfill

FIRST = next(run for run in RUNS if run.name == "first")
STEPS = ("request", "lease", "reread", "scope", "build", "difference", "publish")
COMPARED = tuple(f"{step} first" for step in STEPS[:-1])
PUBLISHED = tuple(f"{step} first" for step in STEPS)
SHORT = FIRST.backfill_id.hex[:12]


def rollback_of(url: str, **changed: Any) -> Backfill:
    """Asked for, and holding its lease."""
    with psycopg.connect(url) as conn:
        of = {"kind": "rollback", "mode": "restore", "restores": FIRST.backfill_id, "channels": []}
        rollback = asked(conn, "undo", *FIRST.merchants, **(of | changed))
        lease.take(conn, rollback)
    return rollback


def restore_it(url: str, states: States, rollback: Backfill | None = None) -> int:
    rollback = rollback or rollback_of(url)
    with psycopg.connect(url) as conn:
        return restore(conn, rollback.backfill_id, WORLD, states.manifest)


def previewed(url: str, states: States) -> str:
    with psycopg.connect(url) as conn:
        rollback = asked(conn, "look", *FIRST.merchants, kind="rollback", restores=FIRST.backfill_id)
        return preview(conn, rollback, WORLD, states.manifest)


def as_next_run_leaves_it(url: str, states: States) -> list[Any]:
    OPERATIONS["publish hourly"](url)
    return not_as_rebuilt(url, states.manifest)


def test_everything_is_as_it_was(states: States) -> None:
    with states.after(*COMPARED) as url:
        before = production(url)
        OPERATIONS["publish first"](url)
        assert production(url) != before
        [(published,)] = put(url, "select rows_affected from ops.backfills")
        rollback = rollback_of(url)

        assert restore_it(url, states, rollback) == published

        assert production(url) == before
        outcomes = dict(put(url, "select kind, status from audit.backfills"))
        assert outcomes == {"backfill": "rolled back", "rollback": "restored"}
        assert put(url, "select count(*) from ops.leases") == [(0,)]
        rows = "select stream, merchant_id, record_id from {} where {} order by 1, 2, 3"
        changed = put(url, rows.format(f'snapshots."{SHORT}_raw_keys"', "is_changed"))
        assert changed
        assert put(url, rows.format("ops.changes", "sync_id = %s"), rollback.backfill_id) == changed
        assert restore_it(url, states, rollback) == published
        assert put(url, "select count(*) from audit.backfill_events where status = 'restored'") == [(1,)]
        OPERATIONS["publish hourly"](url)
        assert production(url) == before
        assert not_as_rebuilt(url, states.manifest) == []


def test_a_day_that_was_published_since_stays_and_is_built_again(states: States) -> None:
    with states.after(*PUBLISHED) as url:
        old = days(url)
        put(
            url, "insert into ops.publications values (%s, 'aurora', '2026-03-07', clock_timestamp(), '{}', 0)", uuid4()
        )
        shown = previewed(url, states)
        assert "`aurora` 2026-03-07: published since, by build `" in shown
        restore_it(url, states)
        new = days(url)
        moved = {day for day in old if new.get(day) != old[day]}
        assert ("aurora", 7) not in moved
        assert {merchant_id for merchant_id, _ in moved} == {"aurora", "nordlicht"}
        assert ("nordlicht", 7) in moved
        assert put(url, "select count(*) from ops.changes where stream = 'days' and record_id = '2026-03-07'") == [(1,)]
        assert as_next_run_leaves_it(url, states) == []


def test_what_a_scheduled_run_published_since_stays(states: States) -> None:
    with states.after(*PUBLISHED) as url:
        OPERATIONS["sync"](url)
        OPERATIONS["publish hourly"](url)
        synced = put(
            url, "select md5(string_agg(o::text, '')) from raw.shopify_orders o where record_id in ('71', '81')"
        )
        later = put(
            url,
            "select distinct merchant_id, extract(day from date_day)::int from ops.publications where published_at >"
            " (select max(published_at) from ops.publications where build_id = %s)",
            FIRST.backfill_id,
        )
        old = days(url)
        assert "left, since a later reading wrote them" in previewed(url, states)
        restore_it(url, states)
        new = days(url)
        assert {day: new[day] for day in later} == {day: old[day] for day in later}
        after = put(
            url, "select md5(string_agg(o::text, '')) from raw.shopify_orders o where record_id in ('71', '81')"
        )
        assert after == synced
        assert as_next_run_leaves_it(url, states) == []


def test_children_stay_with_their_order(states: States) -> None:
    with states.after(*PUBLISHED) as url:
        whose = "merchant_id = 'aurora' and record_id = '52'"
        put(url, f"update raw.shopify_orders set sync_id = gen_random_uuid(), loaded_at = now() where {whose}")
        refunds = "select * from raw.shopify_refunds where merchant_id = 'aurora' and record_id like '52/%'"
        kept = put(url, refunds)
        assert len(kept) == 2
        restore_it(url, states)
        assert put(url, refunds) == kept
        assert len(put(url, refunds.replace("aurora", "nordlicht"))) == 1
        assert as_next_run_leaves_it(url, states) == []


def test_whoever_was_erased_since_does_not_come_back(states: States) -> None:
    with states.after(*PUBLISHED) as url:
        # The removed order's buyer: raw has no row of it any more, its image has.
        [(order, who)] = put(
            url,
            f"select record_id, payload #>> '{{email}}' from snapshots.\"{SHORT}_shopify_orders\""
            " where merchant_id = 'aurora' and record_id = '53'",
        )
        [(key,)] = put(url, "select ops.customer_key('aurora', 'email:' || %s)", who)
        keys = put(
            url,
            "select distinct customer_key from marts.fct_orders where merchant_id = 'aurora' and order_id in"
            " (select record_id from raw.shopify_orders where merchant_id = 'aurora' and payload ->> 'email' = %s)",
            who,
        )
        with psycopg.connect(url) as conn:
            for (one,) in {*keys, (key,)}:
                erase(conn, WORLD, Request("aurora", one, "ann", "they asked for it", is_dry_run=False))
        assert "somebody who bought on it was erased since" in previewed(url, states)
        restore_it(url, states)
        rows = put(
            url, "select payload::text from raw.shopify_orders where merchant_id = 'aurora' and record_id = %s", order
        )
        assert rows
        assert who not in rows[0][0]
        assert put(
            url,
            "select count(*) from raw.shopify_orders where merchant_id = 'aurora' and payload::text like %s",
            f"%{who}%",
        ) == [(0,)]
        assert put(
            url,
            "select count(*) from ops.changes where merchant_id = 'aurora' and old_payload::text like %s",
            f"%{who}%",
        ) == [(0,)]
        restored = (
            "select count(*) from marts.fct_orders inner join ops.publications using (merchant_id, date_day)"
            " inner join ops.erased_identities as e on e.merchant_id = fct_orders.merchant_id"
            " and e.identity_digest = fct_orders.customer_key where build_id <> %s"
            " and build_id in (select backfill_id from ops.backfills)"
        )
        assert put(url, restored, FIRST.backfill_id) == [(0,)]
        OPERATIONS["publish hourly"](url)
        erased = "customer_key in (select identity_digest from ops.erased_identities)"
        gone = f"select count(*) from marts.fct_orders where {erased}"
        assert put(url, gone) == [(0,)]
        assert not_as_rebuilt(url, states.manifest) == []


def test_a_row_that_moved_to_a_day_that_stays_keeps_its_old_day(states: States) -> None:
    with states.after(*PUBLISHED) as url:
        # Order 61 moved from the 6th to the 12th, which others publish again.
        put(
            url, "insert into ops.publications values (%s, 'aurora', '2026-03-12', clock_timestamp(), '{}', 0)", uuid4()
        )
        assert "`aurora` 2026-03-06: a row that was on it stands on a day that stays" in previewed(url, states)
        restore_it(url, states)
        assert as_next_run_leaves_it(url, states) == []


def test_a_column_that_was_added_since_is_null(states: States) -> None:
    with states.after(*PUBLISHED) as url:
        put(url, "alter table marts.fct_revenue add column later integer")
        put(url, "update marts.fct_revenue set later = 2")
        restore_it(url, states)
        reprocessed = (
            "(merchant_id, date_day) in (select merchant_id, date_day from ops.publications where build_id = %s)"
        )
        later = "select distinct later from marts.fct_revenue where"
        assert put(url, f"{later} {reprocessed}", FIRST.backfill_id) == [(None,)]
        assert put(url, f"{later} not {reprocessed}", FIRST.backfill_id) == [(2,)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "alter table marts.fct_revenue drop column revenue",
            "column 'revenue' of marts.fct_revenue .* is not there any",
        ),
        (
            "alter table marts.fct_revenue alter column orders type numeric",
            "had type .*int.*, and now has type numeric",
        ),
        ("update ops.backfills set status = 'rolled back'", "was rolled back already"),
        ("update ops.backfills set status = 'failed'", "is not published but failed"),
        ("update ops.backfills set kind = 'rollback'", "is a rollback itself"),
        ("update audit.backfill_events set recorded_at = now() - interval '170 hours'", "more than 7 days ago"),
        (f'drop table snapshots."{SHORT}_raw_keys"', "not kept any more"),
        ("delete from ops.backfills", "there is no backfill"),
    ],
)
def test_what_cannot_be_taken_back_is_refused(states: States, wrong: str, message: str) -> None:
    with states.after(*PUBLISHED) as url:
        put(url, wrong)
        before = production(url)
        with psycopg.connect(url) as conn, pytest.raises(Refused, match=message):
            check_restorable(conn, FIRST.backfill_id)
        rollback = rollback_of(url)
        with pytest.raises(Refused, match=message):
            restore_it(url, states, rollback)
        assert production(url) == before


@pytest.mark.parametrize("given", ["", "first", "'; drop", None])
def test_an_id_that_is_none_is_refused(states: States, given: str | None) -> None:
    with states.after() as url, psycopg.connect(url) as conn, pytest.raises(Refused, match="is no id of a backfill"):
        check_restorable(conn, given)


def test_without_its_lease_or_an_approval_nothing_comes_back(states: States) -> None:
    with states.after(*PUBLISHED) as url:
        before = production(url)
        rollback = rollback_of(url, needs_approval=True)
        with pytest.raises(Refused, match="not approved"):
            restore_it(url, states, rollback)
        put(url, "update ops.backfills set approved_by = 'manager'")
        put(url, "update ops.leases set expires_at = now() - interval '1 s' where merchant_id = 'aurora'")
        with pytest.raises(LeaseLost, match="aurora"):
            restore_it(url, states, rollback)
        assert production(url) == before


def test_a_row_that_a_sync_writes_meanwhile_is_left(states: States, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    look_ahead = rollback_module.look_ahead

    def looking(*arguments: Any) -> Any:
        nonlocal looked
        looked += 1
        outlook = look_ahead(*arguments)
        if looked == 1:
            put(
                url,
                "update raw.shopify_orders set payload = '{}', loaded_at = now() where merchant_id = 'aurora' and"
                " record_id = '51'",
            )
        return outlook

    monkeypatch.setattr(rollback_module, "look_ahead", looking)
    with states.after(*PUBLISHED) as url:
        restore_it(url, states)
        assert looked == 2
        row = "select payload from raw.shopify_orders where merchant_id = 'aurora' and record_id = '51'"
        assert put(url, row) == [({},)]


def test_the_preview_tells_what_would_be_lost(states: States) -> None:
    with states.after(*PUBLISHED) as url:
        before = production(url)
        shown = previewed(url, states)
        assert production(url) == before
        assert shown.startswith(f"## Rollback of backfill {SHORT}\n")
        assert "0 days stay" in shown
        [(now,)] = put(
            url, "select revenue from marts.fct_daily_metrics where merchant_id = 'aurora' and date_day = '2026-03-05'"
        )
        [(then,)] = put(
            url,
            f"select revenue from snapshots.\"{SHORT}_fct_daily_metrics\" where merchant_id = 'aurora'"
            " and date_day = '2026-03-05'",
        )
        assert f"| `aurora` | 2026-03-05 | {now:.2f} -> {then:.2f} | {then - now:+.2f} |" in shown


def test_what_was_kept_goes_after_a_week(states: States) -> None:
    with states.after(*PUBLISHED) as url, psycopg.connect(url, autocommit=True) as conn:
        now = datetime.now(UTC)
        sweep(conn, now + timedelta(days=6, hours=23))
        assert snapshot.names(conn, FIRST.backfill_id)
        sweep(conn, now + timedelta(days=7, hours=1))
        assert snapshot.names(conn, FIRST.backfill_id) == []
        with pytest.raises(Refused, match="not kept any more"):
            check_restorable(conn, FIRST.backfill_id)
