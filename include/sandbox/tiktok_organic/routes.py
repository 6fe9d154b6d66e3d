"""TikTok for Business, the Accounts API: the videos of one account with their lifetime counters, and its tokens."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.business.merchants import AURORA
from sandbox.tiktok_organic.access import BUSINESS_ID, Access, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request

    from sandbox.business.videos import Video, Videos
    from sandbox.world import Settings, World

BASE = "/open_api/v1.3"
MOST = 20
COUNTERS = {
    "video_views": "views",
    "likes": "likes",
    "comments": "comments",
    "shares": "shares",
    "favorites": "favorites",
}
"""The field -> the business's counter."""
FIELDS = ("item_id", "create_time", "caption", "share_url", *COUNTERS)


class TikTokOrganic:
    """The account of aurora, and the authorisation that its owner gave."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self.access = Access(world, settings.state / "tiktok_organic.json" if settings.state else None)

    def routes(self) -> list[Route]:
        return [
            Route(f"{BASE}/business/video/list/", self.video_list, methods=["GET"]),
            Route(f"{BASE}/tt_user/oauth2/refresh_token/", self.refresh_token, methods=["POST"]),
        ]

    async def video_list(self, request: Request) -> Response:
        try:
            self.access.check(request.headers.get("access-token", ""), "video.list")
            return _answer(self._page(request.query_params))
        except Refused as refused:
            return _answer({}, refused.code, refused.message)

    async def refresh_token(self, request: Request) -> Response:
        try:
            return _answer(self.access.refresh(_json(await request.body(), "body", dict)))
        except Refused as refused:
            return _answer({}, refused.code, refused.message)

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The newest videos first; the cursor is the time in milliseconds that the next page's are older than."""
        if query.get("business_id") != BUSINESS_ID:
            raise Refused(40006, "business_id: the token gives no access to this account.")
        fields = _texts(query.get("fields", '["item_id"]'), "fields")
        if unknown := [field for field in fields if field not in FIELDS]:
            raise Refused(40002, f"fields: unknown {unknown}; the sandbox knows {list(FIELDS)}.")
        count, cursor = _number(query, "max_count", 10), _number(query, "cursor", 0)
        if not 1 <= count <= MOST:
            raise Refused(40002, f"max_count: must be between 1 and {MOST}.")
        filters = _json(query.get("filters", "{}"), "filters", dict)
        wanted = _texts(json.dumps(filters["video_ids"]), "filters.video_ids") if "video_ids" in filters else None
        now, videos = self._world.now(), self._videos()
        found = [
            video
            for video in self._shown(videos, now)
            if (not cursor or _milliseconds(video) < cursor) and (wanted is None or str(video.id) in wanted)
        ]
        page = found[:count]
        return {
            "videos": [_view(videos, video, fields, now) for video in page],
            "cursor": _milliseconds(page[-1]) if page else cursor,
            "has_more": len(found) > count,
        }

    def _videos(self) -> Videos:
        shop = self._world.shop(AURORA.domain)
        assert shop is not None
        return shop.videos

    def _shown(self, videos: Videos, now: datetime) -> list[Video]:
        """The account's own videos, newest first; those of creators and advertisers are not its to read."""
        own = (video for video in videos.shown(now) if video.account_type == "OFFICIAL_ACCOUNTS")
        return sorted(own, key=_milliseconds, reverse=True)


def _view(videos: Videos, video: Video, fields: list[str], now: datetime) -> dict[str, Any]:
    """What is asked for of a video: counters are totals up to the last complete day, by UTC, and none before that."""
    today = now.date()
    yesterday = today - timedelta(days=1)
    known: dict[str, Any] = {
        "item_id": str(video.id),
        "create_time": str(int(video.posted_at.timestamp())),
        "caption": video.title,
        "share_url": f"https://www.tiktok.com/@{video.username}/video/{video.id}",
    }
    if video.posted_on <= yesterday:
        known |= {field: videos.total(video, counter, yesterday, today) for field, counter in COUNTERS.items()}
    return {field: known[field] for field in fields if field in known}


def _answer(data: dict[str, Any], code: int = 0, message: str = "OK") -> Response:
    return JSONResponse({"code": code, "message": message, "request_id": uuid.uuid4().hex, "data": data})


def _milliseconds(video: Video) -> int:
    return int(video.posted_at.timestamp() * 1000)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, str(default)))
    except ValueError:
        raise Refused(40002, f"{name}: Not a valid integer.") from None


def _json(text: str | bytes, name: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise Refused(40002, f"{name}: Not a valid {kind.__name__}.")
    return value


def _texts(text: str, name: str) -> list[str]:
    values: list[Any] = _json(text, name, list)
    if not values or not all(isinstance(value, str) for value in values):
        raise Refused(40002, f"{name}: Not a list of strings.")
    return values
