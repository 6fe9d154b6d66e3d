"""What is queued is said exactly once, in order, whatever Slack and PagerDuty do meanwhile."""

from __future__ import annotations

import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk import WebClient

from sandbox.app import create_app
from sandbox.pagerduty import ROUTING_KEY
from sandbox.serve import serve
from sandbox.world import Settings
from tests.sandbox.conftest import NOW, Client
from tributary.notify.outbox import Delivered, deliver, page, revise, tell
from tributary.notify.pagerduty import Pager
from tributary.notify.slack import LONGEST, Slack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

INCIDENTS, MONITORING = "#analytics-incidents", "#analytics-monitoring"
TOKEN = "xoxb-sandbox"
POSTING, HISTORY = "/slack/api/chat.postMessage", "/slack/api/conversations.history"
PAYLOAD = {"summary": "orders are late", "source": "tributary", "severity": "critical"}
TRIGGER, RESOLVE = {"event_action": "trigger", "payload": PAYLOAD}, {"event_action": "resolve"}


def saying(error: str) -> dict[str, Any]:
    """A fault by which Slack refuses a call."""
    return {"kind": "throttled", "options": {"body": {"ok": False, "error": error, "needed": "channels:history"}}}


@pytest.fixture(scope="module")
def served() -> Iterator[Client]:
    with serve(create_app(Settings(seed=7, first_day=date(2026, 11, 14), frozen_at=NOW))) as url:
        yield Client(url)


@pytest.fixture
def sandbox(served: Client) -> Client:
    """Nothing said, nothing wrong."""
    for what in ("faults", "slack/messages", "pagerduty/alerts"):
        served.admin("DELETE", f"/{what}")
    return served


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> Iterator[psycopg.Connection]:
    with connect() as opened:
        yield opened


def slack(sandbox: Client, token: str = TOKEN) -> Slack:
    return Slack(WebClient(token=token, base_url=f"{sandbox.url}/slack/api/", timeout=0.3))  # type: ignore[arg-type]


def passed(conn: psycopg.Connection, sandbox: Client) -> Delivered:
    return deliver(conn, slack(sandbox), Pager(ROUTING_KEY, f"{sandbox.url}/pagerduty", timeout=0.3))


def fault(sandbox: Client, route: str, kind: str, **rest: Any) -> None:
    """Every time, unless `times` says otherwise."""
    sandbox.admin("POST", "/faults", {"route": route, "kind": kind, "times": None, **rest})


def mended(sandbox: Client) -> None:
    sandbox.admin("DELETE", "/faults")


def said(sandbox: Client, channel: str = INCIDENTS) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = sandbox.admin("GET", "/slack/messages")
    return [message for message in messages if f"#{message['channel']}" == channel]


def texts(sandbox: Client, channel: str = INCIDENTS) -> list[str]:
    return [message["text"] for message in said(sandbox, channel)]


def alerts(sandbox: Client) -> dict[str, str]:
    return {alert["dedup_key"]: alert["status"] for alert in sandbox.admin("GET", "/pagerduty/alerts")}


def row(conn: psycopg.Connection, message_id: int) -> tuple[Any, ...]:
    found = conn.execute(
        "select attempts, error, is_unclear, sent_at is not null from ops.messages where message_id = %s", (message_id,)
    ).fetchone()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("wrong", "may_be_there"),
    [
        ({"kind": "http_5xx"}, True),
        ({"kind": "stalled"}, True),
        ({"kind": "cut"}, True),
        ({"kind": "truncated"}, True),
        ({"kind": "missing_field", "options": {"path": "ts"}}, True),
        ({"kind": "html"}, True),
        ({"kind": "malformed"}, True),
        (saying("internal_error"), True),
        ({"kind": "http_429", "options": {"retry_after": 30}}, False),
        (saying("invalid_auth"), False),
        (saying("not_in_channel"), False),
    ],
    ids=str,
)
def test_what_slack_did_not_take_is_said_once_when_it_is_back(
    conn: psycopg.Connection, sandbox: Client, wrong: dict[str, Any], may_be_there: bool
) -> None:
    head = tell(conn, INCIDENTS, "held back")
    tell(conn, INCIDENTS, "now 5 rows", thread_id=head)
    tell(conn, INCIDENTS, "another one")
    fault(sandbox, "/slack/*", **wrong)
    failed = passed(conn, sandbox)
    assert (failed.sent, failed.waiting, len(failed.errors)) == (0, 3, 1)
    (struck,) = sandbox.admin("GET", "/faults")
    assert struck["hits"] == 1, "it was asked once in this pass"
    attempts, error, is_unclear, is_sent = row(conn, head)
    assert (attempts, is_unclear, is_sent) == (1, may_be_there, False)
    assert error
    assert TOKEN not in error
    assert error in failed.errors[0]

    mended(sandbox)
    assert passed(conn, sandbox) == Delivered(sent=3)
    assert texts(sandbox) == ["held back", "now 5 rows", "another one"]
    first, reply, other = said(sandbox)
    assert (reply["thread_ts"], "thread_ts" in other) == (first["ts"], False)
    assert not any("edited" in message for message in (first, reply, other))
    assert row(conn, head)[1:] == (None, False, True)
    assert passed(conn, sandbox) == Delivered()


