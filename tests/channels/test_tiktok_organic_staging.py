"""TikTok's organic connection as Airflow sees it, and its readings as staging and their contract do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import psycopg
import pytest
from airflow.sdk.crypto import get_fernet
from cryptography.fernet import Fernet

from tests.channels.contracts import objections
from tests.channels.shopify_sandbox import NOW
from tests.channels.staging import staged
from tests.conftest import new_database
from tributary.channels.tiktok_organic.api import TikTokOrganicApi
from tributary.channels.tiktok_organic.hook import TikTokOrganicHook
from tributary.channels.tiktok_organic.refusals import explain
from tributary.channels.tiktok_organic.streams import TIKTOK_ORGANIC, VIDEOS
from tributary.http import Budget, HttpClient, Redactor
from tributary.provider import get_provider_info
from tributary.warehouse.sync import sync_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.channels.shopify_sandbox import Sandbox

SECRETS = ("sandbox_client_secret_aurora_0123456789", "rft.sandbox_organic_aurora_0")
LIST = "/open_api/v1.3/business/video/list/"


class FirstToken:
    """The sandbox's first access token."""

    def value(self) -> str:
        return "act.sandbox_organic_aurora_0"

    def renew(self, refused: str) -> bool:
        return False


@pytest.fixture(scope="module")
def synced(postgres_server_url: str, migrated_database: str, sandbox: Sandbox) -> Iterator[str]:
    """A warehouse with one reading, as if it were of today."""
    client = HttpClient(
        redact=Redactor(),
        budgets={"videos": Budget(rate=1e9, capacity=1e9)},
        explain=explain,
        now=lambda: NOW,
    )
    api = TikTokOrganicApi(client, sandbox.url, "sandbox_business_aurora", FirstToken(), lambda: NOW)
    with new_database(postgres_server_url, template=migrated_database) as url:
        sync_stream(lambda: psycopg.connect(url), api, TIKTOK_ORGANIC, VIDEOS, "aurora", NOW, NOW)
        sync_stream(lambda: psycopg.connect(url), api, TIKTOK_ORGANIC, VIDEOS, "nordlicht", NOW, NOW.replace(day=1))
        with psycopg.connect(url) as conn:
            conn.execute(
                """
                update raw.tiktok_organic_videos
                set
                    record_id = split_part(record_id, '/', 1) || '/' || current_date,
                    event_at = (current_date + time '12:00') at time zone 'UTC',
                    payload = jsonb_set(payload, '{date}', to_jsonb(current_date::text))
                """
            )
        yield url
    api.close()


@pytest.fixture
def conn(synced: str) -> Iterator[psycopg.Connection]:
    """What a test does to the data is undone."""
    with psycopg.connect(synced) as conn:
        yield conn
        conn.rollback()


def test_staging_types_every_counter_and_leaves_out_none(conn: psycopg.Connection) -> None:
    odd = '{"favorites": 7, "likes": null, "create_time": 1763000000}'
    conn.execute(
        "update raw.tiktok_organic_videos set payload = jsonb_set(payload, '{video}', payload -> 'video' || %s::jsonb)"
        " where record_id = (select min(record_id) from raw.tiktok_organic_videos)",
        (odd,),
    )
    rows = sorted(staged(conn, "tiktok_organic", "videos"), key=lambda row: str(row["video_id"]))
    told = conn.execute(
        "select record_id, event_at, payload -> 'video' from raw.tiktok_organic_videos order by record_id"
    ).fetchall()
    assert len(rows) == len(told) > 4
    for row, (record_id, event_at, video) in zip(rows, told, strict=True):
        assert (row["record_id"], row["video_id"]) == (record_id, video["item_id"])
        assert (row["measured_at"], row["share_url"]) == (event_at, video["share_url"])
        assert int(row["posted_at"].timestamp()) == int(video["create_time"])
        assert row["views"] == video["video_views"]
        for name in ("likes", "comments", "shares", "favorites"):
            assert row[name] == video[name]
    assert (rows[0]["favorites"], rows[0]["likes"]) == (7, None)


def test_what_tiktok_sends_passes_its_contract(conn: psycopg.Connection) -> None:
    assert objections(conn, "tiktok_organic_videos") == []


