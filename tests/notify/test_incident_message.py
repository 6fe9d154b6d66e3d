"""What a person on call reads in Slack."""

from __future__ import annotations

from tributary.notify.incident import Problem, headline, message

NEGATIVE = Problem(
    "aurora",
    "fct_daily_metrics: No closed day has negative revenue (measured 1, must be: 0)",
    remedy="Look at the day's refunds.",
    examples=[{"date_day": "2026-11-12", "revenue": "-120.00"}],
)


def test_says_what_where_and_what_next() -> None:
    text = message("transform", "http://airflow/dags/transform/runs/r1", [NEGATIVE], ["nordlicht"])
    for part in (
        "held back aurora",
        "No closed day has negative revenue",
        "date_day 2026-11-12, revenue -120.00",
        "_Next:_ Look at the day's refunds.",
        "last good figures",
        "Published as usual: nordlicht.",
        "within 30 minutes",
        "<http://airflow/dags/transform/runs/r1|",
    ):
        assert part in text


def test_names_every_merchant_once() -> None:
    assert headline("transform", [NEGATIVE, NEGATIVE, Problem("nordlicht", "x")]) == (
        "transform: held back aurora, nordlicht"
    )


def test_a_failure_of_no_merchant_does_not_claim_that_one_is_held_back() -> None:
    text = message("transform", "http://airflow/r", [Problem(None, "task dbt.core.fct_orders failed")])
    assert "task dbt.core.fct_orders failed" in text.splitlines()[0]
    assert "held back" not in text
    assert "good figures" not in text


def test_what_holds_nobody_back_says_so_by_silence() -> None:
    differing = Problem("aurora", "marts: Published days equal a rebuild (3 rows differ)", "Rebuild.", holds_back=False)
    text = message("housekeeping", "http://airflow/r", [differing])
    assert text.splitlines()[0] == f":rotating_light: *housekeeping: aurora, {differing.what}*"
    assert "good figures" not in text
    assert "the same day" in text
    assert headline("housekeeping", [differing, NEGATIVE]) == "housekeeping: held back aurora"