def test_every_refusal_says_what_to_do(conn: psycopg.Connection, sandbox: Client) -> None:
    tell(conn, "#nowhere", "lost")
    waiting = tell(conn, INCIDENTS, "held back")
    fault(sandbox, POSTING, **saying("not_in_channel"), skip=1)
    done = passed(conn, sandbox)
    assert "create the channel" in done.errors[0]
    assert "invite the app" in row(conn, waiting)[1]
    assert done.waiting == 2


def test_one_channel_does_not_hold_up_another(conn: psycopg.Connection, sandbox: Client) -> None:
    for channel in ("#nowhere", INCIDENTS, "#nowhere", MONITORING):
        tell(conn, channel, "held back")
    done = passed(conn, sandbox)
    assert (done.sent, done.waiting, len(done.errors)) == (2, 2, 1)
    assert (texts(sandbox), texts(sandbox, MONITORING)) == (["held back"], ["held back"])


def test_a_rate_limit_stops_the_channel_and_nothing_else(conn: psycopg.Connection, sandbox: Client) -> None:
    for channel in (INCIDENTS, INCIDENTS, MONITORING):
        tell(conn, channel, "held back")
    fault(sandbox, POSTING, "http_429", times=1)
    assert passed(conn, sandbox).sent == 1
    assert (texts(sandbox), texts(sandbox, MONITORING)) == ([], ["held back"])


def test_a_message_that_slack_never_takes_holds_up_no_other(conn: psycopg.Connection, sandbox: Client) -> None:
    bad = tell(conn, INCIDENTS, "unspeakable")
    tell(conn, INCIDENTS, "held back")
    tell(conn, INCIDENTS, "in the thread of what is not there yet", thread_id=bad)
    fault(sandbox, POSTING, **saying("msg_too_long") | {"times": 1})
    assert passed(conn, sandbox).sent == 1
    assert texts(sandbox) == ["held back"]
    assert "msg_too_long" in row(conn, bad)[1]


def test_one_service_does_not_hold_up_the_other(conn: psycopg.Connection, sandbox: Client) -> None:
    tell(conn, INCIDENTS, "held back")
    page(conn, "orders", TRIGGER)
    fault(sandbox, "/slack/*", "http_5xx")
    assert passed(conn, sandbox).sent == 1
    assert alerts(sandbox) == {"orders": "triggered"}
    mended(sandbox)
    page(conn, "orders", RESOLVE)
    fault(sandbox, "/pagerduty/*", "http_5xx")
    assert passed(conn, sandbox).sent == 1
    assert texts(sandbox) == ["held back"]


def test_a_text_is_edited_once_it_is_another_one(conn: psycopg.Connection, sandbox: Client) -> None:
    head = tell(conn, INCIDENTS, "held back")
    revise(conn, head, "held back since 10:00")
    assert passed(conn, sandbox).sent == 1
    assert "edited" not in said(sandbox)[0], "it had not been sent before"
    revise(conn, head, "resolved")
    fault(sandbox, "/slack/api/chat.update", "cut", times=1)
    assert passed(conn, sandbox).waiting == 1
    assert passed(conn, sandbox).sent == 1
    assert (texts(sandbox), said(sandbox)[0]["edited"]) == (["resolved"], True)
    revise(conn, head, "resolved")
    assert passed(conn, sandbox) == Delivered()


def test_what_was_posted_without_an_answer_says_what_it_should_by_now(
    conn: psycopg.Connection, sandbox: Client
) -> None:
    head = tell(conn, INCIDENTS, "held back")
    fault(sandbox, POSTING, "cut")
    passed(conn, sandbox)
    revise(conn, head, "resolved")
    assert passed(conn, sandbox) == Delivered(sent=1)
    assert texts(sandbox) == ["resolved"]


