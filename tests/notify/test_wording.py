"""What a person on call reads, on a phone and at night."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tributary.notify import replies
from tributary.notify.wording import MOST, Told, head

NOW = datetime(2026, 11, 21, 9, 2, 59, tzinfo=UTC)
RUN = "http://airflow/dags/transform/runs/r1"
TWICE = Told(
    number=12,
    merchant_id="aurora",
    dataset="fct_orders",
    check="No order twice",
    severity="blocking",
    holds_back=True,
    what="measured 5, must be: 0",
    examples=[
        {"order_key": "1001", "date_day": "2026-11-20"},
        {"order_key": "1002", "date_day": "2026-11-20"},
    ],
    kept=5,
    remedy="Find the copy by its other id, and mend it at the shop.",
    owner="analytics",
    runbook_url="http://airflow/runbooks/held-back-merchant",
    dag_id="transform",
    run_url=RUN,
    opened_at=NOW,
    last_seen_at=NOW,
    told_at=NOW,
    published_at=datetime(2026, 11, 21, 8, 2, tzinfo=UTC),
)
ODD = replace(
    TWICE,
    number=14,
    dataset="fct_daily_metrics",
    check="Orders are as many as on this weekday",
    severity="warning",
    holds_back=False,
    what="measured 4, must be less than or equal: 3",
    examples=[{"date_day": "2026-11-20", "orders": "12"}],
    kept=1,
    remedy="Compare with the shop.",
    runbook_url="http://airflow/runbooks/warnings",
    published_at=None,
)

BLOCKING = """\
:rotating_light: *Held back: aurora* (transform)
Nothing new of aurora is published: readers see what was published 2026-11-21 08:02 UTC.
Published as usual: nordlicht.
*#12 aurora* fct_orders: No order twice (measured 5, must be: 0)
    Since 2026-11-21 09:02 UTC, seen 3 times, last 2026-11-21 11:02 UTC.
    • date_day 2026-11-20, order_key 1001
    • date_day 2026-11-20, order_key 1002
    and 3 more in ops.failed_rows
    _Next:_ Find the copy by its other id, and mend it at the shop. · _Owner:_ analytics · \
<http://airflow/runbooks/held-back-merchant|Runbook>
*#13 aurora* fct_spend: The table is there (it is missing)
    Since 2026-11-21 09:02 UTC.
    and 12 more checks could not be evaluated because of it
    _Next:_ Build it. · _Owner:_ analytics · <http://airflow/runbooks/held-back-merchant|Runbook>
Respond within 30 minutes, by 2026-11-21 09:32 UTC. <http://airflow/dags/transform/runs/r1|Open the run>
To mute one, start `mute_incident` with its number, such as 12."""

WARNINGS = """\
:warning: *2 warnings: aurora, nordlicht* (transform)
Nothing is held back: readers see what is published.
*#14 aurora* fct_daily_metrics: Orders are as many as on this weekday (measured 4, must be less than or equal: 3)
    Since 2026-11-21 09:02 UTC.
    • date_day 2026-11-20, orders 12
    _Next:_ Compare with the shop. · _Owner:_ analytics · <http://airflow/runbooks/warnings|Runbook>
*#15 nordlicht* fct_daily_metrics: Orders are as many as on this weekday (measured 4, must be less than or equal: 3)
    Since 2026-11-21 09:02 UTC. Muted until 2026-11-23 09:02 UTC.
    • date_day 2026-11-20, orders 12
    _Next:_ Compare with the shop. · _Owner:_ analytics · <http://airflow/runbooks/warnings|Runbook>
Respond the same day, by 2026-11-22 09:02 UTC. <http://airflow/dags/transform/runs/r1|Open the run>
To mute one, start `mute_incident` with its number, such as 14."""

RESOLVED = """\
:white_check_mark: *Resolved: aurora, nordlicht* (transform)
:white_check_mark: *#12 aurora* fct_orders: No order twice: 2026-11-21 09:02 UTC to 2026-11-21 12:02 UTC
:white_check_mark: *#13 nordlicht* fct_orders: No order twice: 2026-11-21 09:02 UTC to 2026-11-21 13:02 UTC
<http://airflow/dags/transform/runs/r1|Open the run>"""


def after(hours: int) -> datetime:
    return NOW + timedelta(hours=hours)


def test_a_merchant_held_back_while_another_is_published() -> None:
    missing = {"dataset": "fct_spend", "check": "The table is there", "what": "it is missing", "remedy": "Build it."}
    incidents = [
        replace(TWICE, occurrences=3, last_seen_at=after(2)),
        replace(TWICE, number=13, **missing, examples=[], kept=0, folded=12),
    ]
    assert head(incidents, ["nordlicht"]) == BLOCKING


def test_warnings_of_a_run() -> None:
    assert head([ODD, replace(ODD, number=15, merchant_id="nordlicht", muted_until=after(48))]) == WARNINGS


def test_what_is_over() -> None:
    other = replace(TWICE, number=13, merchant_id="nordlicht", resolved_at=after(4))
    assert head([replace(TWICE, resolved_at=after(3)), other]) == RESOLVED


def test_what_is_open_comes_before_what_is_over() -> None:
    text = head([replace(TWICE, resolved_at=after(3)), replace(TWICE, number=13, merchant_id="nordlicht")])
    assert text.splitlines()[0] == ":rotating_light: *Held back: nordlicht* (transform)"
    assert text.index("#13 nordlicht") < text.index("#12 aurora")


