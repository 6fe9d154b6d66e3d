"""The banner: whose figures are being reprocessed, on everyone's home page, whatever somebody wrote as the reason."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from fastapi import FastAPI
from markdown_it import MarkdownIt
from psycopg.conninfo import conninfo_to_dict
from starlette.testclient import TestClient

from tests.backfill.rows import asked, let_expire
from tests.warehouse.shop import add_merchants, merchant
from tributary.backfill import lease
from tributary.backfill.banner import plain, reprocessing
from tributary.local.environment import LOCAL_SETTINGS, Installation, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType


class Page(HTMLParser):
    """What a page of HTML shows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


ENDS = "Figures are the last published ones until it ends."


@pytest.fixture
def conn(warehouse_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        add_merchants(connection, merchant(), merchant("nordlicht", "Europe/Berlin"), merchant("kumo", "Asia/Tokyo"))
        yield connection


@pytest.fixture
def settings(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file as Airflow imports it, with a connection in Airflow's own form."""
    spec = importlib.util.spec_from_file_location("airflow_local_settings", LOCAL_SETTINGS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    connect_to(monkeypatch, warehouse_url)
    return module


def connect_to(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    known = conninfo_to_dict(url)
    connection = {
        "conn_type": "postgres",
        "host": known["host"],
        "port": int(known["port"] or 0),
        "login": known["user"],
        "password": known.get("password"),
        "schema": known["dbname"],
    }
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))


def texts(settings: ModuleType) -> list[str]:
    return [alert.text for alert in settings.DASHBOARD_UIALERTS]


def test_tells_whose_figures_are_reprocessed_since_when_by_whom_and_why(conn: psycopg.Connection) -> None:
    assert reprocessing(conn) == []
    both, alone = asked(conn, "both", "nordlicht", "aurora"), asked(conn, "alone", "kumo", requested_by="mia")
    lease.take(conn, both)
    lease.take(conn, alone)
    conn.execute("update ops.leases set since = '2026-11-21 10:02+00' where merchant_id <> 'kumo'")
    conn.execute("update ops.leases set since = now() - interval '1 hour' where merchant_id = 'kumo'")
    begun = conn.execute("select to_char((now() - interval '1 hour') at time zone 'UTC', 'HH24:MI')").fetchone()
    assert begun is not None
    why = r"(2026-03-02 to 2026-03-04) by {}: Orders of the first week are missing"
    first, second = reprocessing(conn)
    assert first == (
        f"**aurora**, **nordlicht** are being reprocessed since 2026-11-21 10:02 UTC {why.format('engineer')}. {ENDS}"
    )
    assert second == f"**kumo** is being reprocessed since {begun[0]} UTC {why.format('mia')}. {ENDS}"

    lease.release(conn, both.backfill_id)
    let_expire(conn, alone)
    assert reprocessing(conn) == []


@pytest.mark.parametrize(
    "text",
    [
        "# Not a title",
        "<script>alert(1)</script> & <img src=x onerror=alert(1)>",
        "[press](javascript:alert(1)) ![x](https://evil.example/x.png) <https://evil.example>",
        "see https://evil.example, www.evil.example or mail@evil.example",
        "a\n\n* b\n\n```\nc\n``` **d** _e_ ~~f~~ | g | &lt; \\",
    ],
)
def test_somebodys_text_reads_as_it_was_written(text: str) -> None:
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
    page = Page(markdown.render(plain(text)))
    assert page.tags == ["p"]
    assert page.text.strip().replace("\u200b", "") == " ".join(text.split())
    assert not [linked for linked in ("https://e", "www.e", "mail@e") if linked in page.text]


def test_airflow_asks_the_warehouse_and_not_for_every_page(
    conn: psycopg.Connection, settings: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(settings.time, "monotonic", lambda: now)
    lease.take(conn, asked(conn))
    (text,) = texts(settings)
    assert text.startswith("**aurora** is being reprocessed since ")
    assert [alert.category for alert in settings.DASHBOARD_UIALERTS] == ["warning"]

    conn.execute("delete from ops.leases")
    now += settings.LASTS - 1
    assert texts(settings) == [text]
    now += 1
    assert texts(settings) == []


def test_a_warehouse_that_does_not_answer_leaves_the_home_page_as_it_is(
    conn: psycopg.Connection,
    warehouse_url: str,
    settings: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 1000.0
    monkeypatch.setattr(settings.time, "monotonic", lambda: now)
    lease.take(conn, asked(conn))
    connect_to(monkeypatch, "postgresql://nobody:secret@127.0.0.1:9/none")
    for _ in range(3):
        assert texts(settings) == []
        now += settings.LASTS
    assert [record.getMessage() for record in caplog.records if record.name == "airflow_local_settings"] == [
        "The home page cannot tell what is being reprocessed: OperationalError"
    ]
    assert "secret" not in caplog.text
    connect_to(monkeypatch, warehouse_url)
    assert len(texts(settings)) == 1


def test_airflows_own_page_shows_it(
    conn: psycopg.Connection, settings: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.core_api.routes.ui import config

    monkeypatch.setattr(config, "DASHBOARD_UIALERTS", settings.DASHBOARD_UIALERTS)
    server = FastAPI()
    server.get("/config")(config.get_configs)
    lease.take(conn, asked(conn))
    (shown,) = TestClient(server).get("/config").json()["dashboard_alert"]
    assert shown["category"] == "warning"
    assert shown["text"].startswith("**aurora** is being reprocessed since ")


def test_every_process_of_airflow_can_import_it_without_cost() -> None:
    code = "import sys, airflow_local_settings; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=LOCAL_SETTINGS.parent, capture_output=True, text=True)
    loaded = ran.stdout.split()
    assert "airflow_local_settings" in loaded
    assert not {"airflow", "tributary", "psycopg"} & set(loaded)


def test_a_local_installation_has_it_where_airflow_looks(tmp_path: Path) -> None:
    prepare(Installation(tmp_path))
    config = tmp_path / "airflow" / "config"
    assert [path.read_bytes() for path in config.iterdir()] == [LOCAL_SETTINGS.read_bytes()]