def test_a_reply_that_was_posted_without_an_answer_is_found_in_its_thread(
    conn: psycopg.Connection, sandbox: Client
) -> None:
    head = tell(conn, INCIDENTS, "held back")
    passed(conn, sandbox)
    tell(conn, INCIDENTS, "escalated", thread_id=head, is_broadcast=True)
    fault(sandbox, POSTING, "cut")
    assert passed(conn, sandbox).waiting == 1
    assert passed(conn, sandbox) == Delivered(sent=1), "it is looked for, not posted: posting is still broken"
    first, reply = said(sandbox)
    assert (reply["thread_ts"], reply["reply_broadcast"]) == (first["ts"], True)


def test_a_warehouse_does_not_take_anothers_message_for_its_own(
    conn: psycopg.Connection, sandbox: Client, connect: Callable[[], psycopg.Connection]
) -> None:
    """Both count their messages from 1."""
    tell(conn, INCIDENTS, "of another warehouse")
    passed(conn, sandbox)
    conn.execute("truncate ops.messages restart identity cascade")
    tell(conn, INCIDENTS, "held back")
    fault(sandbox, POSTING, "http_5xx", times=1)
    passed(conn, sandbox)
    passed(conn, sandbox)
    assert texts(sandbox) == ["of another warehouse", "held back"]


def test_a_message_is_found_on_a_later_page(conn: psycopg.Connection, sandbox: Client) -> None:
    tell(conn, INCIDENTS, "held back")
    fault(sandbox, POSTING, "cut")
    passed(conn, sandbox)
    mended(sandbox)
    people = WebClient(token=TOKEN, base_url=f"{sandbox.url}/slack/api/")
    for number in range(201):
        people.chat_postMessage(channel=INCIDENTS, text=f"what is going on? {number}")
    assert passed(conn, sandbox) == Delivered(sent=1)
    assert texts(sandbox).count("held back") == 1


def test_what_cannot_be_looked_for_is_rather_said_twice(conn: psycopg.Connection, sandbox: Client) -> None:
    message = tell(conn, INCIDENTS, "held back")
    fault(sandbox, POSTING, "cut", times=1)
    passed(conn, sandbox)
    fault(sandbox, "/slack/api/conversations.*", **saying("missing_scope"))
    done = passed(conn, sandbox)
    assert (done.sent, done.waiting) == (1, 0)
    assert texts(sandbox) == ["held back", "held back"]
    assert "missing_scope" in row(conn, message)[1]
    assert "channels:history" in done.errors[0]


def test_looking_waits_for_a_slack_that_answers(conn: psycopg.Connection, sandbox: Client) -> None:
    tell(conn, INCIDENTS, "held back")
    fault(sandbox, POSTING, "cut", times=1)
    passed(conn, sandbox)
    for wrong in ({"kind": "http_5xx"}, {"kind": "http_429"}, saying("invalid_auth")):
        fault(sandbox, HISTORY, **wrong)
        assert passed(conn, sandbox).sent == 0
        mended(sandbox)
    fault(sandbox, HISTORY, "html", times=1)
    assert passed(conn, sandbox).sent == 0
    assert passed(conn, sandbox).sent == 1
    assert texts(sandbox) == ["held back"]


def test_what_people_deleted_is_neither_edited_for_ever_nor_the_end_of_what_follows(
    conn: psycopg.Connection, sandbox: Client
) -> None:
    head = tell(conn, INCIDENTS, "held back")
    passed(conn, sandbox)
    sandbox.admin("DELETE", "/slack/messages")
    revise(conn, head, "resolved")
    tell(conn, INCIDENTS, "resolved now", thread_id=head)
    done = passed(conn, sandbox)
    assert (done.sent, done.waiting) == (2, 0)
    assert "message_not_found" in row(conn, head)[1]
    (alone,) = said(sandbox)
    assert (alone["text"], "thread_ts" in alone) == ("resolved now", False)


def test_a_text_of_any_length_can_be_sent_and_edited(conn: psycopg.Connection, sandbox: Client) -> None:
    head = tell(conn, INCIDENTS, "x" * 50_000)
    assert passed(conn, sandbox) == Delivered(sent=1)
    revise(conn, head, "y" * 50_000)
    assert passed(conn, sandbox) == Delivered(sent=1)
    assert (len(texts(sandbox)[0]), texts(sandbox)[0][-1]) == (LONGEST, "…")


