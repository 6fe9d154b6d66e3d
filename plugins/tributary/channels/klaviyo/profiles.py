"""Profiles: the people of the account, known by e-mail, telephone, both or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tributary.channels.klaviyo.reading import all_of, any_id, window
from tributary.channels.klaviyo.records import Dated, Item, and_gone, item_id
from tributary.channels.records import Kind, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tributary.channels.klaviyo.api import KlaviyoApi
    from tributary.declaration import Page

BUDGET = "profiles"
PAGE_SIZE = 100


class _Attributes(Dated, gc=False):
    # Without one there is no key of a person either.
    email: str | None = None


PROFILES = Kind(msgspec.json.Decoder(Item[_Attributes]), item_id)


def changed_profiles(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Profiles that changed in [start, end)."""
    return _read(api, "updated", *window("updated", start, end))


def profiles_created(api: KlaviyoApi, start: datetime, end: datetime) -> Iterator[Page]:
    """Profiles of [start, end)."""
    return _read(api, "created", *window("created", start, end))


def profiles_by_id(api: KlaviyoApi, ids: Sequence[str]) -> Iterator[Page]:
    """These profiles as they are now."""
    for some in chunks(ids, PAGE_SIZE):
        yield from and_gone(_read(api, "id", any_id(some)), some)


def _read(api: KlaviyoApi, sort: str, *conditions: str) -> Iterator[Page]:
    query = {"filter": all_of(*conditions), "sort": sort, "page[size]": str(PAGE_SIZE)}
    return map(PROFILES.page, api.pages("/api/profiles", query, budget=BUDGET))