@pytest.mark.parametrize(
    ("outcome", "check", "damage"),
    [
        ("failed", "Every reading is of the day in its id", "record_id = record_id || '0'"),
        ("failed", "Every reading is of the day in its id", "payload = payload - 'date'"),
        ("failed", "Every reading is of the day in its id", "payload = payload #- '{video,item_id}'"),
        ("failed", "Every reading is of the day in its id", "event_at = event_at - interval '1 day'"),
        ("warned", "Less than half of readings lack their saves", "payload = payload #- '{video,favorites}'"),
    ],
)
def test_what_the_contract_is_for(conn: psycopg.Connection, outcome: str, check: str, damage: str) -> None:
    conn.execute(f"update raw.tiktok_organic_videos set {damage}")
    assert objections(conn, "tiktok_organic_videos") == [(outcome, check)]


@pytest.fixture
def connect(
    sandbox: Sandbox, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., TikTokOrganicHook]]:
    """A hook over a connection that lives in the environment, with a key to encrypt its tokens."""
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    get_fernet.cache_clear()

    def make(**changes: Any) -> TikTokOrganicHook:
        secret, refresh_token = SECRETS
        extra = {"business_id": "sandbox_business_aurora", "refresh_token": refresh_token, "api_host": sandbox.url}
        extra = {name: changes.pop(name, value) for name, value in extra.items()}
        fields = {"conn_type": "tiktok_organic", "login": "sandbox_client", "password": secret, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_ORGANIC_TEST", json.dumps(fields | changes))
        return TikTokOrganicHook("tiktok_organic_test")

    yield make
    get_fernet.cache_clear()


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("login", "has no login; put in the app's client id"),
        ("password", "has no password; put in the app's secret"),
        ("refresh_token", "has no extra field refresh_token; put in the account's refresh token"),
        ("business_id", "has no extra field business_id; put in the account's open_id"),
    ],
)
def test_a_missing_field_is_named(connect: Callable[..., TikTokOrganicHook], field: str, words: str) -> None:
    hook = connect(**{field: " "})
    works, message = hook.test_connection()
    assert not works
    assert message == f"Connection 'tiktok_organic_test' {words}."
    with pytest.raises(ValueError, match=words):
        hook.get_conn()


def test_a_wrong_secret_is_told_and_not_shown(connect: Callable[..., TikTokOrganicHook]) -> None:
    works, message = connect(password="not the secret at all").test_connection()
    assert not works
    assert re.search("cannot be renewed: TikTok refuses with 40006.*client id and secret", message)
    assert "not the secret" not in message
    assert SECRETS[1] not in message


def test_the_test_button_says_what_a_sync_would_find(
    connect: Callable[..., TikTokOrganicHook], sandbox: Sandbox
) -> None:
    """One test, because the sandbox's only refresh token is used up by it, as it would be by a person."""
    hook = connect()
    assert hook.test_connection() == (True, "Connected: TikTok shows the account's videos with their saves.")
    bare = {"data": {"videos": {"*": {"favorites": None}}}}
    for kind, options, expected in (
        ("merged", {"merge": bare}, (True, "switch on Analytics")),
        ("merged", {"merge": {"data": {"videos": []}}}, (True, "has no videos yet")),
        ("throttled", {"body": {"code": 40130, "message": "no", "request_id": "7"}}, (False, "video.insights")),
        ("merged", {"merge": {"data": {"videos": {"*": {"favorites": "x"}}}}}, (False, "favorites")),
    ):
        sandbox.fault(kind, route=LIST, **options)
        works, message = hook.test_connection()
        assert works == expected[0]
        assert expected[1] in message
    assert hook.get_conn() is hook.get_conn()
    assert hook.get_conn().videos(None).payloads


def test_the_form_shows_no_secret_and_takes_what_the_hook_reads(connect: Callable[..., TikTokOrganicHook]) -> None:
    kinds = {kind["connection-type"]: kind for kind in get_provider_info()["connection-types"]}
    fields = kinds["tiktok_organic"]["conn-fields"]
    assert fields["refresh_token"]["schema"]["format"] == "password"
    given = connect().get_connection("tiktok_organic_test").extra_dejson
    assert set(given) == set(fields)
    for name, value in given.items():
        jsonschema.validate(value, fields[name]["schema"])