def test_a_pass_that_died_in_the_middle_leaves_nothing_twice(
    connect: Callable[[], psycopg.Connection], sandbox: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = WebClient(token=TOKEN, base_url=f"{sandbox.url}/slack/api/")
    post = client.chat_postMessage

    def killed(**arguments: Any) -> None:
        post(**arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "chat_postMessage", killed)
    with connect() as conn:
        tell(conn, INCIDENTS, "held back")
        conn.commit()
        with pytest.raises(KeyboardInterrupt):
            deliver(conn, Slack(client), None)
    with connect() as conn:
        assert passed(conn, sandbox) == Delivered(sent=1)
    assert texts(sandbox) == ["held back"]


def test_the_client_repeats_no_call_by_itself(conn: psycopg.Connection) -> None:
    """As slack_sdk does when a connection ends without an answer: Slack may have posted by then."""
    asked = []

    class Mute(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)

    with HTTPServer(("127.0.0.1", 0), Mute) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tell(conn, INCIDENTS, "held back")
        client = WebClient(token=TOKEN, base_url=f"http://127.0.0.1:{server.server_port}/slack/api/")
        assert deliver(conn, Slack(client), None).waiting == 1
        server.shutdown()
    assert asked == [POSTING]


def test_several_deliverers_at_once_say_everything_once(
    connect: Callable[[], psycopg.Connection], sandbox: Client
) -> None:
    with connect() as conn:
        for number in range(20):
            tell(conn, INCIDENTS, f"incident {number}")
    begin, results = threading.Barrier(3), []

    def work() -> None:
        with connect() as own:
            begin.wait()
            results.append(passed(own, sandbox))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.sent for result in results) == 20
    assert texts(sandbox) == [f"incident {number}" for number in range(20)]


def test_while_one_delivers_another_has_nothing_to_do(
    connect: Callable[[], psycopg.Connection], sandbox: Client
) -> None:
    with connect() as busy, connect() as conn:
        busy.execute("select pg_advisory_lock(hashtext('tributary.outbox'))")
        tell(conn, INCIDENTS, "held back")
        assert passed(conn, sandbox) == Delivered()
        busy.execute("select pg_advisory_unlock(hashtext('tributary.outbox'))")
        assert passed(conn, sandbox) == Delivered(sent=1)
        assert passed(busy, sandbox) == Delivered(), "the lock was given back"


def test_it_never_raises(conn: psycopg.Connection, sandbox: Client) -> None:
    conn.close()
    assert passed(conn, sandbox).errors == ("warehouse: OperationalError",)


def test_alerts_are_opened_before_they_are_ended(conn: psycopg.Connection, sandbox: Client) -> None:
    page(conn, "orders", TRIGGER)
    page(conn, "refunds", TRIGGER)
    page(conn, "orders", RESOLVE)
    fault(sandbox, "/pagerduty/*", "cut", times=1)
    failed = passed(conn, sandbox)
    assert (failed.sent, failed.waiting) == (0, 3)
    assert passed(conn, sandbox) == Delivered(sent=3)
    assert alerts(sandbox) == {"orders": "resolved", "refunds": "triggered"}


def test_an_event_that_pagerduty_refuses_keeps_what_follows_it_and_nothing_else(
    conn: psycopg.Connection, sandbox: Client
) -> None:
    refused = page(conn, "orders", {"event_action": "trigger", "payload": {**PAYLOAD, "severity": "dreadful"}})
    page(conn, "orders", RESOLVE)
    page(conn, "refunds", TRIGGER)
    done = passed(conn, sandbox)
    assert (done.sent, done.waiting) == (1, 2)
    assert "payload.severity" in row(conn, refused)[1]
    assert alerts(sandbox) == {"refunds": "triggered"}


@pytest.mark.parametrize("kind", ["http_429", "http_5xx", "html", "stalled"])
def test_a_pagerduty_that_is_down_is_asked_once(conn: psycopg.Connection, sandbox: Client, kind: str) -> None:
    page(conn, "orders", TRIGGER)
    page(conn, "refunds", TRIGGER)
    fault(sandbox, "/pagerduty/*", kind)
    assert passed(conn, sandbox).waiting == 2
    (struck,) = sandbox.admin("GET", "/faults")
    assert struck["hits"] == 1


