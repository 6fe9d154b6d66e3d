"""A second opinion on origins: where somebody came from, by the first thing that a touch tells of it.

It shares nothing with the project: no import, no query, no SQL.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from tests.e2e.independent_orders import Visit
    from tests.e2e.independent_settings import Settings

CLICK_IDS = {"gclid": "google", "gbraid": "google", "wbraid": "google", "msclkid": "bing", "ttclid": "tiktok"}


class Told(NamedTuple):
    """What a touch tells of where it came from, word by word."""

    source: str = ""
    medium: str = ""
    campaign: str = ""
    click_id: str = ""
    """The kind of it."""
    referrer: str = ""

    @property
    def is_odd(self) -> bool:
        """Whether somebody has to look at its tags: encoded twice, not filled in, or a blank where none belongs."""
        tags = self[:3]
        encoded = any(re.search(r"%[0-9a-fA-F]{2}", tag) for tag in tags)
        unfilled = any("{" in unquote(tag) or "}" in unquote(tag) for tag in tags)
        return encoded or unfilled or " " in plain(self.source) or " " in plain(self.medium)


class Origin(NamedTuple):
    """Where somebody came from, and what said so."""

    source: str
    medium: str
    campaign: str | None
    by: str

    @property
    def is_direct(self) -> bool:
        return (self.source, self.medium) == ("direct", "none")


def plain(text: str | None) -> str:
    return unquote(text or "").strip().lower()


def tagged(told: Told, by: str) -> Origin:
    """What its tags say."""
    return Origin(plain(told.source), plain(told.medium), plain(told.campaign) or None, by)


def told_by(visit: Visit) -> Told:
    query = {name.lower(): values[0] for name, values in parse_qs(urlsplit(visit.landing_page).query).items()}
    found = next((name for name in (*CLICK_IDS, "fbclid") if query.get(name)), "")
    host = (urlsplit(visit.referrer).hostname or "").removeprefix("www.")
    return Told(visit.source, visit.medium, visit.campaign, found, host)


def origin_of(told: Told, settings: Settings) -> Origin:
    """Tags, else the click id of an ad platform, else who referred, else nobody."""
    if plain(told.source) and plain(told.medium):
        return tagged(told, "utm")
    campaign = plain(told.campaign) or None
    if told.click_id:
        source, medium = (CLICK_IDS[told.click_id], "cpc") if told.click_id in CLICK_IDS else ("facebook", "social")
        return Origin(source, medium, campaign, "click_id")
    if told.referrer:
        origin = Origin(*settings.referred(told.referrer), campaign, "referrer")
        return origin._replace(by="own_domain") if origin.is_direct else origin
    return Origin("direct", "none", campaign, "none")
