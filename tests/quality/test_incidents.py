"""What people hear while checks fail, go on failing, change, come back and recover: read from the outbox."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.quality.runs import HOUR, START, TWICE, Message, World, bad, well
from tributary.notify.wording import INCIDENTS, MONITORING
from tributary.paths import MART_CONTRACTS
from tributary.quality.finding import IS_THERE
from tributary.quality.incidents.lifecycle import AGREES, SAID_ELSEWHERE, WAS_READ
from tributary.quality.incidents.observation import Key, Observation, Run
from tributary.quality.incidents.settle import Settled, escalate, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg


def test_fifty_failing_gates_are_one_message_and_their_recovery_one_reply(world: World) -> None:
    for _ in range(50):
        world.run(bad())
    (head,) = world.slack()
    assert (head.channel, head.thread_id) == (INCIDENTS, None)
    assert "seen 50 times, last 2026-11-23 11:00 UTC" in head.text
    assert world.run(well()) == Settled(opened=0, repeated=0, resolved=1)
    (reply,) = world.slack()
    assert (reply.channel, reply.thread_id) == (INCIDENTS, head.message_id)
    assert "Resolved after 2 days" in reply.text
    assert "reply_broadcast" not in reply.body
    assert world.text(head.message_id).startswith(":white_check_mark: *Resolved: aurora*")
    world.run(well())
    assert world.said() == []


def test_another_result_is_told_in_the_thread_and_a_growing_age_is_not(world: World) -> None:
    world.run(bad(examples=[{"order_key": "1", "hours_behind": "2.0"}]))
    (head,) = world.slack()
    world.run(bad(examples=[{"order_key": "1", "hours_behind": "3.0"}]))
    assert world.slack() == []
    world.run(bad(examples=[{"order_key": "2", "hours_behind": "4.0"}]))
    world.run(bad(what="measured 7, must be: 0", examples=[{"order_key": "2"}]))
    rows, measured = world.slack()
    assert {rows.thread_id, measured.thread_id} == {head.message_id}
    assert "order_key 2" in rows.text
    assert "measured 7" in measured.text


def test_an_error_that_only_names_another_request_is_the_same(world: World) -> None:
    key = Key("aurora", "shopify", WAS_READ)
    for number in (1, 2):
        world.run(bad(key, f"orders: AuthError: HTTP 401 (GET /orders, request id {number}). Renew it.", "warning"))
    assert len(world.slack()) == 1


def test_what_cannot_be_evaluated_for_want_of_a_table_is_one_incident(world: World) -> None:
    missing = Key("aurora", "fct_orders", IS_THERE)
    checks = [Key("aurora", f"fct_{number % 3}", f"Check {number}") for number in range(12)]
    folded = [bad(key, "it could not be evaluated", root=missing) for key in checks]
    assert world.run(*folded, bad(missing)).opened == 13
    page, head = world.said()
    assert "and 12 more checks could not be evaluated because of it" in head.text
    assert head.text.count("*#") == 1
    assert page.service == "pagerduty"
    world.run(*folded[:5], bad(missing))
    assert world.said() == []
    world.run(well(Key("aurora", "fct_orders", "No order twice")), bad(checks[0]))
    _, page, own, reply = world.said()
    assert (page.body["event_action"], page.body["payload"]["component"]) == ("trigger", "fct_0")
    assert reply.thread_id == head.message_id
    assert IS_THERE in reply.text
    assert own.thread_id is None
    assert world.incidents() == [("Check 0", "blocking", 3)]


def test_two_merchants_and_one_recovers(world: World) -> None:
    other = Key("nordlicht", "fct_orders", "No order twice")
    world.run(bad(), bad(other))
    (head,) = world.slack()
    assert "Held back: aurora, nordlicht" in head.text
    world.run(well(other), bad())
    (reply,) = world.slack()
    assert "nordlicht" in reply.text
    assert "aurora" not in reply.text
    assert "Held back: aurora*" in world.text(head.message_id)


def test_a_run_that_is_reported_again_counts_and_says_nothing(world: World) -> None:
    seen = [bad(), bad(Key("aurora", "fct_spend", "Odd"), severity="warning")]
    world.run(*seen)
    assert len(world.slack()) == 2
    world.run(*seen)
    assert world.again(*seen) == Settled(0, 0, 0)
    assert [occurrences for *_, occurrences in world.incidents()] == [2, 2]
    world.run(well())
    world.said()
    world.again(well())
    world.run(bad())
    assert len(world.said()) == 2, "a reply and a page"
    world.again(bad())
    assert world.said() == []


def test_runs_of_two_dags_may_have_the_same_name(world: World) -> None:
    world.run(bad())
    assert world.again(bad(), dag_id="backfill").repeated == 1


def test_warnings_of_a_run_are_one_message_elsewhere_and_page_nobody(world: World) -> None:
    keys = [Key(merchant, "fct_daily_metrics", f"Odd {number}") for merchant in ("aurora", "b") for number in (1, 2)]
    world.run(*(bad(key, severity="warning") for key in keys))
    (head,) = world.said()
    assert (head.channel, "4 warnings: aurora, b" in head.text) == (MONITORING, True)


def test_a_warning_that_becomes_blocking_goes_on_in_the_other_channel(world: World) -> None:
    world.run(bad(severity="warning"))
    (warning,) = world.said()
    world.run(bad())
    head, moved = world.slack()
    assert (head.channel, head.thread_id) == (INCIDENTS, None)
    assert (moved.channel, moved.thread_id) == (MONITORING, warning.message_id)
    assert "goes on as #2" in moved.text
    assert world.incidents() == [("No order twice", "blocking", 1)]


def test_what_returns_within_a_day_goes_on_in_its_thread(world: World) -> None:
    world.run(bad())
    (head,) = world.slack()
    assert escalate(world.conn, world.this_run(), world.now + HOUR, pages=True) == 1
    world.run(well())
    world.said()
    world.run(bad(), later=timedelta(hours=23))
    page, reply = world.said()
    assert (reply.thread_id, reply.body["reply_broadcast"]) == (head.message_id, True)
    assert page.body["event_action"] == "trigger"
    assert world.incidents() == [("No order twice", "blocking", 2)]
    assert escalate(world.conn, world.this_run(), world.now + timedelta(minutes=29), pages=True) == 0
    assert escalate(world.conn, world.this_run(), world.now + timedelta(minutes=30), pages=True) == 1
    world.run(well())
    world.said()
    world.run(bad(), later=timedelta(hours=25))
    assert [message.thread_id for message in world.slack()] == [None]
    assert world.incidents("resolved") == [("No order twice", "blocking", 2)]


def test_what_nobody_answers_is_said_once_more_to_all(world: World) -> None:
    world.run(bad(), bad(Key("aurora", "fct_spend", "Odd"), severity="warning"))
    blocking, warning = world.slack()

    def after(length: timedelta) -> list[Message]:
        escalate(world.conn, world.this_run("watch"), world.now + length, pages=True)
        return world.slack()

    assert after(timedelta(minutes=29)) == []
    (reply,) = after(timedelta(minutes=30))
    assert (reply.thread_id, reply.body["reply_broadcast"]) == (blocking.message_id, True)
    assert reply.text.startswith("<!channel> ")
    assert after(timedelta(minutes=31)) == []
    (reply,) = after(timedelta(hours=24))
    assert (reply.channel, reply.thread_id) == (MONITORING, warning.message_id)
    assert "<!channel>" not in reply.text


def test_a_check_that_is_no_more_is_resolved_and_one_not_judged_is_untouched(world: World) -> None:
    elsewhere = Key("aurora", "fct_spend", "Not negative")
    world.run(bad(), bad(elsewhere), bad(Key("nordlicht", "fct_orders", "No order twice")))
    world.said()
    world.run(well(Key("aurora", "fct_orders", "A check of this contract")))
    (reply,) = world.slack()
    assert "#1 aurora" in reply.text
    assert len(world.incidents()) == 2


def test_a_table_that_is_missing_says_nothing_of_its_checks(world: World) -> None:
    world.run(bad())
    missing = Key("aurora", "fct_orders", IS_THERE)
    world.run(bad(missing), bad(what="it could not be evaluated", root=missing))
    world.said()
    world.run(bad(missing))
    assert len(world.incidents()) == 2
    world.run(bad(), well(Key("aurora", "fct_orders", "Another")))
    (resolved,) = world.slack()
    assert IS_THERE in resolved.text, "what was told before the table was missing is as it was"


def test_what_was_told_returns_in_its_thread_although_it_was_folded_meanwhile(world: World) -> None:
    missing = Key("aurora", "fct_orders", IS_THERE)
    world.run(bad())
    (head,) = world.slack()
    world.run(well())
    world.run(bad(missing), bad(what="it could not be evaluated", root=missing))
    world.run(well(), well(Key("aurora", "fct_orders", "Another")))
    world.said()
    world.run(bad())
    assert [reply.thread_id for reply in world.slack()] == [head.message_id]


def test_data_that_is_stale_because_its_channels_are_not_read_is_not_told(world: World) -> None:
    stale = Key("aurora", "fct_freshness", "Every stream was read within its SLA")

    def beyond(*channels: str) -> Observation:
        rows = [{"channel": channel, "stream": "orders", "hours_behind": "3"} for channel in channels]
        return bad(stale, f"measured {len(channels)}", "warning", examples=rows)

    world.run(bad(Key("aurora", "shopify", WAS_READ), "orders: HTTP 401", "warning"), dag_id="ingest_shopify")
    (head,) = world.slack()
    world.run(beyond("shopify"), dag_id="watch")
    assert world.slack() == []
    assert "1 more check" in world.text(head.message_id)
    world.run(beyond("shopify", "klaviyo"), dag_id="watch")
    (own,) = world.slack()
    assert (own.thread_id, "klaviyo" in own.text) == (None, True)
    world.run(well(stale), dag_id="watch")
    world.run(beyond("shopify"), dag_id="watch")
    world.said()
    world.run(well(Key("aurora", "shopify", WAS_READ)), dag_id="ingest_shopify")
    assert [reply.thread_id for reply in world.slack()] == [head.message_id]
    assert world.incidents() == []


def test_a_warning_that_each_build_measures_otherwise_is_not_told_again(world: World) -> None:
    world.run(bad(severity="warning", what="measured 264, must be: 0", examples=[{"date_day": "2026-11-19"}]))
    (head,) = world.slack()
    world.run(bad(severity="warning", what="measured 9, must be: 0", examples=[{"date_day": "2026-11-20"}]))
    assert world.said() == []
    assert "measured 9, must be: 0" in world.text(head.message_id)


def test_control_totals_that_hold_back_a_build_are_told_once(world: World) -> None:
    days = [{"channel": "shopify", "date_day": "2026-11-19"}]
    world.run(bad(Key("aurora", "shopify control totals", AGREES), examples=days), dag_id="housekeeping")
    (head,) = world.slack()
    world.run(bad(Key("aurora", "fct_daily_metrics", "The shop's control totals of closed days agree"), examples=days))
    assert world.said() == []
    assert "1 more check" in world.text(head.message_id)


def test_what_is_folded_into_something_nearer_to_the_cause_is_a_check_of_its_contract() -> None:
    for dataset, check in SAID_ELSEWHERE:
        contract = yaml.safe_load((MART_CONTRACTS / f"{dataset}.yml").read_text())
        assert check in {body["name"] for one in contract["checks"] for body in one.values()}


def test_a_build_without_the_days_in_question_resolves_nothing(world: World) -> None:
    world.run(bad(severity="warning", examples=[{"date_day": "2026-11-19"}]))
    world.run(Observation(TWICE, None, is_partial=True))
    assert [len(world.slack()), len(world.incidents())] == [1, 1]
    world.run(well())
    assert [len(world.slack()), len(world.incidents())] == [1, 0]


def test_pages_have_one_key_from_trigger_to_resolve(world: World) -> None:
    world.run(bad())
    world.run(bad(what="measured 2, must be: 0"))
    world.run(well())
    trigger, resolve = [message for message in world.said() if message.service == "pagerduty"]
    assert trigger.channel == resolve.channel == "tributary/aurora/7f559b02e3160ee1b642e66ed09058b4"
    assert (trigger.body["event_action"], resolve.body) == ("trigger", {"event_action": "resolve"})
    assert trigger.body["payload"]["severity"] == "critical"


def test_without_pagerduty_nothing_is_paged(world: World) -> None:
    run = world.this_run()
    settle(world.conn, run, [bad()], START, pages=False)
    settle(world.conn, run, [well()], START, pages=False)
    assert {message.service for message in world.said()} == {"slack"}


def test_two_runs_that_see_the_same_open_one_incident(world: World, connect: Callable[[], psycopg.Connection]) -> None:
    together = threading.Barrier(2)

    def see(number: int) -> None:
        with connect() as conn:
            run = Run("transform", f"at once {number}", START, "http://airflow/1", "http://airflow/runbooks")
            together.wait()
            settle(conn, run, [bad()], START, pages=False)

    threads = [threading.Thread(target=see, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.incidents() == [("No order twice", "blocking", 2)]
    assert len(world.said()) == 1


def test_who_else_was_published_and_since_when_readers_see_nothing_new(world: World) -> None:
    def publish(merchant_id: str, moment: datetime) -> None:
        world.conn.execute(
            "insert into ops.publications values (gen_random_uuid(), %s, '2026-11-01', %s, '{}', 1)",
            (merchant_id, moment),
        )

    publish("aurora", START - timedelta(days=1))
    publish("before", START)
    publish("nordlicht", START + timedelta(minutes=57))
    world.run(bad())
    (head,) = world.slack()
    assert "Nothing new of aurora is published: readers see what was published 2026-11-20 09:00 UTC." in head.text
    assert "Published as usual: nordlicht." in head.text


KEYS = [Key(merchant, "fct_orders", check) for merchant in ("aurora", "nordlicht") for check in ("A", "B")]


@dataclass
class Model:
    """What one check's incident should be, told as simply as can be."""

    is_open: bool = False
    is_told: bool = False
    is_alerted: bool = False
    was_muted: bool = False
    muted_until: datetime = START
    resolved_at: datetime | None = None

    def is_seen(self, is_bad: bool, now: datetime) -> str | None:
        """What people are to hear of it."""
        is_muted, was_open = now < self.muted_until, self.is_open
        if not is_bad:
            self.is_open = False
            if was_open:
                self.resolved_at = now
            return self._heard("resolved", False) if was_open and self.is_told and not is_muted else None
        returns = not was_open and self.resolved_at is not None and now - self.resolved_at < timedelta(hours=24)
        self.is_open, self.is_told = True, self.is_told and (was_open or returns)
        was_muted, self.was_muted = self.was_muted, is_muted
        if is_muted:
            return None
        if not self.is_told:
            return self._heard("new", True)
        if returns:
            return self._heard("returned", True)
        return self._heard("unmuted", True) if was_muted else None

    def is_silenced(self, until: datetime) -> str | None:
        said_before = self.muted_until == until
        self.was_muted, self.muted_until, self.is_alerted = True, until, False
        return "muted" if self.is_told and not said_before else None

    def _heard(self, what: str, alerts: bool) -> str:
        self.is_told, self.is_alerted = True, alerts
        return what


