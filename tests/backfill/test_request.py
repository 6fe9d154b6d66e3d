"""A request: what is wrong with it is said before anything begins, and what is asked for is made complete."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tributary.backfill.asking import request as requesting
from tributary.backfill.asking.checks import downstream_marts
from tributary.backfill.asking.policy import load_policy
from tributary.backfill.asking.request import Asked, Asker, code_version, request
from tributary.backfill.audit import move
from tributary.backfill.errors import Refused
from tributary.backfill.state import identify
from tributary.paths import POLICY
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.settings.merchants import Merchant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from tributary.backfill.state import Backfill

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHY = "Refunds came late"


def merchant(merchant_id: str, time_zone: str, *channels: str) -> Merchant:
    return Merchant(
        merchant_id=merchant_id,
        name=merchant_id.title(),
        time_zone=time_zone,
        currency="USD",
        revenue_includes_tax=False,
        history_start=date(2026, 8, 1),
        channels={channel: f"{channel}_{merchant_id}" for channel in channels},
    )


MERCHANTS = [
    merchant("aurora", "America/New_York", "shopify", "ga4", "fx"),
    merchant("kiri", "Pacific/Kiritimati", "shopify", "klaviyo"),
    merchant("bare", "UTC"),
]
ASKED = Asked(
    merchants=["aurora"],
    channels=[],
    models=[],
    first_day="2026-11-01",
    last_day="2026-11-07",
    mode="reread",
    reason=f"  {WHY} ",
    incident=None,
    is_dry_run=False,
)
REBUILD = replace(ASKED, mode="rebuild")
ASKER = Asker(user="engineer", run_type="manual", dag_id="backfill", run_id="by hand", run_url="http://x/runs/1")


@pytest.fixture
def ask(connect: Callable[[], psycopg.Connection], manifest: Path) -> Callable[..., Backfill]:
    def asking(asked: Asked = ASKED, asker: Asker = ASKER, now: datetime = NOW) -> Backfill:
        with connect() as conn:
            return request(conn, asked, asker, load_policy(POLICY), MERCHANTS, manifest, now)

    return asking


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> Any:
    with connect() as connection:
        connection.autocommit = True
        yield connection


def test_what_is_asked_for_is_made_complete_and_recorded_once(
    ask: Callable[..., Backfill], conn: psycopg.Connection, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIBUTARY_CODE_VERSION", "1.2.3")

    begun = ask(replace(ASKED, merchants=["kiri", "aurora", "kiri"], incident=" INC-1 "))

    assert begun.backfill_id == identify("backfill", "by hand")
    assert begun.build_schema == f"backfill_{begun.backfill_id.hex[:12]}"
    assert (list(begun.merchants), list(begun.channels)) == (["kiri", "aurora"], ["shopify", "klaviyo", "ga4", "fx"])
    assert list(begun.models) == [mart.name for mart in read_marts(manifest)]
    assert (begun.reason, begun.incident, begun.code_version) == (WHY, "INC-1", "1.2.3")
    assert (begun.days, begun.status, begun.step, begun.kind) == (7, "running", "request", "backfill")
    assert (begun.is_dry_run, begun.needs_approval) == (False, False)
    audited = conn.execute(
        "select status, triggered_by, merchants, date_range_start, date_range_end, channels, models_affected = %s,"
        " mode, reason, incident, code_version, error from audit.backfills",
        (begun.models,),
    ).fetchall()
    assert audited == [
        (
            *("running", "engineer", ["kiri", "aurora"], date(2026, 11, 1), date(2026, 11, 7)),
            *(["shopify", "klaviyo", "ga4", "fx"], True, "reread", WHY, "INC-1", "1.2.3", None),
        )
    ]


@pytest.mark.parametrize(
    ("models", "marts"),
    [
        (["fct_aov"], {"fct_aov"}),
        (["fct_customer_journeys"], {"fct_customer_journeys", "fct_daily_metrics"}),
        (["fct_roas", "fct_cohorts"], {"fct_roas", "fct_cac", "fct_cohorts"}),
        (["stg_ga4__funnel_events"], {"fct_funnel"}),
    ],
)
def test_models_bring_the_marts_that_are_built_from_them(
    ask: Callable[..., Backfill], models: list[str], marts: set[str]
) -> None:
    begun = ask(replace(REBUILD, models=models))
    assert set(begun.models) == marts
    assert begun.channels == []


def test_what_is_far_downstream_is_reached_in_the_manifests_order(manifest: Path) -> None:
    marts = [mart.name for mart in read_marts(manifest)]
    reached = downstream_marts(manifest, ["int_refunds"])
    assert {"fct_refunds", "fct_revenue", "fct_aov", "fct_daily_metrics", "fct_funnel"} <= set(reached)
    assert not {"fct_orders", "fct_ad_spend", "dim_products"} & set(reached)
    assert reached == [mart for mart in marts if mart in reached]


LONG = "x" * 101
MISTAKES: list[tuple[Asked, str]] = [
    (replace(ASKED, merchants=[]), r"merchants is empty\): .* Choose one or several of aurora, kiri, bare\."),
    (replace(ASKED, merchants=["aurora", "nobody"]), r"merchants is 'nobody'\): .* Choose one or several of aurora, k"),
    (replace(ASKED, first_day=None), r"start_date is empty\): it is no day\. Give a day such as 2026-08-01\."),
    (replace(ASKED, first_day="1 Nov"), r"start_date is '1 Nov'\): it is no day"),
    (replace(ASKED, last_day="2026-11-31"), r"end_date is '2026-11-31'\): it is no day"),
    (
        replace(ASKED, last_day="2026-10-31"),
        r"end_date is '2026-10-31'\): it is before start_date, 2026-11-01\. Give",
    ),
    (
        replace(ASKED, last_day="2026-11-21"),
        r"end_date is '2026-11-21'\): it lies in the future: aurora has 2026-11-20 now .*\. Give 2026-11-20 or an earl",
    ),
    (
        replace(ASKED, first_day="2026-07-31"),
        r"start_date is '2026-07-31'\): the history of aurora begins on 2026-08-01\. Give 2026-08-01 or a later day\.",
    ),
    (
        replace(ASKED, channels=["shopify", "klaviyo"]),
        r"channels is 'klaviyo'\): of aurora none has it\. Choose among shopify, ga4, fx, or leave it empty",
    ),
    (replace(ASKED, merchants=["bare"]), r"channels is empty\): .* no channel to read again\. Choose mode rebuild\."),
    (
        replace(REBUILD, channels=["shopify"]),
        r"channels is 'shopify'\): mode rebuild asks no vendor\. Leave channels",
    ),
    (
        replace(ASKED, models=["fct_orders"]),
        r"models is 'fct_orders'\): .* all marts\. Leave models empty, or choose",
    ),
    (
        replace(REBUILD, models=["fct_order"]),
        r"models is 'fct_order'\): there is none of that name\. Give names",
    ),
    (
        replace(REBUILD, models=["day_over_day"]),
        r"models is 'day_over_day'\): no mart is built from it.* Choose a",
    ),
    (replace(ASKED, mode="restore"), r"mode is 'restore'\): .* Choose one of reread, rebuild\."),
    (replace(ASKED, reason="  Because.   "), r"reason is 'Because\.'\): it is too short\. Say why in 10 characters or"),
    (replace(ASKED, reason="x" * 501), r"reason is 'x{60}\.\.\.'\): it is too long\. Say why in up to 500 characters"),
    (replace(ASKED, reason=f"{WHY} of ann@shop.example"), r"reason names somebody\): .* without e-mail addresses"),
    (replace(ASKED, incident="   "), r"incident is '   '\): it is blank\. Give a reference such as INC-4711, or leave"),
    (replace(ASKED, incident=LONG), r"incident is 'x{60}\.\.\.'\): it is too long\. Give up to 100 characters\."),
    (replace(ASKED, incident="ann@shop.example"), r"incident names somebody\): .* without the character @"),
    (replace(ASKED, merchants=["ann@shop.example"]), r"merchants is .*not kept.*\): .* Choose one or several"),
]


@pytest.mark.parametrize(("asked", "message"), MISTAKES)
def test_a_mistake_names_the_field_the_value_and_the_remedy_and_is_audited(
    ask: Callable[..., Backfill], conn: psycopg.Connection, asked: Asked, message: str
) -> None:
    with pytest.raises(Refused, match=message) as refused:
        ask(asked)

    (row,) = conn.execute("select status, error, reason, incident, to_jsonb(b)::text from audit.backfills b").fetchall()
    assert row[:2] == ("refused", str(refused.value))
    assert "shop.example" not in row[4]
    assert len(row[2]) <= 500
    assert (conn.execute("select status from ops.backfills").fetchall()) == [("refused",)]


def test_what_a_manager_may_not_is_said_before_what_is_wrong_with_an_automatic_run(
    ask: Callable[..., Backfill],
) -> None:
    with pytest.raises(Refused, match="scheduled and automatic triggers"):
        ask(replace(ASKED, merchants=[]), replace(ASKER, run_type="scheduled"))


@pytest.mark.parametrize(
    ("merchants", "now", "last_day", "is_allowed"),
    [
        (["aurora"], datetime(2026, 11, 20, 4, 59, tzinfo=UTC), "2026-11-19", True),
        (["aurora"], datetime(2026, 11, 20, 4, 59, tzinfo=UTC), "2026-11-20", False),
        (["aurora"], datetime(2026, 11, 20, 5, 0, tzinfo=UTC), "2026-11-20", True),
        (["kiri"], datetime(2026, 11, 20, 9, 59, tzinfo=UTC), "2026-11-21", False),
        (["kiri"], datetime(2026, 11, 20, 10, 0, tzinfo=UTC), "2026-11-21", True),
        (["kiri", "aurora"], datetime(2026, 11, 20, 10, 0, tzinfo=UTC), "2026-11-21", False),
    ],
)
def test_today_is_each_merchants_own(
    ask: Callable[..., Backfill], merchants: list[str], now: datetime, last_day: str, is_allowed: bool
) -> None:
    asked = replace(ASKED, merchants=merchants, first_day=last_day, last_day=last_day)
    if is_allowed:
        assert ask(asked, now=now).days == 1
    else:
        with pytest.raises(Refused, match="lies in the future"):
            ask(asked, now=now)


def test_history_reaches_as_far_back_as_the_warehouses(ask: Callable[..., Backfill], conn: psycopg.Connection) -> None:
    conn.execute(
        "insert into ops.merchants (merchant_id, name, time_zone, currency, revenue_includes_tax, history_start)"
        " values ('aurora', 'Aurora', 'UTC', 'USD', false, '2026-07-15')"
    )
    early = replace(ASKED, first_day="2026-07-15", last_day="2026-07-15")
    assert ask(early).first_day == date(2026, 7, 15)
    with pytest.raises(Refused, match="begins on 2026-07-15"):
        ask(replace(early, first_day="2026-07-14"), replace(ASKER, run_id="another"))


def test_a_task_that_is_tried_again_finds_what_it_began(ask: Callable[..., Backfill], conn: psycopg.Connection) -> None:
    assert ask() == ask(replace(ASKED, reason="Something else entirely"))
    assert conn.execute("select status, reason from audit.backfill_events").fetchall() == [("running", WHY)]


def test_a_refusal_that_is_tried_again_is_the_same_and_recorded_once(
    ask: Callable[..., Backfill], conn: psycopg.Connection
) -> None:
    asker, said = replace(ASKER, user="analyst"), []
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            ask(asker=asker)
        said.append(str(refused.value))
    rule = "in production an analyst may run nothing, dry runs included"
    assert said == [f"Refused ({rule}): 'analyst' asked for 7 days. Ask an engineer."] * 2
    assert conn.execute("select error from audit.backfill_events").fetchall() == [(said[0],)]


@pytest.mark.parametrize("status", ["dry run", "failed", "published"])
def test_a_run_that_is_over_does_not_begin_again(
    ask: Callable[..., Backfill], conn: psycopg.Connection, status: Any
) -> None:
    begun = ask()
    move(conn, begun.backfill_id, status)
    with pytest.raises(Refused, match=rf"{begun.short} is over: {status}\. Trigger a new run instead of clearing"):
        ask()
    assert conn.execute("select status from audit.backfill_events order by event_id").fetchall() == [
        ("running",),
        (status,),
    ]


def test_the_code_has_a_version_where_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRIBUTARY_CODE_VERSION", "1.2.3")
    assert code_version() == "1.2.3"

    monkeypatch.delenv("TRIBUTARY_CODE_VERSION")
    monkeypatch.setattr(requesting, "ROOT", tmp_path)
    assert code_version() is None
    (tmp_path / ".git").write_text("no repository")
    assert code_version() is None
    (tmp_path / ".git").unlink()
    for words in ("init -q", "-c user.name=x -c user.email=x@x commit -q --allow-empty -m x"):
        subprocess.run(["git", "-C", str(tmp_path), *words.split()], check=True)
    head = subprocess.run(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    version = code_version()
    assert version
    assert head.stdout.startswith(version)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_version() is None
