"""What can be made to happen to aurora at TikTok Shop, to its authorisation and its videos, and the truth of these."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.admin_request import NotThereError, body, route
from sandbox.business.videos import COUNTERS
from sandbox.clock import iso, parse_instant

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.business.videos import Video, Videos
    from sandbox.shop import Shop
    from sandbox.tiktok_shop.access import Access
    from sandbox.world import World

DOMAIN = "aurora.myshopify.com"
VERBS = ("code", "end", "expire", "restore", "revoke", "scopes")


class TikTokAccountAdmin:
    """Handlers over the one seller that authorised the sandbox's app."""

    def __init__(self, world: World, access: Access) -> None:
        self._world = world
        self._access = access

    def routes(self) -> list[Route]:
        authorisation, videos = "/tiktok/authorisation", "/shops/aurora/tiktok/videos"
        return [
            route(authorisation, self.authorisation, "GET"),
            route(authorisation + "/{verb}", self.act, "POST"),
            route(videos + "/truth", self.truth, "GET"),
            route(videos + "/{video:int}", self.delete, "DELETE"),
            route(videos + "/{video:int}/adjust", self.adjust, "POST"),
        ]

    async def authorisation(self, request: Request) -> Any:
        """The tokens that are good now, and how often somebody asked for others (`refresh_calls`)."""
        aurora, now = self._access.authorisations["aurora"], self._access.now()
        good = [token for token, until in aurora.access_tokens.items() if until > now and not aurora.revoked]
        return {
            "access_tokens": good,
            "refresh_token": aurora.refresh_token,
            "refresh_calls": aurora.refresh_calls,
            "refreshed": aurora.number,
            "ends_at": aurora.ends_at,
            "scopes": aurora.scopes,
            "revoked": aurora.revoked,
        }

    async def act(self, request: Request) -> Any:
        """expire: every access token, now; revoke and restore: the authorisation; scopes: {scopes} that are granted;
        end: {at}, when it ends; code: a new `auth_code`, as if the seller had authorised the app once more."""
        aurora, verb = self._access.authorisations["aurora"], request.path_params["verb"]
        if verb == "code":
            return {"auth_code": self._access.issue_code("aurora")}
        if verb == "expire":
            aurora.expire(self._access.now())
        elif verb in ("revoke", "restore"):
            aurora.revoked = verb == "revoke"
        elif verb == "scopes":
            aurora.scopes = [str(scope) for scope in (await body(request, {"scopes"}))["scopes"]]
        elif verb == "end":
            aurora.ends_at = int(parse_instant((await body(request, {"at"}))["at"]).timestamp())
        else:
            raise NotThereError(f"no action {verb!r}; there are {list(VERBS)}")
        self._access.save()
        return await self.authorisation(request)

    async def truth(self, request: Request) -> Any:
        """Every video with every counter of each of its days, as they look on `seen_on` (today, when left out): the
        day's own figure, and for likes, comments, shares and favorites the total at the end of the day."""
        videos = self._shop().videos
        today = videos.today(self._world.now())
        seen_on = date.fromisoformat(request.query_params.get("seen_on", today.isoformat()))
        return [_truth(videos, video, seen_on) for video in videos.all if video.posted_at <= self._world.now()]

    async def adjust(self, request: Request) -> Any:
        """{day, counter, by}: what that day brought turns out to be so much more, or less, from now on."""
        asked = await body(request, {"day", "counter", "by"})
        shop, video = self._video(request)
        self._world.happen(shop, "adjust_video", {"video": video.id, **asked})
        return _truth(shop.videos, video, shop.videos.today(self._world.now()))

    async def delete(self, request: Request) -> Any:
        """The account takes the video down."""
        shop, video = self._video(request)
        self._world.happen(shop, "delete_video", {"video": video.id})
        return _truth(shop.videos, video, shop.videos.today(self._world.now()))

    def _shop(self) -> Shop:
        shop = self._world.shop(DOMAIN)
        assert shop is not None
        return shop

    def _video(self, request: Request) -> tuple[Shop, Video]:
        shop = self._shop()
        try:
            return shop, shop.videos.get(request.path_params["video"])
        except LookupError as error:
            raise NotThereError(str(error)) from None


def _truth(videos: Videos, video: Video, seen_on: date) -> dict[str, Any]:
    last = videos.last_day(video, seen_on)
    days = [video.posted_on + timedelta(days=number) for number in range((last - video.posted_on).days + 1)]
    return {
        "id": str(video.id),
        "title": video.title,
        "account_type": video.account_type,
        "username": video.username,
        "posted_at": iso(video.posted_at),
        "deleted_at": iso(video.deleted_at) if video.deleted_at else None,
        "days": {
            day.isoformat(): {name: videos.shown_value(video, name, day, seen_on) for name in COUNTERS} for day in days
        },
    }