def test_a_wrong_routing_key_is_not_shown(conn: psycopg.Connection, sandbox: Client) -> None:
    page(conn, "orders", TRIGGER)
    done = deliver(conn, slack(sandbox), Pager("short-secret", f"{sandbox.url}/pagerduty"))
    assert "routing_key" in done.errors[0]
    said_by_pagerduty = {"errors": ["there is no service of short-secret"]}
    fault(sandbox, "/pagerduty/*", "http_5xx", options={"status": 400, "body": said_by_pagerduty})
    done = deliver(conn, slack(sandbox), Pager("short-secret", f"{sandbox.url}/pagerduty"))
    assert "no service of ***" in done.errors[0]
    assert "short-secret" not in repr(Pager("short-secret", None))


def test_without_a_pager_nobody_is_paged(conn: psycopg.Connection, sandbox: Client) -> None:
    page(conn, "orders", TRIGGER)
    assert deliver(conn, slack(sandbox), None) == Delivered()
    assert alerts(sandbox) == {}


WRONGS = st.sampled_from(
    [
        {"kind": "http_5xx"},
        {"kind": "cut"},
        {"kind": "truncated"},
        {"kind": "html"},
        {"kind": "http_429"},
        {"kind": "missing_field", "options": {"path": "ts"}},
        saying("fatal_error"),
        saying("not_in_channel"),
    ]
)
ROUTES = st.sampled_from(["/slack/*", POSTING, "/slack/api/chat.update", HISTORY, "/pagerduty/*"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.sampled_from([INCIDENTS, MONITORING])),
        st.tuples(st.just("reply"), st.integers(0, 5)),
        st.tuples(st.just("revise"), st.integers(0, 5)),
        st.tuples(st.just("page"), st.sampled_from(["orders", "refunds"])),
        st.tuples(st.just("fault"), ROUTES, WRONGS, st.integers(0, 2), st.integers(1, 3)),
        st.tuples(st.just("pass")),
        st.tuples(st.just("pass")),
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_goes_wrong_all_is_said_once_and_in_order(
    conn: psycopg.Connection, sandbox: Client, steps: list[tuple[Any, ...]]
) -> None:
    """Where the history may be read, that is: the faults here leave out only that it is refused."""
    for what in ("faults", "slack/messages", "pagerduty/alerts"):
        sandbox.admin("DELETE", f"/{what}")
    conn.execute("truncate ops.messages cascade")
    told: dict[int, tuple[str, str, int | None]] = {}
    heads: list[int] = []
    is_open = dict.fromkeys(("orders", "refunds"), False)
    for number, (step, *rest) in enumerate(steps):
        if step == "tell":
            heads.append(tell(conn, rest[0], f"head {number}"))
            told[heads[-1]] = (rest[0], f"head {number}", None)
        elif step == "reply" and heads:
            head = heads[rest[0] % len(heads)]
            channel = told[head][0]
            told[tell(conn, channel, f"reply {number}", head, is_broadcast=True)] = (channel, f"reply {number}", head)
        elif step == "revise" and told:
            message_id = sorted(told)[rest[0] % len(told)]
            revise(conn, message_id, f"revised {number}")
            told[message_id] = (told[message_id][0], f"revised {number}", told[message_id][2])
        elif step == "page":
            page(conn, rest[0], RESOLVE if is_open[rest[0]] else TRIGGER)
            is_open[rest[0]] = not is_open[rest[0]]
        elif step == "fault":
            route, wrong, skip, times = rest
            if not (route in (HISTORY, "/slack/*") and wrong == saying("not_in_channel")):
                fault(sandbox, route, **wrong, skip=skip, times=times)
        elif step == "pass":
            passed(conn, sandbox)
        conn.commit()
    mended(sandbox)
    assert passed(conn, sandbox).errors == ()
    assert passed(conn, sandbox) == Delivered()

    sent = dict(conn.execute("select sent_as, message_id from ops.messages where service = 'slack'").fetchall())
    for channel in (INCIDENTS, MONITORING):
        messages = said(sandbox, channel)
        assert [sent[message["ts"]] for message in messages] == [i for i in sorted(told) if told[i][0] == channel]
        for message in messages:
            _, text, head_id = told[sent[message["ts"]]]
            assert message["text"] == text
            assert sent.get(message.get("thread_ts")) == head_id
    opened = {key: status == "triggered" for key, status in alerts(sandbox).items()}
    assert {key: opened.get(key, False) for key in is_open} == is_open
