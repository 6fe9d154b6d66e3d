"""The Accounts API of TikTok for Business: one account's videos."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

import msgspec

from tributary.channels.answer import Answer
from tributary.channels.payloads import neutralised, refusal
from tributary.channels.tiktok_business import envelope, located
from tributary.channels.tiktok_organic.refusals import TokenRefused, explain
from tributary.http import BrokenResponse, Budget, HttpClient, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

API_HOST = "https://business-api.tiktok.com"
API_VERSION = "v1.3"
PAGE_SIZE = 20
"""The most that TikTok gives."""
FIELDS = ("item_id", "create_time", "share_url", "video_views", "likes", "comments", "shares", "favorites")


def budgets() -> dict[str, Budget]:
    """Far below the 600 requests a minute that TikTok allows an app on all accounts together."""
    return {"videos": Budget(rate=2, capacity=10)}


class TokenSource(Protocol):
    """Gives the access token, and another one when it was refused."""

    def value(self) -> str:
        """The token to send now."""

    def renew(self, refused: str) -> bool:
        """Replaces a token that was refused; False when there is no other to be had."""


class _Videos(msgspec.Struct):
    videos: list[msgspec.Raw]
    has_more: bool
    cursor: int | str | None = None


_VIDEOS = msgspec.json.Decoder(_Videos)


@dataclass(frozen=True)
class VideoPage:
    """A page of videos, as the vendor's own bytes."""

    payloads: Sequence[bytes]
    sound: bool
    """Whether the bytes were looked through for what jsonb refuses."""
    next: str | None
    where: str


class TikTokOrganicApi:
    """Reads the videos of one TikTok account."""

    def __init__(
        self,
        client: HttpClient,
        host: str,
        business_id: str,
        tokens: TokenSource,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._url = f"{host}/open_api/{API_VERSION}/business/video/list/"
        self._business_id = business_id
        self._tokens = tokens
        self._now = now
        self._answered = False

    def now(self) -> datetime:
        """The present moment by TikTok's own clock, which says what its last complete day is."""
        if not self._answered:  # Until then its clock is unknown.
            self._ask({"max_count": "1"})
        return self._now() + self._client.skew

    def videos(self, cursor: str | None, ids: Sequence[str] = ()) -> VideoPage:
        """A page of the account's videos, or of those with these ids."""
        asked = {"fields": _json(FIELDS), "max_count": str(PAGE_SIZE)}
        if cursor is not None:
            asked["cursor"] = cursor
        if ids:
            asked["filters"] = _json({"video_ids": ids})
        answer = self._ask(asked)
        found = answer.read(_VIDEOS)
        if found.has_more and found.cursor is None:
            raise BrokenResponse("TikTok says that the videos go on but not where", where=answer.where)
        following = str(found.cursor) if found.has_more else None
        return VideoPage(list(answer.slices(found.videos)), answer.flaw is None, following, answer.where)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    def _ask(self, asked: dict[str, str]) -> Answer:
        """The answer; a refused token is renewed once."""
        url = f"{self._url}?{urlencode({'business_id': self._business_id, **asked})}"
        token = self._tokens.value()
        try:
            answer = self._get(url, token)
        except TokenRefused:
            if not self._tokens.renew(token):
                raise
            answer = self._get(url, self._tokens.value())
        self._answered = True
        return answer

    def _get(self, url: str, token: str) -> Answer:
        request = Request("GET", url, {"Access-Token": token, "Accept": "application/json"})
        return self._client.send(request, self._read, budget="videos")

    def _read(self, response: Response) -> Answer:
        if error := explain(response, None):
            raise error
        flaw = refusal(response.body)
        clean = neutralised(response.body) if flaw else response.body
        answer = envelope(clean)
        if answer is None:
            excerpt = self._client.redact.body(response.body)
            raise BrokenResponse(f"The answer is not TikTok's: {excerpt}", where=response.where)
        return Answer(flaw, answer.data, clean, response.body, located(response.where, answer.request_id))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
