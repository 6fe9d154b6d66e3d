"""Shop analytics, day by day: the shop's own figures, its videos, and the counters of each video."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.payloads import neutralised
from tributary.channels.records import Kind, Rows, noon
from tributary.channels.tiktok_shop.analytics_shapes import ONE_DAY, DayOfVideo, ShopDay, VideoOnDay
from tributary.channels.tiktok_shop.reading import id_at, paged
from tributary.channels.tiktok_shop.shapes import Id, day
from tributary.declaration import Page, Reject, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tributary.channels.answer import Answer
    from tributary.channels.tiktok_shop.api import TikTokShopApi
    from tributary.declaration import Reader

SHOP_PATH = "/analytics/202509/shop/performance"
VIDEOS_PATH = "/analytics/202509/shop_videos/performance"
VIDEO_PATH = "/analytics/202509/shop_videos/{}/performance"
BUDGET = "analytics"
PAGE_SIZE = 100
"""The most that TikTok gives."""
LOOK_BACK = timedelta(days=30)
"""TikTok goes on correcting its figures; for how long is not documented."""
SLICE = LOOK_BACK + ONE_DAY
"""What an ordinary sync reads: the days before, and the new one."""
HALF_A_DAY = timedelta(hours=12)


class _Performance(msgspec.Struct):
    intervals: list[msgspec.Raw] | None = None


class _Performed(msgspec.Struct):
    performance: _Performance | None = None


class _Available(msgspec.Struct):
    latest_available_date: str | None = None


class _Named(msgspec.Struct):
    id: Id


_PERFORMED = msgspec.json.Decoder(_Performed)
_AVAILABLE = msgspec.json.Decoder(_Available)
_NAMED = msgspec.json.Decoder(_Named)


@dataclass(frozen=True)
class Daily:
    """A stream of days, read no further than TikTok says that they are complete.

    A day stands at noon UTC, so a position means: every day whose noon is before it is complete. The last of them ends
    half a day later, and that is how far the stream was read.
    """

    path: str
    """Where TikTok says how far they are."""
    changed: Reader
    kind: Kind

    def happened(self, api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
        """The days of the window; the business time is the only one they have."""
        for part in self._slices(api, start, end):
            yield from part.read(api, part.start, part.end)

    def history(self, api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Slice]:
        """The slices up to the last complete day; none when the checkpoint is already there."""
        found = list(self._slices(api, start, end))
        # A sync starts a look-back before its checkpoint: without a new day, these would be the same days again.
        if found and found[-1].end - start != LOOK_BACK:
            yield from found

    def by_id(self, api: TikTokShopApi, ids: Sequence[str]) -> Iterator[Page]:
        """Nothing: a window shows all there is. A day that it shows no more, of a deleted video, stays as it was."""
        yield from ()

    def _slices(self, api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Slice]:
        latest = _latest(api, self.path, end.astimezone(UTC).date() - 2 * ONE_DAY)
        if latest is None:
            api.warn_once(f"TikTok Shop names no day whose figures are complete yet ({self.path}): none are read.")
            return
        end = min(end, noon(latest) + HALF_A_DAY)
        while start < end:
            yield Slice(start, min(start + SLICE, end), self.changed)
            start += SLICE


def days(start: datetime, end: datetime) -> list[date]:
    """The dates whose noon UTC lies in the window."""
    first = start.astimezone(UTC).date()
    return [on for on in (first + n * ONE_DAY for n in range((end - start).days + 2)) if start <= noon(on) < end]


def shop_days(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
    """The shop's figures of each day."""
    if of := days(start, end):
        answer = _get(api, SHOP_PATH, of[0], of[-1], granularity="1D")
        yield SHOP.kind.page(_intervals(answer))


def videos(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
    """The videos of each day. The list knows no days, so each is asked for alone."""
    for on in days(start, end):
        for rows in _list(api, on, on):
            dated = [b'{"date":"%b","video":%b}' % (str(on).encode(), row) for row in rows.payloads]
            yield VIDEOS.kind.page(Rows(dated, rows.sound))


def video_days(api: TikTokShopApi, start: datetime, end: datetime) -> Iterator[Page]:
    """The days of each video that the list shows in the window: one request a video."""
    of = days(start, end)
    shown: set[str] = set()
    for rows in _list(api, of[0], of[-1]) if of else ():
        for row in rows.payloads:
            video = _named(row)
            if isinstance(video, Reject):
                yield Page((), [video])
            elif video not in shown:
                shown.add(video)
                answer = _get(api, VIDEO_PATH.format(video), of[0], of[-1], granularity="1D")
                intervals = _intervals(answer)
                own = [b'{"video_id":"%b","interval":%b}' % (video.encode(), one) for one in intervals.payloads]
                yield VIDEO_DETAILS.kind.page(Rows(own, intervals.sound))


def _named(row: bytes) -> str | Reject:
    try:
        return _NAMED.decode(neutralised(row)).id
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Reject(None, f"The video cannot be told, so its days cannot be asked for: {error}", row)


def _list(api: TikTokShopApi, first: date, last: date) -> Iterator[Rows]:
    def ask(paging: dict[str, str]) -> Answer:
        return _get(api, VIDEOS_PATH, first, last, account_type="ALL", **paging)

    return paged(ask, "videos", PAGE_SIZE)


def _intervals(answer: Answer) -> Rows:
    performance = answer.read(_PERFORMED).performance
    found = performance.intervals if performance else None
    return Rows(list(answer.slices(found or ())), answer.flaw is None)


def _latest(api: TikTokShopApi, path: str, on: date) -> date | None:
    text = _get(api, path, on, on).read(_AVAILABLE).latest_available_date
    return day("latest_available_date", text) if text else None


def _get(api: TikTokShopApi, path: str, first: date, last: date, **more: str) -> Answer:
    dates = {"start_date_ge": str(first), "end_date_lt": str(last + ONE_DAY)}
    return api.get(path, {**dates, "currency": "LOCAL", **more}, budget=BUDGET)


_START = id_at("start_date")
SHOP = Daily(SHOP_PATH, shop_days, Kind(msgspec.json.Decoder(ShopDay), lambda payload: f"shop/{_START(payload)}"))
VIDEOS = Daily(VIDEOS_PATH, videos, Kind(msgspec.json.Decoder(VideoOnDay), id_at("video.id", "date")))
VIDEO_DETAILS = Daily(
    VIDEOS_PATH, video_days, Kind(msgspec.json.Decoder(DayOfVideo), id_at("video_id", "interval.start_date"))
)
