"""What the channels of advertising share, against a platform that corrects its figures and forgets its campaigns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tributary.channels.ad_days import AdAccount, ad_days
from tributary.channels.records import Rows, noon
from tributary.http import BrokenResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tributary.channels.ad_days import AdDays
    from tributary.declaration import Record

FIRST = date(2026, 11, 1)
ONE_DAY = timedelta(days=1)
BEHIND, AHEAD = "Pacific/Pago_Pago", "Pacific/Kiritimati"
"""Eleven hours behind UTC and fourteen ahead of it."""
ZONES = (BEHIND, AHEAD, "America/New_York", "Europe/Berlin", "Asia/Kolkata")

Key = tuple[str, date, str]
"""Account, day and campaign."""


class Identity(msgspec.Struct):
    """As much of the platform's row as says whose it is."""

    day: date
    id: str

    @property
    def on(self) -> date:
        return self.day

    @property
    def campaign(self) -> str:
        return self.id


class Row(Identity):
    """The whole of it."""

    spend: Annotated[int, msgspec.Meta(ge=0)]


@dataclass
class Platform:
    """What an account shows of each campaign and day; it would show days that have not begun, if it were asked."""

    at: datetime
    held: Sequence[AdAccount]
    shown: Mapping[Key, int] = field(default_factory=dict)
    forgotten: set[tuple[str, str]] = field(default_factory=set)
    """Account and campaign."""
    page_size: int = 2
    asked: list[tuple[str, date, date]] = field(default_factory=list)
    looked_for: list[tuple[str, list[str]]] = field(default_factory=list)
    pages: list[list[bytes]] | None = None
    """What the report gives instead, whatever it is asked for."""

    def now(self) -> datetime:
        return self.at

    def accounts(self) -> Sequence[AdAccount]:
        return self.held

    def known(self, account: AdAccount, campaigns: Sequence[str]) -> set[str]:
        self.looked_for.append((account.id, list(campaigns)))
        return {one for one in campaigns if (account.id, one) not in self.forgotten}

    def report(self, account: AdAccount, first: date, last: date) -> Iterator[Rows]:
        self.asked.append((account.id, first, last))
        rows = [
            written(day, campaign, spend)
            for (owner, day, campaign), spend in self.shown.items()
            if owner == account.id and first <= day <= last and (owner, campaign) not in self.forgotten
        ]
        cut = [rows[start : start + self.page_size] for start in range(0, len(rows), self.page_size)]
        for page in self.pages or cut:
            yield Rows(page, sound=True)


def account(number: int, zone: str = "UTC") -> AdAccount:
    return AdAccount(str(number), f"Account {number}", "USD", zone)


def written(day: date, campaign: str, spend: object) -> bytes:
    """A row as the platform writes it, which is not as we would."""
    return msgspec.json.format(msgspec.json.encode({"spend": spend, "id": campaign, "day": day}), indent=1)


def reading(width: int = 90) -> AdDays:
    return ad_days(Platform.report, Row, Identity, timedelta(days=width))


def sync(days: AdDays, platform: Platform, raw: dict[str, Record], start: datetime) -> dict[str, Record]:
    """What is in raw after slices that replace their windows, stated without a database."""
    for one in days.history(platform, start, platform.at):
        assert one.end - one.start <= days.width
        pages = [*one.read(platform, one.start, one.end)]
        records = {record.record_id: record for page in pages for record in page.records}
        assert all(one.start <= record.event_at < one.end for record in records.values())
        hidden = [key for key, record in raw.items() if one.start <= record.event_at < one.end and key not in records]
        gone = {key for page in days.by_id(platform, hidden) for key in page.gone}
        assert gone <= set(hidden)
        raw = {key: record for key, record in raw.items() if key not in gone} | records
    return raw


def spends(raw: Mapping[str, Record]) -> dict[str, int]:
    """The spend of each campaign's day."""
    payloads = {key: msgspec.json.decode(record.payload) for key, record in raw.items()}
    return {key: payload["row"]["spend"] for key, payload in payloads.items() if "row" in payload}


