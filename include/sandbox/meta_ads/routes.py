"""The Graph API over HTTP, at the sandbox's root: `/v26.0/...`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.meta_ads.asking import Asking
from sandbox.meta_ads.refusals import Refused
from sandbox.meta_ads.service import Service

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.world import World

VERSION = (26, 0)


class MetaAds:
    """Every path below a version."""

    def __init__(self, world: World) -> None:
        self.service = Service(world)

    def routes(self) -> list[Route]:
        return [Route("/v{major:int}.{minor:int}/{path:path}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        asked = request.path_params
        headers = {"facebook-api-version": "v{}.{}".format(*VERSION)}
        try:
            _check(asked["major"], asked["minor"], asked["path"])
            asking = await Asking.of(request)
            content = self.service.answer(request.method, asked["path"], asking, headers)
        except Refused as refused:
            return refused.response(headers)
        return JSONResponse(content, headers=headers)


def _check(major: int, minor: int, path: str) -> None:
    if (major, minor) > VERSION:
        raise Refused(2500, f"Unknown path components: /v{major}.{minor}/{path}")
    if (major, minor) < VERSION:
        latest = "v{}.{}".format(*VERSION)
        message = f"You are calling a deprecated version of the Ads API. Please update to the latest version: {latest}."
        raise Refused(2635, message)
