"""What Meta's API refuses and how: every refusal has Meta's envelope, its code and subcode, and its HTTP status."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.app import create_app
from sandbox.clock import iso
from sandbox.serve import serve
from sandbox.world import Settings
from tests.sandbox.conftest import NOW, Client
from tests.sandbox.meta_ads_reader import CANADA, EVERY_STATUS, NORDLICHT, TOKENS, US, ask, by_day, error

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORT = by_day("2026-11-01", "2026-11-14", fields="campaign_id,spend")
INSIGHTS = f"act_{US}/insights"
HEADERS = ("X-Business-Use-Case-Usage", "x-fb-ads-insights-throttle", "X-Ad-Account-Usage")


@pytest.fixture(scope="module")
def world() -> Iterator[Client]:
    with serve(create_app(Settings(seed=7, first_day=date(2026, 11, 1), frozen_at=NOW))) as url:
        yield Client(url)


@pytest.fixture
def meta(world: Client) -> Iterator[Client]:
    yield world
    world.admin("DELETE", "/meta_ads")
    world.admin("POST", "/clock", {"freeze": iso(NOW)})


def usage(answer: Any, number: str = US) -> tuple[str, int, int, int, int, int]:
    """What the headers tell: use case, percent, minutes, the insights' percent, the account's, and its seconds."""
    case, insights, account = (json.loads(answer.headers[name]) for name in HEADERS)
    (told,) = case[number]
    return (
        told["type"], told["call_count"], told["estimated_time_to_regain_access"],
        insights["acc_id_util_pct"], account["acc_id_util_pct"], account["reset_time_duration"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "asked", "refusal", "words"),
    [
        (INSIGHTS, {"token": None}, (400, 104, None), "access token is required"),
        (INSIGHTS, {"token": "EAA_other"}, (400, 190, None), "Cannot parse access token"),
        (INSIGHTS, {"appsecret_proof": "0" * 64}, (400, 100, None), "Invalid appsecret_proof"),
        (INSIGHTS, {"appsecret_proof": "für"}, (400, 100, None), "Invalid appsecret_proof"),
        (INSIGHTS, {"token": TOKENS["nordlicht"]}, (403, 200, None), "NOT grant ads_management or ads_read"),
        (f"act_{NORDLICHT}", {}, (403, 200, None), "NOT grant ads_management or ads_read"),
        ("act_999", {}, (400, 100, 33), "'act_999' does not exist"),
        ("act_1110000001/insights", {}, (400, 100, 33), "'act_1110000001' does not exist"),
        ("120220000000000101", {"fields": "name"}, (400, 100, 33), "'120220000000000101' does not exist"),
        ("601/insights", {}, (400, 100, 33), "'601' does not exist"),
        ("", {"ids": "120210000000000101,120220000000000101"}, (404, 803, None), "120220000000000101"),
        ("", {"ids": ",".join(map(str, range(51)))}, (400, 100, None), "Too many IDs. Maximum: 50"),
        (INSIGHTS, {"version": "v25.0"}, (400, 2635, None), "v26.0"),
        (INSIGHTS, {"version": "v27.0"}, (400, 2500, None), "Unknown path components: /v27.0"),
        (f"act_{US}/adsets", {}, (400, 2500, None), f"Unknown path components: /act_{US}/adsets"),
        (f"act_{US}", {"fields": "name,owner_name"}, (400, 100, None), "field (owner_name) on node type (AdAccount)"),
        (INSIGHTS, {"fields": "spend,roas"}, (400, 100, None), "roas is not valid for fields param"),
        (INSIGHTS, {"fields": "a,b,spend"}, (400, 100, None), "a, b are not valid for fields param"),
        (INSIGHTS, {"level": "creative"}, (400, 100, None), "level must be one of"),
        (INSIGHTS, {"level": "ad"}, (400, 100, None), "does not simulate the level ad"),
        (INSIGHTS, {"breakdowns": ["age"]}, (400, 100, None), "does not simulate the param breakdowns"),
        (INSIGHTS, {"time_range": "yesterday"}, (400, 100, None), "time_range must be an object"),
        (INSIGHTS, {"time_range": {"since": "2026-11-01"}}, (400, 100, None), "time_range[until]"),
        (
            INSIGHTS,
            {"time_range": {"since": "01.11.2026", "until": "2026-11-02"}},
            (400, 100, None),
            "time_range[since]",
        ),
        (INSIGHTS, {"time_range": {"since": "2026-11-02", "until": "2026-11-01"}}, (400, 100, None), "not be after"),
        (
            INSIGHTS,
            {"time_range": {"since": "2023-10-14", "until": "2023-11-01"}},
            (400, 3018, None),
            "beyond 37 months",
        ),
        (INSIGHTS, {"time_increment": "91"}, (400, 100, None), "between 1 and 90"),
        (INSIGHTS, {"time_increment": "daily"}, (400, 100, None), "between 1 and 90"),
        (INSIGHTS, {"time_range": "", "date_preset": "decade"}, (400, 100, None), "time_range"),
        (
            INSIGHTS,
            {"action_attribution_windows": ["1d_click", "7d_view"]},
            (400, 100, None),
            "action_attribution_windows[1] must be one of",
        ),
        (INSIGHTS, {"action_attribution_windows": ["28d_view"]}, (400, 100, None), "action_attribution_windows[0]"),
        (INSIGHTS, {"filtering": {}}, (400, 100, None), "filtering must be an array"),
        (INSIGHTS, {"filtering": [{"field": "campaign.id"}]}, (400, 100, None), "{field, operator, value}"),
        (
            INSIGHTS,
            {"filtering": [{"field": "campaign.mood", "operator": "IN", "value": ["good"]}]},
            (400, 100, None),
            "'campaign.mood' with operation 'in' is not supported",
        ),
        (INSIGHTS, {"filtering": [{**EVERY_STATUS, "value": ["GONE"]}]}, (400, 100, None), "effective_status must be"),
        (INSIGHTS, {"limit": "0"}, (400, 100, None), "limit must be a positive integer"),
        (INSIGHTS, {"limit": "5001"}, (500, 1, None), "reduce the amount of data"),
        (INSIGHTS, {"after": "!"}, (400, 100, None), "Invalid cursor"),
    ],
)
def test_it_refuses(
    meta: Client, path: str, asked: dict[str, Any], refusal: tuple[int, int, int | None], words: str
) -> None:
    *told, message = error(ask(meta, path, **{**(REPORT if path == INSIGHTS else {}), **asked}))
    assert tuple(told) == refusal
    assert words in message


def test_limits_end_where_meta_says(meta: Client) -> None:
    """What is just allowed is answered."""
    month = {"since": "2023-10-15", "until": "2023-11-01"}
    for asked in ({"time_range": month}, {"limit": "5000"}, {"time_increment": "90"}):
        assert ask(meta, INSIGHTS, **{**REPORT, **asked}).status_code == 200
    assert ask(meta, INSIGHTS, **{**REPORT, "time_range": month}).json() == {"data": []}
    assert ask(meta, INSIGHTS, **REPORT, appsecret_proof=proof()).status_code == 200


def proof() -> str:
    return hmac.new(b"meta_secret_aurora", TOKENS["aurora"].encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("subcode", [458, 460, 463, 467])
def test_a_token_ends(meta: Client, subcode: int) -> None:
    meta.admin("POST", "/meta_ads/tokens/aurora", {"invalid": subcode})
    assert error(ask(meta, INSIGHTS, **REPORT))[:3] == (400, 190, subcode)
    nordlicht = TOKENS["nordlicht"]
    assert ask(meta, f"act_{NORDLICHT}", nordlicht).status_code == 200
    told = ask(meta, "debug_token", nordlicht, input_token=TOKENS["aurora"]).json()["data"]
    assert (told["is_valid"], told["scopes"]) == (False, ["ads_read", "read_insights"])
    assert ask(meta, "debug_token", nordlicht, input_token="?").json()["data"]["error"]["code"] == 190
    meta.admin("POST", "/meta_ads/tokens/aurora", {"invalid": None})
    assert ask(meta, INSIGHTS, **REPORT).status_code == 200


def test_a_token_without_the_permission_reads_nothing(meta: Client) -> None:
    assert ask(meta, "me/permissions").json()["data"][0] == {"permission": "ads_read", "status": "granted"}
    meta.admin("POST", "/meta_ads/tokens/aurora", {"scopes": ["read_insights"]})
    for path in (INSIGHTS, f"act_{US}", f"act_{US}/campaigns", "120210000000000101", "me/adaccounts"):
        assert error(ask(meta, path))[:2] == (403, 294)
    assert [one["permission"] for one in ask(meta, "me/permissions").json()["data"]] == ["read_insights"]


def test_the_address_of_the_next_page_holds_the_token(meta: Client) -> None:
    paging = ask(meta, INSIGHTS, **REPORT, limit="2").json()["paging"]
    assert f"access_token={TOKENS['aurora']}" in paging["next"]
    assert f"after={paging['cursors']['after']}" in paging["next"]
    following = meta.session.get(paging["next"], timeout=20).json()["data"]
    assert following == ask(meta, INSIGHTS, **REPORT, limit="4").json()["data"][2:]
    assert "next" not in ask(meta, INSIGHTS, **REPORT, limit="500").json()["paging"]


def test_windows_show_their_part_of_the_actions(meta: Client) -> None:
    asked = REPORT | {"fields": "actions", "action_attribution_windows": ["7d_click", "1d_view", "default"]}
    actions = [one for row in ask(meta, INSIGHTS, **asked).json()["data"] for one in row.get("actions", [])]
    assert actions
    for one in actions:
        assert set(one) == {"action_type", "value", "7d_click", "1d_view"}
        assert int(one["1d_view"]) <= int(one["7d_click"]) <= int(one["value"])


def test_every_answer_tells_what_is_used(meta: Client) -> None:
    assert usage(ask(meta, INSIGHTS, **REPORT)) == ("ads_insights", 0, 0, 0, 0, 0)
    assert usage(ask(meta, f"act_{US}")) == ("ads_management", 0, 0, 0, 0, 0)
    meta.admin("POST", f"/meta_ads/usage/{US}", {"percent": 95})
    assert usage(ask(meta, INSIGHTS, **REPORT)) == ("ads_insights", 95, 0, 95, 95, 0)
    assert usage(ask(meta, INSIGHTS, level="nothing")) == ("ads_insights", 95, 0, 95, 95, 0)
    assert usage(ask(meta, f"act_{CANADA}"), CANADA)[1] == 0


@pytest.mark.parametrize(
    ("code", "subcode", "status"),
    [(4, 1504022, 403), (17, 2446079, 400), (613, 1487742, 400), (80000, 2446079, 400), (80004, 2446079, 400)],
)
def test_an_account_is_asked_too_often(meta: Client, code: int, subcode: int, status: int) -> None:
    meta.admin("POST", f"/meta_ads/usage/{US}", {"percent": 100, "minutes": 7, "code": code})
    for path in (INSIGHTS, f"act_{US}", f"act_{US}/campaigns", "120210000000000101"):
        answer = ask(meta, path)
        assert error(answer)[:3] == (status, code, subcode)
        assert usage(answer)[1:] == (100, 7, 100, 100, 420)
    assert ask(meta, f"act_{CANADA}").status_code == 200
    meta.admin("POST", f"/meta_ads/usage/{US}", {"tells_minutes": False})
    assert usage(ask(meta, INSIGHTS))[1:3] == (100, 0)


def test_an_hour_has_so_many_calls(meta: Client) -> None:
    meta.admin("POST", f"/meta_ads/usage/{US}", {"hourly": 3})
    seen = [ask(meta, f"act_{US}") for _ in range(4)]
    assert [answer.status_code for answer in seen] == [200, 200, 200, 400]
    assert [usage(answer)[1:3] for answer in seen] == [(33, 0), (66, 0), (100, 60), (100, 60)]
    meta.admin("POST", "/clock", {"advance_seconds": 3540})
    assert usage(ask(meta, f"act_{US}"))[1:3] == (100, 1)
    meta.admin("POST", "/clock", {"advance_seconds": 60})
    assert usage(ask(meta, f"act_{US}"))[1:3] == (33, 0)


def test_reports_that_are_too_large(meta: Client) -> None:
    count = len(ask(meta, INSIGHTS, **REPORT, limit="500").json()["data"])
    meta.admin("POST", "/meta_ads/limits", {"rows": count - 1})
    assert error(ask(meta, INSIGHTS, **REPORT))[:3] == (400, 100, 1487534)
    meta.admin("POST", "/meta_ads/limits", {"rows": count, "days": 13})
    assert error(ask(meta, INSIGHTS, **REPORT))[:3] == (400, 100, 1504018)
    assert ask(meta, INSIGHTS, **REPORT, method="POST").status_code == 200
    meta.admin("POST", "/meta_ads/limits", {"days": 14})
    assert ask(meta, INSIGHTS, **REPORT).status_code == 200


def started(meta: Client, **asked: Any) -> str:
    run: str = ask(meta, INSIGHTS, method="POST", **{**REPORT, **asked}).json()["report_run_id"]
    return run


def polled(meta: Client, run: str, times: int = 4) -> dict[str, Any]:
    told = [ask(meta, run).json() for _ in range(times)]
    return dict(told[-1])


def test_a_run_is_read_once_it_is_complete(meta: Client) -> None:
    run = started(meta)
    assert polled(meta, run, 3)["async_status"] == "Job Running"
    assert error(ask(meta, f"{run}/insights"))[:3] == (400, 2601, 1815107)
    assert ask(meta, run, fields="async_status").json() == {"async_status": "Job Completed", "id": run}
    assert (
        ask(meta, f"{run}/insights", limit="2").json()["data"]
        == (ask(meta, INSIGHTS, **REPORT, limit="2").json()["data"])
    )
    for path in (run, f"{run}/insights"):
        assert error(ask(meta, path, TOKENS["nordlicht"]))[:3] == (400, 100, 33)
    assert error(ask(meta, INSIGHTS, method="POST", **{**REPORT, "level": "?"}))[:2] == (400, 100)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, {"async_status": "Job Failed", "error_code": -2, "error_subcode": 2490547}),
        ({"status": "Job Skipped"}, {"async_status": "Job Skipped", "error_code": -2}),
        ({"code": 17, "subcode": 2446079, "message": "Too much."}, {"error_code": 17, "error_message": "Too much."}),
    ],
)
def test_a_run_fails(meta: Client, asked: dict[str, Any], told: dict[str, Any]) -> None:
    meta.admin("POST", "/meta_ads/runs/fail", asked)
    run = started(meta)
    assert "error_code" not in polled(meta, run, 3)
    assert told.items() <= polled(meta, run).items()
    assert error(ask(meta, f"{run}/insights"))[1] == 2601
    assert polled(meta, started(meta))["async_status"] == "Job Completed"


def test_a_run_of_too_many_rows_fails(meta: Client) -> None:
    meta.admin("POST", "/meta_ads/limits", {"run_rows": 5})
    told = polled(meta, started(meta))
    assert (told["async_status"], told["error_code"], told["error_subcode"]) == ("Job Failed", 100, 1487534)


def test_runs_take_as_long_as_they_take_and_are_kept_for_a_month(meta: Client) -> None:
    meta.admin("POST", "/meta_ads/limits", {"polls": 0})
    run = started(meta)
    assert polled(meta, run, 1)["async_status"] == "Job Completed"
    meta.admin("POST", "/meta_ads/limits", {"polls": 1_000_000})
    assert polled(meta, started(meta), 20)["async_percent_completion"] == 0
    meta.admin("POST", "/clock", {"advance_seconds": 30 * 86_400 - 1})
    assert ask(meta, f"{run}/insights").status_code == 200
    meta.admin("POST", "/clock", {"advance_seconds": 1})
    for path in (run, f"{run}/insights"):
        assert error(ask(meta, path))[:3] == (400, 100, 33)
    assert meta.admin("GET", "/meta_ads/runs")[0]["id"] == run


def test_what_the_admin_refuses(meta: Client) -> None:
    for path, body, status, words in (
        ("/usage/7", {}, 404, "there is no account '7'"),
        (f"/usage/{US}", {"code": 5}, 400, "5 is no rate limit"),
        ("/limits", {"lines": 5}, 400, "unknown fields"),
        ("/limits", {"timeout": 5}, 400, "timeout 5"),
        ("/runs/fail", {"status": "Job Completed"}, 400, "'Job Completed' is no failure"),
        ("/tokens/nobody", {}, 404, "there is no token of 'nobody'"),
        ("/tokens/aurora", {"invalid": 1}, 400, "1 is no subcode"),
    ):
        assert words in meta.admin("POST", f"/meta_ads{path}", body, status)["error"]
