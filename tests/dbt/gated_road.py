"""The road from a fault to its message and back: a built warehouse, its gate, its readers, Slack and PagerDuty."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import requests
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from psycopg import sql
from slack_sdk import WebClient

from tests.dbt import ads, ga4, tiktok
from tests.dbt.shop import line, load, order
from tributary.channels import CHANNELS
from tributary.notify.outbox import Delivered, deliver
from tributary.notify.pagerduty import Pager
from tributary.notify.slack import Slack
from tributary.operators.gate import GateOperator
from tributary.paths import MART_CONTRACTS, RAW_CONTRACTS
from tributary.quality.incidents.observation import Run
from tributary.quality.incidents.observed import observations_of_run
from tributary.quality.incidents.settle import escalate, settle
from tributary.warehouse.manifest import read_marts
from tributary.warehouse.publish import publish
from tributary.warehouse.scope import open_build

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.dbt.conftest import Dbt

MERCHANTS = ("aurora", "nordlicht")
RUNBOOKS = "https://airflow.example.com/runbooks"
DAYS = range(2, 13)
"""How many days ago the days lie that are told of; all of them are closed."""

CONNECT = """
insert into ops.merchant_channels (merchant_id, channel, connected_at) values (%s, %s, now() - interval '30 days')
"""
READ = """
insert into ops.checkpoints (merchant_id, channel, stream, position, sync_id, read_at, as_of)
select %s, channel, stream, now(), gen_random_uuid(), now(), now() from ops.streams where channel = %s
"""
CONNECTED = {"aurora": ("shopify", "tiktok_shop", "ga4", "meta_ads", "fx"), "nordlicht": ("shopify",)}


def plant(conn: psycopg.Connection) -> None:
    """Days of two merchants to whom nothing objects: three orders each, spend, and visits of the website."""
    conn.execute("delete from ops.merchants where not merchant_id = any(%s)", ([*MERCHANTS],))
    conn.execute("insert into ops.traffic_sources values ('aurora', 'tiktok_shop', '*', 'tiktok_shop', false, null)")
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    for merchant_id, currency in (("aurora", "USD"), ("nordlicht", "EUR")):
        for days, number in ((days, number) for days in DAYS for number in range(3)):
            order_id, at = 10 * days + number, noon - timedelta(days=days, minutes=number)
            sold = line(order_id, f"{10 + number}.00", 2)
            total, person = f"{20 + 2 * number}.00", f"person{order_id}@example.com"
            load(conn, merchant_id, order(order_id, at.isoformat(), sold, total=total, email=person, currency=currency))
    account = ads.account("101")
    for days in DAYS:
        at = noon - timedelta(days=days)
        day = f"{at:%Y-%m-%d}"
        sold_there = tiktok.order(f"T{days}", at.isoformat()[:19], tiktok.unit(str(days), "12.00"))
        tiktok.load(conn, "aurora", sold_there, ga4.total(day, 5), ga4.visits(day, 5, "google", "cpc", "spring"))
        tiktok.load(conn, "aurora", *(ga4.report(name, day) for name in ("days", "sessions", "funnel_events")))
        tiktok.load(conn, "aurora", ads.read("meta_ads_campaign_days", day, account), ads.rates(day, USD="1.0873"))
        tiktok.load(conn, "aurora", ads.meta(day, account, "1", "10.00"))
    for merchant_id, channels in CONNECTED.items():
        for channel in channels:
            conn.execute(CONNECT, (merchant_id, channel))
            conn.execute(READ, (merchant_id, channel))
    conn.commit()


def build(conn: psycopg.Connection, dbt: Dbt) -> str:
    """Build all of it, without the constraints that would refuse a fault before a check sees it; returns its id."""
    opened = open_build(conn, "build", CHANNELS, everything=True)
    conn.commit()
    assert opened is not None
    assert dbt("run").success
    _loosen(conn)
    conn.commit()
    return str(opened.build_id)


def _loosen(conn: psycopg.Connection) -> None:
    constraints = """
        select format('alter table %s drop constraint %I', conrelid::regclass, conname)
        from pg_constraint
        where contype = 'p' and connamespace = 'build'::regnamespace and conrelid <> 'build.scope'::regclass
    """
    required = """
        select format('alter table build.%I alter column %I drop not null', table_name, column_name)
        from information_schema.columns where table_schema = 'build' and is_nullable = 'NO' and table_name <> 'scope'
    """
    for (statement,) in [row for query in (constraints, required) for row in conn.execute(query).fetchall()]:
        conn.execute(statement)


@dataclass
class GatedRoad:
    """One warehouse, as the tasks of `transform` and of an ingest go over it."""

    url: str
    sandbox: str
    build_id: str
    manifest: Path
    runs: int = 0
    before: dict[str, dict[str, str]] = field(default_factory=dict)
    """What each merchant's readers saw at first, mart by mart."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=2))
    """When the last run began; whatever its tasks do comes after it."""
    patience: float = 10

    def sql(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as conn:
            cursor = conn.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def admin(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.sandbox}/_admin/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def ingest(self, channel: str, datasets: Sequence[str]) -> set[str]:
        """Judge what is in raw, and report; returns who is held back there."""
        run = self._begin(f"ingest_{channel}")
        held = {merchant for merchant in MERCHANTS if not self._passes(run, merchant, RAW_CONTRACTS, "raw", datasets)}
        self._report(run, channel)
        return held

    def transform(
        self, only: Mapping[str, Sequence[str]] | None = None, merchants: Sequence[str] = MERCHANTS
    ) -> set[str]:
        """Judge what is built, publish whoever passes, and report; returns who was published.

        Of a merchant of `only` no more than these datasets are judged.
        """
        run = self._begin("transform")
        judged = {merchant: (only or {}).get(merchant) for merchant in merchants}
        passed = {one for one, datasets in judged.items() if self._passes(run, one, MART_CONTRACTS, "build", datasets)}
        for merchant in sorted(passed):
            with psycopg.connect(self.url) as conn:
                publish(conn, self.build_id, "build", merchant, self.manifest)
        self._report(run)
        return passed

    def objections(self) -> set[tuple[str, str, str]]:
        """What the last run found, of everybody: the outcome, the dataset and the check."""
        return set(
            self.sql(
                "select outcome, dataset, check_name from ops.check_results where run_id = %s and outcome <> 'passed'",
                f"run {self.runs}",
            )
        )

    def published(self, merchant: str) -> dict[str, str]:
        """What a merchant's readers see, mart by mart."""
        return self._digests("marts", merchant)

    def built(self, merchant: str) -> dict[str, str]:
        """What they would see of the build."""
        return self._digests("build", merchant)

    def heads(self) -> list[dict[str, Any]]:
        """Slack's messages that answer no other."""
        return [message for message in self.slack() if not message.get("thread_ts")]

    def replies(self, head: dict[str, Any]) -> list[dict[str, Any]]:
        return [message for message in self.slack() if message.get("thread_ts") == head["ts"]]

    def slack(self) -> list[dict[str, Any]]:
        return list(self.admin("GET", "slack/messages"))

    def alerts(self) -> list[dict[str, Any]]:
        return list(self.admin("GET", "pagerduty/alerts"))

    def deliver(self) -> Delivered:
        """Send what waits, as every run's last task does."""
        client = WebClient(token="xoxb-sandbox", base_url=f"{self.sandbox}/slack/api/", timeout=self.patience)
        with psycopg.connect(self.url) as conn:
            return deliver(conn, Slack(client), Pager("00000000000000000000000000000000", f"{self.sandbox}/pagerduty"))

    def _begin(self, dag_id: str) -> Run:
        self.runs += 1
        run_id = f"run {self.runs}"
        self.now += timedelta(minutes=1)
        return Run(dag_id, run_id, self.now, f"https://airflow.example.com/dags/{dag_id}/runs/{self.runs}", RUNBOOKS)

    def _passes(
        self, run: Run, merchant: str, contracts: Path, schema: str, datasets: Sequence[str] | None = None
    ) -> bool:
        gate = GateOperator(
            task_id="gate",
            dag=DAG(run.dag_id),
            contracts=contracts,
            schema=schema,
            merchant_id=merchant,
            datasets=datasets,
            after=RAW_CONTRACTS if contracts == MART_CONTRACTS else None,
        )
        try:
            gate.execute({"run_id": run.run_id, "ti": SimpleNamespace(xcom_push=lambda *_: None)})  # type: ignore[typeddict-item]
        except AirflowFailException:
            return False
        return True

    def _report(self, run: Run, channel: str | None = None) -> None:
        with psycopg.connect(self.url, autocommit=True) as conn:
            settle(conn, run, observations_of_run(conn, run, channel, []), self.now, pages=True)
            escalate(conn, run, self.now, pages=True)
        self.deliver()

    def _digests(self, schema: str, merchant: str) -> dict[str, str]:
        digest = sql.SQL(
            "select md5(coalesce(string_agg(one::text, '' order by one::text), '')) from {} as one"
            " where merchant_id = %s"
        )
        found = {}
        with psycopg.connect(self.url) as conn:
            for model in read_marts(self.manifest):
                query = digest.format(sql.Identifier(schema, model.name))
                found[model.name] = "".join(*conn.execute(query, (merchant,)).fetchall())
        return found
