"""Videos with their lifetime counters: one reading a day, which cannot be made up for."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from tributary.channels.records import UnacceptableError, decoded, noon, reject
from tributary.channels.tiktok_organic.api import PAGE_SIZE
from tributary.declaration import Page, Record, Slice
from tributary.http import Cut, follow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tributary.channels.tiktok_organic.api import TikTokOrganicApi

Key = Annotated[str, Meta(pattern=r"^[0-9]{1,20}$")]
Counter = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seconds = Annotated[int, Meta(ge=946_684_800, lt=4_102_444_800)]
"""A Unix time from 2000 to 2099."""
SecondsText = Annotated[str, Meta(pattern=r"^(?:9[4-9][0-9]{7}|[1-3][0-9]{9})$")]


class Video(msgspec.Struct, gc=False):
    """A video of the account. TikTok leaves out the counters of one that nobody watched for a week."""

    item_id: Key
    create_time: Seconds | SecondsText | None = None
    share_url: str | None = None
    video_views: Counter | None = None
    likes: Counter | None = None
    comments: Counter | None = None
    shares: Counter | None = None
    favorites: Counter | None = None


class Reading(msgspec.Struct, gc=False):
    """A video as it was read for a day, which TikTok's own bytes do not tell."""

    date: date
    video: Video

    def record(self, payload: bytes) -> Record:
        """The reading as a record. TikTok names no time of change: with the day's own, its later reading wins."""
        at = noon(self.date)
        return Record(f"{self.video.item_id}/{self.date}", at, at, payload)


class _KeyOf(msgspec.Struct):
    item_id: Key


class _Named(msgspec.Struct):
    date: date
    video: _KeyOf


_READING = msgspec.json.Decoder(Reading)
_NAMED = msgspec.json.Decoder(_Named)


def complete_day(api: TikTokOrganicApi) -> date:
    """The last UTC day that is over for the vendor."""
    return api.now().date() - timedelta(days=1)


def now_whatever_the_window(api: TikTokOrganicApi, start: datetime, end: datetime) -> Iterator[Page]:
    """All videos as they are now: TikTok keeps no history of its counters, so a window means nothing to it."""
    return _read(api, complete_day(api))


def one_reading(api: TikTokOrganicApi, start: datetime, end: datetime) -> Iterator[Slice]:
    """However long the window, it is one reading."""
    yield Slice(start, end, now_whatever_the_window)


def that_day_if_it_is_now(api: TikTokOrganicApi, start: datetime, end: datetime) -> Iterator[Page]:
    """The present reading if its day is asked for; no other one can be had again."""
    day = complete_day(api)
    if start <= noon(day) < end:
        yield from _read(api, day)


def by_id(api: TikTokOrganicApi, ids: Sequence[str]) -> Iterator[Page]:
    """The present readings among these. A past one is never gone: it was true, whatever became of the video."""
    day = complete_day(api)
    parts = (record_id.split("/", 1) for record_id in ids)
    videos = [video for video, on in parts if on == str(day)]
    for start in range(0, len(videos), PAGE_SIZE):
        yield from _read(api, day, videos[start : start + PAGE_SIZE])


def replayed(api: TikTokOrganicApi, payload: bytes) -> Page:
    """A dead letter's bytes as a page of one reading, of its own day, or of one reject."""
    return _page([payload], sound=False)


def _read(api: TikTokOrganicApi, day: date, ids: Sequence[str] = ()) -> Iterator[Page]:
    def fetch(cursor: str | None) -> Cut[Page]:
        found = api.videos(cursor, ids)
        dated = (b'{"date":"%b","video":%b}' % (str(day).encode(), video) for video in found.payloads)
        page = _page(dated, sound=found.sound)
        keys = [record.record_id for record in page.records] + [letter.payload for letter in page.rejects]
        return Cut(page, keys, found.next, found.where)

    return follow(fetch)


def _page(payloads: Iterable[bytes], *, sound: bool) -> Page:
    records, rejects = [], []
    for payload in payloads:
        try:
            records.append(decoded(_READING, payload, sound)[1])
        except UnacceptableError as error:
            rejects.append(reject(payload, str(error), _record_id))
    return Page(records, rejects)


def _record_id(payload: bytes) -> str:
    named = _NAMED.decode(payload)
    return f"{named.video.item_id}/{named.date}"
