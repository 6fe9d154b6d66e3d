"""Bringing a warehouse up to date: alone, at once, again, and without the rights."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.conftest import new_database
from tests.warehouse.shop import ORDERS, SHOP
from tributary.warehouse import migrate as migrating
from tributary.warehouse.migrate import MIGRATIONS, MigrationError, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def tables(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as conn:
        return conn.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('raw', 'ops') order by 1, 2"
        ).fetchall()


def indexes(url: str) -> set[str]:
    with psycopg.connect(url) as conn:
        rows = conn.execute("select indexdef from pg_indexes where tablename = 'shop_orders'").fetchall()
    return {definition.split("USING ")[1] for (definition,) in rows}


def test_repeating_it_changes_nothing(warehouse_url: str) -> None:
    before = tables(warehouse_url), indexes(warehouse_url)
    migrate(warehouse_url, [SHOP])
    assert (tables(warehouse_url), indexes(warehouse_url)) == before
    assert ("raw", "shop_refunds") in before[0]


def test_calls_at_once_queue_up(postgres_server_url: str) -> None:
    with new_database(postgres_server_url) as url:
        errors: list[Exception] = []

        def run() -> None:
            try:
                migrate(url, [SHOP])
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert ("raw", "shop_orders") in tables(url)


def test_an_edited_identity_gets_a_new_index(warehouse_url: str) -> None:
    assert any("customer" in index for index in indexes(warehouse_url))
    edited = replace(ORDERS, identities={"email": "lower(payload ->> 'contact')"})
    migrate(warehouse_url, [replace(SHOP, streams=(edited,))])
    assert not any("customer" in index for index in indexes(warehouse_url))
    assert any("contact" in index for index in indexes(warehouse_url))


@pytest.fixture
def owner_url(postgres_server_url: str) -> Iterator[str]:
    """A database whose owner is no superuser."""
    owner = f"test_owner_{uuid4().hex[:8]}"
    with new_database(postgres_server_url) as url, psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL("create role {} login password 'secret'").format(sql.Identifier(owner)))
        conn.execute(
            sql.SQL("alter database {} owner to {}").format(sql.Identifier(conn.info.dbname), sql.Identifier(owner))
        )
        yield f"postgresql://{owner}:secret@{conn.info.host}:{conn.info.port}/{conn.info.dbname}"
        conn.execute(sql.SQL("drop owned by {} cascade").format(sql.Identifier(owner)))
        conn.execute(sql.SQL("alter database {} owner to current_user").format(sql.Identifier(conn.info.dbname)))
        conn.execute(sql.SQL("drop role {}").format(sql.Identifier(owner)))


def test_without_the_rights_it_says_which_are_missing(owner_url: str, conn: psycopg.Connection) -> None:
    with pytest.raises(MigrationError, match=r"user 'test_owner_\w+' may not migrate .*createrole") as refused:
        migrate(owner_url, [SHOP])
    assert "secret" not in str(refused.value)


def test_an_owner_whom_a_superuser_made_a_member_needs_no_more(
    owner_url: str, conn: psycopg.Connection, migrated_database: str
) -> None:
    owner = owner_url.split("//")[1].split(":")[0]
    conn.execute(sql.SQL("grant tributary_pipeline, tributary_audit to {}").format(sql.Identifier(owner)))
    migrate(owner_url, [SHOP])
    with psycopg.connect(owner_url) as owned:
        assert owned.execute("select count(*) from raw.shop_orders").fetchone() == (0,)
        key = owned.execute("select ops.customer_key('aurora', 'a@x')").fetchone()
        assert owned.execute("select ops.customer_key('nordlicht', 'a@x')").fetchone() != key
        assert owned.execute("select ops.customer_key('aurora', 'a@x')").fetchone() == key


def test_each_warehouse_has_its_own_secret(postgres_server_url: str) -> None:
    keys = set()
    for _ in range(2):
        with new_database(postgres_server_url) as url:
            migrate(url, [])
            with psycopg.connect(url) as conn:
                keys.add(conn.execute("select ops.customer_key('aurora', 'a@x')").fetchone())
    assert len(keys) == 2
    assert all(key and len(key[0]) == 64 for key in keys)


def test_an_older_warehouse_keeps_what_it_knew(
    postgres_server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "older"
    older.mkdir()
    for migration in MIGRATIONS.glob("*.sql"):
        if migration.name < "0011":
            shutil.copy(migration, older)
    with new_database(postgres_server_url) as url:
        with monkeypatch.context() as patch:
            patch.setattr(migrating, "MIGRATIONS", older)
            patch.setattr(migrating, "_declare_streams", lambda *_: None)
            migrate(url, [SHOP])
        with psycopg.connect(url) as conn:
            conn.execute("""
                insert into ops.check_results (run_id, merchant_id, dataset, check_name, level, outcome, measured)
                values ('old', 'aurora', 'fct_orders', 'No order is there twice', 'fail', 'failed', '2 rows');
                insert into ops.checkpoints values ('aurora', 'shop', 'orders', '2026-01-01', gen_random_uuid());
            """)
        migrate(url, [SHOP])
        with psycopg.connect(url) as conn:
            results = conn.execute("select run_id, measured, runbook, root from ops.check_results").fetchall()
            assert results == [("old", "2 rows", None, None)]
            assert conn.execute("select stream, read_at from ops.checkpoints").fetchall() == [("orders", None)]
            assert conn.execute("select * from ops.open_incidents").fetchall() == []


def test_open_incidents_are_for_the_pipeline_only(conn: psycopg.Connection) -> None:
    conn.execute("""
        insert into ops.incidents (
            dataset, check_name, severity, status, holds_back, what, dag_id, run_id, run_url, run_started_at, opened_at,
            last_seen_at, muted_until, occurrences
        )
        select
            about, 'a check', severity, status, false, '', '', '', '', now(), at::timestamptz, now(),
            now() + muted::interval, 3
        from (values
            ('a warning', 'warning', 'open', '2026-01-01', '1 hour'),
            ('blocking', 'blocking', 'open', '2026-01-03', '-1 hour'),
            ('blocking before', 'blocking', 'open', '2026-01-02', null),
            ('over', 'blocking', 'resolved', '2026-01-01', null)
        ) as incident (about, severity, status, at, muted)
    """)
    shown = conn.execute("select dataset, check_name, times, muted_until > now() from ops.open_incidents").fetchall()
    assert shown == [
        ("blocking before", "a check", 3, None),
        ("blocking", "a check", 3, None),
        ("a warning", "a check", 3, True),
    ]
    readers = conn.execute("""
        select rolname from pg_roles
        where rolname like 'tributary%' and has_table_privilege(rolname, 'ops.open_incidents', 'select')
    """)
    assert readers.fetchall() == [("tributary_pipeline",)]
