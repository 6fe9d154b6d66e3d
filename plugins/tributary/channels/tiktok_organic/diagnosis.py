"""Says whether an account's videos can be read, and if not, exactly what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tributary.channels.payloads import neutralised
from tributary.http import HttpError

if TYPE_CHECKING:
    from tributary.channels.tiktok_organic.api import TikTokOrganicApi


class _Counted(msgspec.Struct):
    favorites: int | None = None


_COUNTED = msgspec.json.Decoder(_Counted)


def diagnose(api: TikTokOrganicApi) -> tuple[bool, str]:
    """Whether syncs will work, and a message for the person who pressed Test."""
    try:
        videos = [_COUNTED.decode(neutralised(payload)) for payload in api.videos(None).payloads]
    except (HttpError, msgspec.DecodeError) as error:
        return False, str(error)
    if not videos:
        return True, "Connected. The account has no videos yet."
    if all(video.favorites is None for video in videos):
        return True, (
            "Connected, but TikTok shows no counters of the newest videos. If they are watched, the account's owner "
            "has to switch on Analytics in the TikTok app."
        )
    return True, "Connected: TikTok shows the account's videos with their saves."
