"""Users are told by e-mail over real SMTP; without a server, or with one that refuses, nothing fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.backfill.rows import asked
from tests.operators.mail_server import Mailbox, mail_server
from tributary.operators.backfill.announcing import announce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from tributary.backfill.state import Backfill

PEOPLE = ["ann@shop.example", "ben@shop.example"]


@pytest.fixture
def backfill(connect: Callable[[], psycopg.Connection]) -> Backfill:
    with connect() as conn:
        return asked(conn, "first", "aurora", "nordlicht", reason="<b>Refunds</b> came late", rows_affected=1234)


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        extra = {"from_email": "figures@shop.example", "disable_ssl": "true", "disable_tls": "true", "timeout": 5}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": mailbox.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP", json.dumps(connection))
        yield mailbox


def test_they_read_whose_figures_changed_and_why(backfill: Backfill, mailbox: Mailbox) -> None:
    assert announce(backfill, PEOPLE) == "Told by e-mail: 2 addresses"
    assert mailbox.recipients == PEOPLE
    [message] = mailbox.messages
    assert message["subject"] == "Figures of aurora, nordlicht changed: 2026-03-02 to 2026-03-04"
    assert message["from"] == "figures@shop.example"
    body = message.get_body(("html",))
    assert body is not None
    text = body.get_content()
    for words in (
        "3 days",
        "&lt;b&gt;Refunds&lt;/b&gt; came late",
        "1,234",
        backfill.run_url,
        str(backfill.backfill_id),
    ):
        assert words in text


def test_a_server_that_refuses_or_is_gone_fails_nothing(
    backfill: Backfill, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.refuses = True
    assert "did not take it (SMTPRecipientsRefused)" in announce(backfill, PEOPLE)
    assert mailbox.messages == []
    gone = {"conn_type": "smtp", "host": "127.0.0.1", "port": 9, "extra": {"from_email": "a@b", "disable_ssl": "true"}}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP", json.dumps(gone))
    assert "did not take it (ConnectionRefusedError)" in announce(backfill, PEOPLE)


def test_nobody_is_told_without_a_server_or_without_an_address(
    backfill: Backfill, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "announce_to in include/config/policy.yaml is empty" in announce(backfill, [])
    monkeypatch.setenv("AIRFLOW_CONN_SMTP", json.dumps({"conn_type": "smtp", "host": ""}))
    assert "there is no connection 'smtp' with a host" in announce(backfill, PEOPLE)
    assert mailbox.recipients == []