KINDS = {"Resolved after": "resolved", "It is back": "returned", "The mute is over": "unmuted", "muted until": "muted"}


def heard(messages: Sequence[Message]) -> dict[Key, str]:
    """What was said of which check; each thread and each kind at most once."""
    found: dict[Key, str] = {}
    places = set()
    for message in messages:
        kind = "new" if message.thread_id is None else next(KINDS[word] for word in KINDS if word in message.text)
        assert kind == "muted" or (message.thread_id, kind) not in places
        places.add((message.thread_id, kind))
        keys = [Key(*found) for found in re.findall(r"\*#\d+ (\w+)\* (fct_orders): (\w)", message.text)]
        assert keys
        assert not found.keys() & set(keys)
        found |= dict.fromkeys(keys, kind)
    return found


KEYS = [Key(merchant, "fct_orders", check) for merchant in ("aurora", "nordlicht") for check in ("A", "B")]
SEEN = st.dictionaries(st.sampled_from(KEYS), st.booleans(), min_size=1)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), SEEN, st.sampled_from([1, 13, 30])),
        st.tuples(st.just("again"), st.none(), st.just(0)),
        st.tuples(st.just("mute"), st.sampled_from(KEYS), st.sampled_from([2, 20])),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS)
def test_each_open_period_is_told_once_and_ended_once_whatever_happens(
    world: World, events: list[tuple[str, Any, int]]
) -> None:
    with world.conn.transaction(force_rollback=True):
        world = World(world.conn, heard=world.heard)
        models = {key: Model() for key in KEYS}
        observations: list[Observation] = []
        for event, about, hours in events:
            expected: dict[Key, str | None] = {}
            if event == "run":
                observations = [bad(key) if is_bad else well(key) for key, is_bad in about.items()]
                world.run(*observations, later=hours * HOUR)
                judged = {key.merchant_id for key in about}
                for key in KEYS:
                    if key.merchant_id in judged:
                        expected[key] = models[key].is_seen(about.get(key, False), world.now)
            elif event == "again":
                world.again(*observations)
            elif models[about].is_open:
                world.mute(number_of(world, about), hours * HOUR)
                expected[about] = models[about].is_silenced(world.now + hours * HOUR)
            messages = world.said()
            assert heard([each for each in messages if each.service == "slack"]) == {
                key: what for key, what in expected.items() if what
            }
        assert alerted(world) == sum(model.is_alerted for model in models.values())


def number_of(world: World, key: Key) -> int:
    row = world.conn.execute(
        "select incident_id from ops.incidents where (merchant_id, dataset, check_name, status) = (%s, %s, %s, 'open')",
        key,
    ).fetchone()
    assert row is not None
    return int(row[0])


def alerted(world: World) -> int:
    """How many alerts are open in PagerDuty, once everything is sent."""
    last = world.conn.execute(
        "select distinct on (channel) body ->> 'event_action' from ops.messages where service = 'pagerduty' "
        "order by channel, message_id desc"
    )
    return [action for (action,) in last].count("trigger")