def between(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + number * ONE_DAY


@dataclass(frozen=True)
class Step:
    """What happens until the next sync, and how far that one looks back."""

    later: timedelta
    shown: Mapping[Key, int]
    forgotten: set[tuple[str, str]]
    accounts: set[str]
    look_back: timedelta


NUMBERS, CAMPAIGNS = ("1", "2"), ("a", "b", "c")
STEPS = st.builds(
    Step,
    later=st.timedeltas(timedelta(0), timedelta(days=3)),
    shown=st.dictionaries(
        st.tuples(st.sampled_from(NUMBERS), st.dates(FIRST, FIRST + 9 * ONE_DAY), st.sampled_from(CAMPAIGNS)),
        st.integers(0, 5),
        max_size=12,
    ),
    forgotten=st.sets(st.tuples(st.sampled_from(NUMBERS), st.sampled_from(CAMPAIGNS)), max_size=1),
    accounts=st.sets(st.sampled_from(NUMBERS), min_size=1),
    look_back=st.timedeltas(timedelta(hours=1), timedelta(days=9)),
)


@given(
    zones=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
    steps=st.lists(STEPS, min_size=1, max_size=4),
    width=st.integers(1, 5),
    page_size=st.integers(1, 3),
)
def test_raw_holds_what_the_platform_shows_and_what_it_forgot(
    zones: tuple[str, str], steps: list[Step], width: int, page_size: int
) -> None:
    owners = {number: account(int(number), zone) for number, zone in zip(NUMBERS, zones, strict=True)}
    platform = Platform(datetime(2026, 11, 2, tzinfo=UTC), [], page_size=page_size)
    days = reading(width)
    raw: dict[str, Record] = {}
    expected: dict[str, int] = {}
    read: set[str] = set()
    for step in steps:
        platform.at += step.later
        platform.shown, platform.held = step.shown, [owners[number] for number in sorted(step.accounts)]
        platform.forgotten |= step.forgotten
        start = platform.at - step.look_back
        raw = sync(days, platform, raw, start)
        for owner in platform.held:
            today = platform.at.astimezone(ZoneInfo(owner.time_zone)).date()
            for day in between(start.date(), today):
                read.add(f"{day}/{owner.id}")
                for campaign in CAMPAIGNS:
                    if (owner.id, campaign) in platform.forgotten:
                        continue
                    name, spend = f"{day}/{owner.id}/{campaign}", step.shown.get((owner.id, day, campaign))
                    expected.pop(name, None)
                    if spend is not None:
                        expected[name] = spend
        assert spends(raw) == expected
        assert raw.keys() - expected.keys() == read
    for key, record in raw.items():
        assert record.event_at == record.updated_at == noon(date.fromisoformat(key[:10]))


def test_a_campaigns_day_and_the_day_itself_carry_their_account_and_the_platforms_own_bytes() -> None:
    own = written(FIRST, "a", 7)
    platform = Platform(noon(FIRST), [account(1)], {("1", FIRST, "a"): 7})
    raw = sync(reading(), platform, {}, noon(FIRST) - ONE_DAY / 4)
    head = b'{"account":{"id":"1","name":"Account 1","currency":"USD","time_zone":"UTC"},'
    assert {key: record.payload for key, record in raw.items()} == {
        "2026-11-01/1/a": head + b'"row":' + own + b"}",
        "2026-11-01/1": head + b'"date":"2026-11-01"}',
    }
    assert b"\n" in own


def test_a_day_that_has_not_begun_where_the_account_is_is_not_asked_for() -> None:
    """At eight in the morning by UTC it is still yesterday in Pago Pago, and on Kiritimati ten in the evening."""
    platform = Platform(datetime(2026, 11, 3, 8, tzinfo=UTC), [account(1, BEHIND), account(2, AHEAD)])
    raw = sync(reading(), platform, {}, noon(FIRST))
    assert platform.asked == [("1", FIRST, FIRST + ONE_DAY), ("2", FIRST, FIRST + 2 * ONE_DAY)]
    assert set(raw) == {"2026-11-01/1", "2026-11-02/1", "2026-11-01/2", "2026-11-02/2", "2026-11-03/2"}

    platform.at, platform.asked = datetime(2026, 11, 3, 11, tzinfo=UTC), []
    assert set(sync(reading(), platform, {}, noon(FIRST))) - set(raw) == {"2026-11-03/1", "2026-11-04/2"}
    assert not [*reading().changed(platform, noon(FIRST + 9 * ONE_DAY), noon(FIRST + 11 * ONE_DAY))]


@pytest.mark.parametrize(
    ("start", "end", "asked"),
    [
        (noon(FIRST), noon(FIRST + ONE_DAY), [(FIRST, FIRST)]),
        (noon(FIRST) + timedelta(microseconds=1), noon(FIRST + 2 * ONE_DAY), [(FIRST + ONE_DAY, FIRST + ONE_DAY)]),
        (noon(FIRST), noon(FIRST + ONE_DAY) + timedelta(microseconds=1), [(FIRST, FIRST + ONE_DAY)]),
        (noon(FIRST) + ONE_DAY / 24, noon(FIRST) + ONE_DAY / 2, []),
    ],
)
def test_a_window_is_of_the_days_whose_noon_it_holds(
    start: datetime, end: datetime, asked: list[tuple[date, date]]
) -> None:
    platform = Platform(noon(FIRST + 5 * ONE_DAY), [account(1)])
    assert len([*reading().happened(platform, start, end)]) == len(asked)
    assert platform.asked == [("1", *dates) for dates in asked]


@pytest.mark.parametrize(
    "pages",
    [
        [[written(FIRST, "a", 1), written(FIRST, "a", 1)]],
        [[written(FIRST, "a", 1), written(FIRST, "b", 1)], [written(FIRST, "c", 1), written(FIRST, "a", 2)]],
    ],
)
def test_a_day_that_is_shown_twice_is_refused(pages: list[list[bytes]]) -> None:
    """What one page shows twice another may not show at all."""
    platform = Platform(noon(FIRST), [account(1)], pages=pages)
    with pytest.raises(BrokenResponse, match="Account 1 shows a campaign's day twice between 2026-11-01 and") as error:
        sync(reading(), platform, {}, noon(FIRST) - ONE_DAY / 4)
    assert "Nothing of these days was kept" in str(error.value)


def test_a_campaign_on_two_days_or_in_two_accounts_is_not_twice() -> None:
    shown = {(number, FIRST + n * ONE_DAY, "a"): n for number in NUMBERS for n in range(2)}
    platform = Platform(noon(FIRST + ONE_DAY), [account(1), account(2)], shown, page_size=9)
    assert len(spends(sync(reading(), platform, {}, noon(FIRST)))) == 4


def test_a_refused_row_has_its_id_and_the_others_land() -> None:
    pages = [[written(FIRST, "a", 1), written(FIRST, "b", -1), written(FIRST, "c", "much"), b'{"spend":1}']]
    days, platform = reading(), Platform(noon(FIRST), [account(1)], pages=pages)
    page, dates = days.changed(platform, noon(FIRST), noon(FIRST + ONE_DAY))
    assert [record.record_id for record in page.records] == ["2026-11-01/1/a"]
    assert [letter.record_id for letter in page.rejects] == ["2026-11-01/1/b", "2026-11-01/1/c", None]
    assert "`$.row.spend`" in page.rejects[0].reason
    assert [record.record_id for record in dates.records] == ["2026-11-01/1"]

    again = days.replay(None, page.rejects[0].payload)
    assert again.rejects == page.rejects[:1]
    mended = page.rejects[0].payload.replace(b": -1", b": 1")
    assert [(record.record_id, record.event_at) for record in days.replay(None, mended).records] == [
        ("2026-11-01/1/b", noon(FIRST))
    ]


@pytest.mark.parametrize("rest", ["", ',"row":null', ',"date":null'])
def test_a_payload_of_nothing_is_refused(rest: str) -> None:
    head = '{"account":{"id":"1","name":"One","currency":"USD","time_zone":"UTC"}'
    [letter] = reading().replay(None, f"{head}{rest}}}".encode()).rejects
    assert (letter.record_id, letter.reason) == (None, "There is neither a row nor a date")


def test_what_is_hidden_is_looked_for_once_per_account_and_what_cannot_be_stays() -> None:
    """An account that is not the connection's any more cannot be asked; its history stays."""
    platform = Platform(noon(FIRST), [account(1), account(2)], forgotten={("1", "b")})
    ids = ["2026-11-01/1/b", "2026-11-02/2", "2026-11-02/1/a", "2026-11-01/3/a", "2026-11-01/1/a", "2026-11-01/3"]
    [page] = reading().by_id(platform, ids)
    assert (page.records, sorted(page.gone)) == ((), ["2026-11-01/1/a", "2026-11-02/1/a", "2026-11-02/2"])
    assert platform.looked_for == [("1", ["a", "b"])]


def test_without_accounts_there_is_nothing() -> None:
    platform: Any = Platform(noon(FIRST), [])
    raw = sync(reading(), platform, {}, noon(FIRST) - 3 * ONE_DAY)
    assert raw == {}
