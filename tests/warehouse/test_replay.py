"""Dead letters taken up again: what lands, what stays, and what a dry run tells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.warehouse.shop import ORDERS, SHOP, Vendor, changes, order, page, payload, raw, sync
from tributary.declaration import Reject
from tributary.warehouse.replay import Letters, open_letters, replay

if TYPE_CHECKING:
    import psycopg

Connect = Any

LENIENT = replace(ORDERS, max_dead_letter_rate=1)
GOOD = payload({"id": "1", "version": 3, "total": "9.90"})
NAMELESS = payload({"id": "2", "version": 1})
BAD = payload({"id": "3", "total": "x"})


@pytest.fixture
def letters(connect: Connect) -> None:
    """Three dead letters of aurora: two that are acceptable by now, one of them without a known id."""
    rejects = [Reject("1", "it was strange", GOOD), Reject(None, "no id", NAMELESS), Reject("3", "it was bad", BAD)]
    sync(connect, Vendor([page(rejects=rejects)]), stream=LENIENT)


def still_open(conn: psycopg.Connection) -> dict[str | None, str]:
    return dict(conn.execute("select record_id, reason from ops.dead_letters where resolved_at is null").fetchall())


def run(connect: Connect, **options: Any) -> Any:
    return replay(connect, Vendor(), SHOP, ORDERS, "aurora", **options)


@pytest.mark.usefixtures("letters")
def test_a_dry_run_tells_and_changes_nothing(connect: Connect, conn: psycopg.Connection) -> None:
    report = run(connect)

    assert (report.letters, report.acceptable, report.refused) == (3, 2, {"it has no version": 1})
    assert raw(conn) == {}
    assert still_open(conn) == {"1": "it was strange", None: "no id", "3": "it was bad"}


@pytest.mark.usefixtures("letters")
def test_what_passes_lands_and_what_does_not_stays(connect: Connect, conn: psycopg.Connection) -> None:
    before = conn.execute("select position, sync_id from ops.checkpoints").fetchall()

    report = run(connect, dry_run=False)

    assert (report.letters, report.acceptable) == (3, 2)
    assert raw(conn).keys() == {"1", "2"}
    assert raw(conn)["1"]["total"] == "9.90"
    assert changes(conn) == [("orders", "1", "insert"), ("orders", "2", "insert")]
    assert still_open(conn) == {"3": "it has no version"}
    assert conn.execute("select position, sync_id from ops.checkpoints").fetchall() == before
    assert run(connect, dry_run=False).letters == 1


@pytest.mark.usefixtures("letters")
def test_a_part_of_the_reason_chooses(connect: Connect, conn: psycopg.Connection) -> None:
    assert run(connect, reason="STRANGE", dry_run=False).letters == 1
    assert raw(conn).keys() == {"1"}
    assert still_open(conn).keys() == {None, "3"}


@pytest.mark.usefixtures("letters")
def test_a_newer_version_in_raw_stays(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(order("2", version=9))]))

    run(connect, dry_run=False)

    assert raw(conn)["2"]["version"] == 9
    assert still_open(conn).keys() == {"3"}


def test_what_postgresql_refuses_stays_open(connect: Connect, conn: psycopg.Connection) -> None:
    poison = b'{"id": "1", "version": 1, "note": "\\u0000"}'
    sync(connect, Vendor([page(rejects=[Reject(None, "strange", poison)])]), stream=LENIENT)
    unchecked = replace(ORDERS, replay=lambda api, body: page(replace(order("1"), payload=body)))

    replay(connect, Vendor(), SHOP, unchecked, "aurora", dry_run=False)

    assert raw(conn) == {}
    assert conn.execute("select count(*) from ops.dead_letters where resolved_at is null").fetchone() == (1,)


@pytest.mark.usefixtures("letters")
def test_open_letters_are_listed_by_what_is_asked_for(connect: Connect, conn: psycopg.Connection) -> None:
    sync(connect, Vendor([page(rejects=[Reject("1", "odd", GOOD)])]), stream=LENIENT, merchant_id="nordlicht")

    def listed(stream: str | None = None, merchant_id: str | None = None, reason: str | None = None) -> list[Letters]:
        return open_letters(conn, SHOP, stream, merchant_id, reason)

    assert listed() == [Letters("aurora", "orders", 3), Letters("nordlicht", "orders", 1)]
    assert listed(merchant_id="aurora", reason="bad") == [Letters("aurora", "orders", 1)]
    assert listed(stream="visits") == []
