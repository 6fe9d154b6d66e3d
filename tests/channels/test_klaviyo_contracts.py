"""All eight streams of Klaviyo together: what is declared, and what the contracts on raw notice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from sandbox.app import create_app
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.contracts import objections
from tests.channels.klaviyo_client import klaviyo_clients
from tests.channels.klaviyo_road import Road
from tests.channels.shopify_sandbox import NOW, Sandbox
from tributary.channels.klaviyo.api import REVISION
from tributary.channels.klaviyo.streams import KLAVIYO

if TYPE_CHECKING:
    from collections.abc import Iterator

HISTORY = datetime(2026, 10, 30, tzinfo=UTC)
STREAMS = [stream.name for stream in KLAVIYO.streams]
_LATER = "(current_date - date '2026-11-20')"
# The frozen account's days as if its present were this machine's: contracts look at the last days. An id takes a
# detour, because the later of two days must not meet the earlier one on its way.
_SHIFT = f"update raw.klaviyo_{{}} set event_at = event_at + make_interval(days => {_LATER})"
_SHIFT_DAYS = f"""
update raw.klaviyo_{{0}} set record_id = '>' || (left(record_id, 10)::date + {_LATER})::text || substr(record_id, 11);
update raw.klaviyo_{{0}} set record_id = substr(record_id, 2);
update raw.klaviyo_{{0}} set payload = payload || jsonb_build_object('date', left(record_id, 10));
"""


@pytest.fixture(scope="module")
def synced(postgres_server_url: str, migrated_database: str, shared_warehouse: str) -> str:
    """A warehouse with everything that three weeks of the account give."""
    with (
        serve(create_app(Settings(first_day=HISTORY.date(), frozen_at=NOW, klaviyo_rate=1000))) as url,
        klaviyo_clients(f"{url}/klaviyo", []) as make,
    ):
        road = Road("aurora", Sandbox(url), lambda: psycopg.connect(shared_warehouse), make, start=HISTORY)
        for name in STREAMS:
            report = road.sync(name)
            assert report.position == NOW
            assert road.letters(name) == []
    with psycopg.connect(shared_warehouse) as conn:
        for name in STREAMS:
            if name in ("days", "flow_values"):
                conn.execute(_SHIFT_DAYS.format(name).encode())
            conn.execute(_SHIFT.format(name).encode())
    return shared_warehouse


@pytest.fixture
def conn(synced: str) -> Iterator[psycopg.Connection]:
    """What a test does to it is undone."""
    with psycopg.connect(synced) as conn:
        yield conn
        conn.rollback()


def test_the_declaration_is_whole() -> None:
    assert len(STREAMS) == len(set(STREAMS)) == 8
    assert {stream.api_version for stream in KLAVIYO.streams} == {REVISION}
    assert {stream.name for stream in KLAVIYO.streams if stream.write == "replace_slice"} == {
        "campaign_values",
        "flow_values",
    }
    quiet = {name for stream in KLAVIYO.streams for name in stream.quiet}
    assert quiet == {"metrics", "campaigns", "flows", "profiles"}


@pytest.mark.parametrize("stream", STREAMS)
def test_what_the_account_sends_passes_its_contract(conn: psycopg.Connection, stream: str) -> None:
    assert conn.execute(f"select count(*) >= 3 from raw.klaviyo_{stream}".encode()).fetchone() == (True,)
    assert objections(conn, f"klaviyo_{stream}") == []


def lacks(path: str) -> str:
    return f"payload #- '{{{path}}}'"


def says(path: str, value: str) -> str:
    return f"jsonb_set(payload, '{{{path}}}', '{value}')"


DELIVERED, VALUE = lacks("row,statistics,delivered"), lacks("row,statistics,conversion_value")
MESSAGE = lacks("event,attributes,event_properties")
NAME = lacks("campaign,attributes,name")
STATUS = lacks("campaign,attributes,status")
OPENS = says("row,statistics,opens_unique", "1e9")


@pytest.mark.parametrize(
    ("stream", "outcome", "check", "damage"),
    [
        ("metrics", "failed", "Every metric has its id", lacks("id")),
        ("metrics", "failed", "Less than a tenth of metrics lack their name", lacks("attributes,name")),
        ("campaigns", "failed", "Every campaign is of a channel that is known", says("channel", '"fax"')),
        ("campaigns", "failed", "Every campaign has its id", lacks("campaign,id")),
        ("campaigns", "warned", "Less than a tenth of campaigns lack their name", NAME),
        ("campaigns", "failed", "Less than a tenth of campaigns lack their status", STATUS),
        ("campaigns", "warned", "A campaign that was sent says when", lacks("campaign,attributes,send_time")),
        ("flows", "failed", "Every flow has its id", lacks("id")),
        ("flows", "warned", "Less than a fifth of flows lack their name", lacks("attributes,name")),
        ("flows", "warned", "Less than a fifth of flows lack their status", lacks("attributes,status")),
        ("profiles", "failed", "Every profile has its id", lacks("id")),
        ("profiles", "warned", "Less than half of profiles lack their e-mail", lacks("attributes,email")),
        ("events", "failed", "Every event has its id", lacks("event,id")),
        ("events", "failed", "Every event has its metric's name", says("metric", '""')),
        ("events", "warned", "Less than a tenth of events lack their profile", lacks("event,relationships")),
        ("events", "warned", "Less than a tenth of messages' events lack their message", MESSAGE),
        ("days", "failed", "Every day stands under its date", says("date", '"2026-01-01"')),
        ("days", "warned", "Every day has its conversions", lacks("count")),
        ("campaign_values", "failed", "Every row is of the message in its id", lacks("row,groupings")),
        ("campaign_values", "failed", "Less than a tenth of messages lack what was delivered", DELIVERED),
        ("campaign_values", "warned", "Less than a tenth of messages lack their conversions' value", VALUE),
        ("campaign_values", "warned", "No message was opened by more people than it reached", OPENS),
        ("flow_values", "failed", "Every row is of the day and the message in its id", lacks("date")),
        ("flow_values", "failed", "Less than a tenth of rows lack what was delivered", DELIVERED),
        ("flow_values", "warned", "Less than a tenth of rows lack their conversions' value", VALUE),
    ],
)  # fmt: skip
def test_what_a_contract_is_for(conn: psycopg.Connection, stream: str, outcome: str, check: str, damage: str) -> None:
    conn.execute(f"update raw.klaviyo_{stream} set payload = {damage}".encode())
    assert (outcome, check) in objections(conn, f"klaviyo_{stream}")


@pytest.mark.parametrize(
    ("stream", "what"),
    [
        ("profiles", "profile's creation"),
        ("events", "event"),
        ("days", "day"),
        ("campaign_values", "campaign's sending"),
        ("flow_values", "day"),
    ],
)
def test_what_lies_ahead_is_noticed(conn: psycopg.Connection, stream: str, what: str) -> None:
    conn.execute(f"update raw.klaviyo_{stream} set event_at = now() + interval '3 days'".encode())
    assert ("failed", f"No {what} lies ahead") in objections(conn, f"klaviyo_{stream}")
