"""TikTok's Accounts API as plain requests see it: what it shows, what it refuses, and how its tokens turn."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.conftest import Client

API = "/open_api/v1.3"
FIELDS = ["item_id", "create_time", "caption", "share_url", "video_views", "likes", "comments", "shares", "favorites"]
APP = {"client_id": "sandbox_client", "client_secret": "sandbox_client_secret_aurora_0123456789"}
TODAY = date(2026, 11, 15)


def listed(client: Client, token: str = "act.sandbox_organic_aurora_0", **asked: Any) -> dict[str, Any]:
    query = {"business_id": "sandbox_business_aurora", "fields": FIELDS, "max_count": 20, **asked}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in query.items()}
    answer = client.session.get(
        f"{client.url}{API}/business/video/list/", params=texts, headers={"Access-Token": token}, timeout=20
    )
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    assert set(told) == {"code", "message", "request_id", "data"}
    return told


def refreshed(client: Client, refresh_token: str = "rft.sandbox_organic_aurora_0", **changes: Any) -> dict[str, Any]:
    body = {**APP, "grant_type": "refresh_token", "refresh_token": refresh_token, **changes}
    answer = client.session.post(f"{client.url}{API}/tt_user/oauth2/refresh_token/", json=body, timeout=20)
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def truth(client: Client) -> dict[str, dict[str, Any]]:
    return {video["id"]: video for video in client.admin("GET", "/shops/aurora/tiktok/videos/truth")}


def test_it_shows_the_accounts_own_videos_with_their_totals(sandbox: Client) -> None:
    answer = listed(sandbox)
    assert (answer["code"], answer["message"], answer["data"]["has_more"]) == (0, "OK", False)
    told, videos = truth(sandbox), answer["data"]["videos"]
    own = {key for key, video in told.items() if video["account_type"] == "OFFICIAL_ACCOUNTS"}
    assert {video["item_id"] for video in videos} == own
    assert 5 < len(own) < len(told)
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    for video in videos:
        days = told[video["item_id"]]["days"]
        assert set(video) == set(FIELDS)
        assert {video[name] for name in ("likes", "comments", "shares", "favorites")} == {
            days[yesterday][name] for name in ("likes", "comments", "shares", "favorites")
        }
        assert video["video_views"] == sum(day["views"] for day in days.values())


def test_pages_follow_one_another_from_the_newest_to_the_oldest(sandbox: Client) -> None:
    whole = listed(sandbox)["data"]["videos"]
    found, cursor, more = [], 0, True
    while more:
        page = listed(sandbox, max_count=4, cursor=cursor)["data"]
        found += page["videos"]
        cursor, more = page["cursor"], page["has_more"]
    assert found == whole
    times = [int(video["create_time"]) for video in whole]
    assert times == sorted(times, reverse=True)
    assert cursor // 1000 == times[-1]


def test_fields_and_filters(sandbox: Client) -> None:
    first, second, *_ = listed(sandbox)["data"]["videos"]
    assert listed(sandbox, fields=["likes"])["data"]["videos"][0] == {"likes": first["likes"]}
    assert listed(sandbox, filters={"video_ids": [second["item_id"], "1"]})["data"]["videos"] == [second]


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ({"token": "act.another"}, 40105, "Access token"),
        ({"business_id": "another"}, 40006, "business_id"),
        ({"fields": ["saves"]}, 40002, "saves"),
        ({"fields": "likes"}, 40002, "fields"),
        ({"fields": []}, 40002, "fields"),
        ({"max_count": 21}, 40002, "between 1 and 20"),
        ({"max_count": 0}, 40002, "between 1 and 20"),
        ({"max_count": "many"}, 40002, "max_count"),
        ({"cursor": "next"}, 40002, "cursor"),
        ({"filters": "7"}, 40002, "filters"),
        ({"filters": {"video_ids": [7]}}, 40002, "video_ids"),
    ],
)
def test_it_refuses_with_a_code_on_http_200(sandbox: Client, asked: dict[str, Any], code: int, words: str) -> None:
    answer = listed(sandbox, **asked)
    assert (answer["code"], answer["data"]) == (code, {})
    assert words in answer["message"]
    assert answer["request_id"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_secret": "wrong"}, 40006),
        ({"client_id": "wrong"}, 40006),
        ({"grant_type": "authorization_code"}, 40002),
        ({"refresh_token": "rft.wrong"}, 40105),
    ],
)
def test_it_refuses_to_refresh(sandbox: Client, changes: dict[str, Any], code: int) -> None:
    assert refreshed(sandbox, **changes)["code"] == code
    assert listed(sandbox)["code"] == 0


def test_tokens_turn_end_and_survive_a_restart(start: Callable[..., Client], tmp_path: Path) -> None:
    client = start(state=tmp_path)
    pair = refreshed(client)["data"]
    assert (pair["expires_in"], pair["refresh_token_expires_in"]) == (86_400, 31_536_000)
    assert pair["open_id"] == "sandbox_business_aurora"
    assert "video.list" in pair["scope"].split(",")
    assert listed(client)["code"] == 40105
    assert refreshed(client)["code"] == 40105
    assert listed(client, pair["access_token"])["code"] == 0

    again = start(state=tmp_path)
    assert listed(again, pair["access_token"])["code"] == 0
    again.admin("POST", "/clock", {"advance_seconds": 86_399})
    assert listed(again, pair["access_token"])["code"] == 0
    again.admin("POST", "/clock", {"advance_seconds": 1})
    assert listed(again, pair["access_token"])["code"] == 40105
    later = refreshed(again, pair["refresh_token"])["data"]
    assert listed(again, later["access_token"])["code"] == 0
    again.admin("POST", "/clock", {"advance_seconds": 366 * 86_400})
    assert refreshed(again, later["refresh_token"])["code"] == 40105


def test_what_is_deleted_or_new(fresh: Client) -> None:
    """A video that was taken down is not there; one of today has no counters yet."""
    gone = listed(fresh)["data"]["videos"][-1]["item_id"]
    fresh.admin("DELETE", f"/shops/aurora/tiktok/videos/{gone}")
    assert gone not in {video["item_id"] for video in listed(fresh)["data"]["videos"]}
    fresh.admin("POST", "/clock", {"freeze": "2026-11-17T23:30:00Z"})
    videos = listed(fresh, refreshed(fresh)["data"]["access_token"])["data"]["videos"]
    new = [video for video in videos if truth(fresh)[video["item_id"]]["posted_at"].startswith("2026-11-17")]
    assert new == [video for video in videos if "favorites" not in video] != []