def test_a_run_that_failed_is_no_merchants() -> None:
    failed = replace(
        TWICE, merchant_id=None, dataset="transform", check="The run ended well", what="failed: dbt.fct_orders"
    )
    first, second, *_ = head([failed]).splitlines()
    assert first == ":rotating_light: *Failed: transform* (transform)"
    assert second.startswith("Nothing new of any merchant is published")
    assert "Nothing is held back" in head([replace(failed, holds_back=False)])


def test_readers_of_a_merchant_that_was_never_published() -> None:
    assert "readers see nothing of it yet." in head([replace(TWICE, published_at=None)])


def test_data_is_never_markup() -> None:
    evil = replace(
        TWICE,
        what="<!channel> & <http://evil|here>\nanother line",
        examples=[{"name": "<@U1>"}],
        run_url="http://airflow/runs/a|b>c",
    )
    text = head([evil])
    assert "(&lt;!channel&gt; &amp; &lt;http://evil|here&gt; another line)" in text
    assert "name &lt;@U1&gt;" in text
    assert "<http://airflow/runs/a%7Cb&gt;c|Open the run>" in text


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 300), rows=st.integers(0, 20), width=st.sampled_from([1, 30, 5000]))
def test_it_is_never_too_long_and_no_link_is_cut(count: int, rows: int, width: int) -> None:
    incidents = [
        replace(
            TWICE, number=number, merchant_id=f"m{number}", what="<" * width, examples=[{"key": "&" * width}] * rows
        )
        for number in range(1, count + 1)
    ]
    text = head(incidents, [f"other {number}" for number in range(count)])
    assert len(text) <= MOST
    assert all(re.fullmatch(r"<[^<>|]+\|[^<>|]+>", found) for found in re.findall(r"<[^>]*>?", text))
    assert "<http://airflow/dags/transform/runs/r1|Open the run>" in text
    assert text.count("*#") + int(next(iter(re.findall(r"^and (\d+) more in ops.incidents", text, re.M)), 0)) == count


def test_examples_are_cut_before_incidents() -> None:
    rows = [{"order_key": str(number), "note": "x" * 50} for number in range(20)]
    few = head([replace(TWICE, examples=rows, kept=30)])
    assert few.count("•") == 20
    assert "and 10 more in ops.failed_rows" in few
    many = head([replace(TWICE, number=number, examples=rows, kept=30) for number in range(1, 6)])
    assert many.count("_Next:_") == 5
    assert "and 27 more in ops.failed_rows" in many


THREAD = """\
Now: *#12 aurora* fct_orders: No order twice (measured 5, must be: 0): date_day 2026-11-20, order_key 1001; \
date_day 2026-11-20, order_key 1002 and 3 more. <http://airflow/dags/transform/runs/r1|Open the run>
:white_check_mark: Resolved after 3 hours: *#12 aurora* fct_orders: No order twice; \
*#14 aurora* fct_daily_metrics: Orders are as many as on this weekday. \
<http://airflow/dags/transform/runs/r1|Open the run>
:arrow_right: It blocks now: *#14 aurora* fct_daily_metrics: Orders are as many as on this weekday goes on as #16, \
in #analytics-incidents. <http://airflow/dags/transform/runs/r1|Open the run>
:rotating_light: It is back: *#12 aurora* fct_orders: No order twice (measured 5, must be: 0)
Respond within 30 minutes, by 2026-11-21 09:32 UTC. <http://airflow/dags/transform/runs/r1|Open the run>
:warning: The mute is over, this is not: *#14 aurora* fct_daily_metrics: Orders are as many as on this weekday \
(measured 4, must be less than or equal: 3)
Respond the same day, by 2026-11-22 09:02 UTC. <http://airflow/dags/transform/runs/r1|Open the run>
<!channel> :hourglass: Still open after 30 minutes: *#12 aurora* fct_orders: No order twice; \
*#13 aurora* fct_orders: No order twice
_Next:_ Find the copy by its other id, and mend it at the shop. · _Owner:_ analytics · \
<http://airflow/runbooks/held-back-merchant|Runbook>"""


def test_replies_are_short() -> None:
    said = [
        replies.changed([TWICE], RUN),
        replies.resolved([replace(TWICE, resolved_at=after(3)), replace(ODD, resolved_at=after(1))], RUN),
        replies.moved([(ODD, 16)], RUN),
        replies.returned([TWICE], RUN),
        replies.unmuted([ODD], RUN),
        replies.escalated([TWICE, replace(TWICE, number=13)]),
    ]
    assert "\n".join(said) == THREAD


def test_a_reply_names_five_and_counts_the_rest() -> None:
    over = [replace(TWICE, number=number, resolved_at=after(1)) for number in range(1, 10)]
    assert "; and 4 more. <" in replies.resolved(over, RUN)


def test_a_page_says_it_in_a_line_and_links_run_and_runbook() -> None:
    event = replies.alert(replace(TWICE, what="x" * 2000))
    payload = event["payload"]
    assert payload["summary"].startswith("aurora: fct_orders: No order twice (xxx")
    assert len(payload["summary"]) == 1024
    assert (payload["severity"], payload["component"], payload["group"]) == ("critical", "fct_orders", "aurora")
    assert payload["custom_details"]["incident"] == "#12"
    assert [each["href"] for each in event["links"]] == [RUN, "http://airflow/runbooks/held-back-merchant"]
