"""Exchange rates from both providers into a real warehouse."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.app import create_app
from sandbox.business.rates import quotations
from sandbox.serve import serve
from sandbox.world import Settings
from tests.channels.fx_road import ROUTE, Quoted, Road, as_file, days, ecb
from tests.channels.shopify_sandbox import FIRST_DAY, NOW, Sandbox
from tributary.channels.fx.days import changed, history, replayed
from tributary.channels.fx.file import RatesFile
from tributary.channels.fx.streams import FX
from tributary.channels.records import noon
from tributary.http import BrokenResponse, Fatal, RequestRefused, VendorUnavailable
from tributary.warehouse.reread import reread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tributary.channels.fx.rates import Quotations
    from tributary.declaration import Page

TODAY, TOMORROW = date(2026, 11, 20), date(2026, 11, 21)
"""A Friday at noon, when its rates are not out yet, and the Saturday after it."""
START = datetime(2026, 10, 1, tzinfo=UTC)
FRIDAY = date(2026, 11, 13)
ONE_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(create_app(Settings(first_day=FIRST_DAY, frozen_at=NOW))) as url:
        yield Sandbox(url)


@pytest.fixture
def bank(request: pytest.FixtureRequest, sandbox: Sandbox, shared_warehouse: str, slept: list[float]) -> Iterator[Road]:
    """The central bank; corrected rates are as before afterwards."""
    made = []

    def make() -> Any:
        made.append(ecb(f"{sandbox.url}/ecb", slept))
        return made[-1]

    yield Road(request.node.name, sandbox, lambda: psycopg.connect(shared_warehouse), make, start=START)
    for api in made:
        api.close()
    for day in days(date(2026, 11, 1), TODAY):
        sandbox.admin(f"/fx/rates/{day}", method="DELETE")


def file_road(bank: Road, path: Path, text: str) -> Road:
    """The same merchant's road with a file instead of the bank."""
    path.write_text(text)
    return Road(f"{bank.merchant}, file", bank.sandbox, bank.connect, lambda: RatesFile(path, lambda: NOW), start=START)


def published() -> dict[date, dict[str, str]]:
    """What is out at noon of the Friday."""
    return dict(quotations(date(2026, 9, 1), TODAY - ONE_DAY))


def correct(road: Road, day: date, rates: dict[str, str] | None) -> None:
    road.sandbox.admin(f"/fx/rates/{day}", {"rates": rates})


def test_every_calendar_day_has_the_rates_that_stand_for_it(bank: Road) -> None:
    report = bank.sync("rates")
    held = bank.held()
    assert sorted(held) == [*days(START.date(), TOMORROW)]
    known = published()
    for day, payload in held.items():
        quoted_on = max(on for on in known if on <= day)
        assert payload == {"date": str(day), "quoted_on": str(quoted_on), "base": "EUR", "rates": known[quoted_on]}
    assert held[TOMORROW]["quoted_on"] == held[TODAY]["quoted_on"] == "2026-11-19"
    assert set(bank.raw("rates", "event_at = updated_at and event_at = record_id::date + time '12:00'").values()) == {
        True
    }
    assert report.position == NOW
    assert report.counts.inserted == len(held)


def test_both_providers_give_the_same_records_from_the_same_rates(bank: Road, tmp_path: Path) -> None:
    file = file_road(bank, tmp_path / "rates.csv", as_file(published()))
    bank.sync("rates")
    file.sync("rates")
    assert file.held() == bank.held()
    assert file.raw("rates", "payload::text") == bank.raw("rates", "payload::text")
    newest, *rest = as_file(published()).splitlines()
    turned = file_road(bank, tmp_path / "turned.csv", "\ufeff" + "\r\n".join([newest, *reversed(rest)]))
    before = file.written()
    assert turned.sync("rates").counts.unchanged > 30
    assert turned.written() == before


def test_a_corrected_friday_restates_friday_to_sunday_and_nothing_else(bank: Road) -> None:
    bank.sync("rates")
    before = bank.written()
    bank.forget_changes()
    correct(bank, FRIDAY, {"USD": "1.2345", "CAD": "1.5", "GBP": "0.9"})
    report = bank.sync("rates")
    assert bank.changed() == {"2026-11-13": "update", "2026-11-14": "update", "2026-11-15": "update"}
    assert {day for day, xmin in bank.written().items() if xmin != before[day]} == set(bank.changed())
    assert {bank.held()[FRIDAY + n * ONE_DAY]["rates"]["USD"] for n in range(3)} == {"1.2345"}
    assert (report.counts.updated, report.counts.inserted, report.counts.removed) == (3, 0, 0)


def test_a_withheld_friday_leaves_the_rates_of_thursday(bank: Road) -> None:
    bank.sync("rates")
    bank.forget_changes()
    correct(bank, FRIDAY, None)
    bank.sync("rates")
    assert {bank.held()[FRIDAY + n * ONE_DAY]["quoted_on"] for n in range(3)} == {"2026-11-12"}
    assert set(bank.changed()) == {"2026-11-13", "2026-11-14", "2026-11-15"}


def test_a_day_whose_last_rates_are_more_than_five_days_old_has_none(bank: Road) -> None:
    bank.sync("rates")
    bank.forget_changes()
    for day in days(date(2026, 11, 10), date(2026, 11, 18)):
        correct(bank, day, None)
    report = bank.sync("rates")
    missing = [*days(date(2026, 11, 15), date(2026, 11, 18))]
    assert sorted({*days(START.date(), TOMORROW)} - set(bank.held())) == missing
    assert bank.held()[date(2026, 11, 14)]["quoted_on"] == "2026-11-09"
    assert {day for day, what in bank.changed().items() if what == "delete"} == {str(day) for day in missing}
    assert report.counts.removed == 4
    # They come back as soon as there are rates for them.
    correct(bank, date(2026, 11, 18), {"USD": "1.1"})
    bank.sync("rates")
    assert bank.held()[date(2026, 11, 18)]["rates"] == {"USD": "1.1"}


def test_a_sync_reads_the_last_month_again_and_no_more(bank: Road) -> None:
    bank.sync("rates")
    bank.forget_changes()
    first = NOW.date() - timedelta(days=31)
    monday = first - ONE_DAY
    for day in (monday, first):
        correct(bank, day, {"USD": "2"})
    try:
        bank.sync("rates")
        assert set(bank.changed()) == {str(first)}
        reread(bank.connect, bank.api(), FX, FX.stream("rates"), bank.merchant, START, noon(first))
        assert set(bank.changed()) == {str(monday), str(first)}
    finally:
        for day in (monday, first):
            bank.sandbox.admin(f"/fx/rates/{day}", method="DELETE")


def moments(first: date, last: date) -> st.SearchStrategy[datetime]:
    return st.builds(datetime.combine, st.dates(first, last), st.times(), st.just(UTC))


@given(
    quoted=st.dictionaries(
        st.dates(date(2026, 3, 25), date(2026, 4, 30)),
        st.dictionaries(st.sampled_from(["USD", "CAD", "GBP"]), st.sampled_from(["1", "1.25", "0.9"]), min_size=1),
    ),
    start=moments(date(2026, 4, 1), date(2026, 4, 20)),
    length=st.timedeltas(timedelta(0), timedelta(days=12)),
    now=moments(date(2026, 4, 1), date(2026, 4, 25)),
)
def test_each_day_has_the_last_quotation_of_the_five_days_before_it(
    quoted: Quotations, start: datetime, length: timedelta, now: datetime
) -> None:
    """The rule, stated as a person would; also that no more is needed than what is asked for."""

    found = [
        json.loads(record.payload)
        for page in changed(Quoted(quoted, now), start, start + length)
        for record in page.records
    ]
    expected = []
    for day in days(date(2026, 3, 31), date(2026, 5, 5)):
        in_window = start <= noon(day) < start + length
        before = [on for on in quoted if on <= day and (day - on).days <= 5]
        if in_window and before and day <= now.date() + ONE_DAY:
            rates = quoted[max(before)]
            expected.append({"date": str(day), "quoted_on": str(max(before)), "base": "EUR", "rates": rates})
    assert found == expected
    assert [list(one["rates"]) for one in found] == [sorted(one["rates"]) for one in found]


@given(
    start=moments(date(2024, 1, 1), date(2026, 11, 20)),
    length=st.timedeltas(timedelta(0), timedelta(days=1000)),
)
def test_slices_follow_one_another_from_the_first_day_to_tomorrow(start: datetime, length: timedelta) -> None:
    end = start + length
    slices = [*history(Quoted({}, end), start, end)]
    assert [one.end for one in slices[:-1]] == [one.start for one in slices[1:]]
    assert slices[0].start == noon(start.date())
    assert slices[-1].end == noon(end.date() + 2 * ONE_DAY)
    assert all(timedelta(0) < one.end - one.start <= timedelta(days=366) for one in slices)


HEAD = "Date,USD,CAD,\n2026-11-19,1.0873,1.4963,\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "2026-11-18,1.08x,1.49,\n", "line 3, column USD: '1.08x' is no positive decimal"),
        (HEAD + "2026-11-18,1.08,-1.49,\n", "line 3, column CAD: '-1.49' is no positive decimal"),
        (HEAD + "2026-11-18,1.08,0.000,\n", "line 3, column CAD: '0.000' is no positive decimal"),
        (HEAD + "2026-11-18,1e3,1.49,\n", "line 3, column USD: '1e3' is no positive decimal"),
        (HEAD + "18/11/2026,1.08,1.49,\n", "line 3, column Date: '18/11/2026' is no date such as 2026-11-20"),
        (HEAD + "20261118,1.08,1.49,\n", "line 3, column Date: '20261118' is no date"),
        (HEAD + "2026-11-31,1.08,1.49,\n", "line 3, column Date: '2026-11-31' is no date"),
        (HEAD + "2026-11-19,1.08,1.49,\n", "line 3, column Date: '2026-11-19' comes twice"),
        (HEAD + "2026-11-18,1.08,\n", "line 3: has 3 columns, the header has 4"),
        (HEAD + "\n2026-11-18,1.08", "line 4: has 2 columns, the header has 4"),
        (HEAD + '2026-11-18,"1.08,1.49,\n', "line 3: unexpected end of data"),
        ("Date,USD,EUR\n2026-11-19,1.08,1\n", "line 1, column 'EUR': is no currency such as USD, or is EUR itself"),
        ("Date,usd\n2026-11-19,1.08\n", "line 1, column 'usd': is no currency"),
        ("Date,USD,USD\n", "line 1: 'Date,USD,USD' is no header with the columns Date, each once"),
        ("Day,USD\n2026-11-19,1.08\n", "line 1: 'Day,USD' is no header"),
        ("Date,,USD\n2026-11-19,,1.08\n", "line 1: 'Date,,USD' is no header"),
        ("Date,USD\n2026-11-19,N/A\n", "it holds no rate at all"),
        ("", "line 1: '' is no header"),
    ],
)
def test_a_malformed_file_is_refused_whole_with_the_place(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(Fatal) as refusal:
        RatesFile(path).quotations(FRIDAY, TODAY)
    assert f"The file of exchange rates {path} is malformed: {words}" in str(refusal.value)
    assert "Mend the file" in str(refusal.value)


def test_a_file_that_breaks_leaves_raw_as_it_is(bank: Road, tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    file_road(bank, path, as_file(published())).sync("rates")
    road = file_road(bank, path, path.read_text().replace("2026-11-12,", "2026-11-32,"))
    before = road.written()
    with pytest.raises(Fatal, match=r"rates\.csv is malformed: line 7, column Date: '2026-11-32'"):
        road.sync("rates")
    assert road.written() == before
    path.unlink()
    with pytest.raises(Fatal, match=r"rates\.csv cannot be read: .*No such file.*Put it there"):
        road.sync("rates")
    path.write_bytes(b"Date,USD\n2026-11-19,\xff\n")
    with pytest.raises(Fatal, match="cannot be read: 'utf-8' codec"):
        road.sync("rates")


def test_what_has_no_value_is_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("Date,USD,RUB,\n2026-11-18,1.08,N/A,\n2026-11-19,N/A,,\n")
    assert RatesFile(path).quotations(FRIDAY, TODAY) == {date(2026, 11, 18): {"USD": "1.08"}}


@pytest.mark.parametrize(
    ("find", "put", "words"),
    [
        (",1.0715,A", ",n/a,A", "column OBS_VALUE: 'n/a' is no positive decimal such as 1.0873"),
        (",USD,EUR,SP00,A,2026-11-19,", ",US$,EUR,SP00,A,2026-11-19,", "column CURRENCY: 'US$' is no currency"),
        ("USD,EUR,SP00,A,2026-11-19", "USD,EUR,SP00,A,2026-W47", "column TIME_PERIOD: '2026-W47' is no date"),
        (
            "USD,EUR,SP00,A,2026-11-19",
            "USD,EUR,SP00,A,2026-11-18",
            "column TIME_PERIOD: '2026-11-18' comes twice for USD",
        ),
        ("OBS_VALUE", "VALUE", "is no header with the columns CURRENCY, TIME_PERIOD, OBS_VALUE"),
    ],
)
def test_a_malformed_answer_lands_nowhere(find: str, put: str, words: str, bank: Road) -> None:
    bank.sync("rates")
    before = bank.written()
    # The first request asks for the time alone.
    bank.sandbox.fault("substituted", None, 0, ROUTE, find=find, put=put)
    try:
        with pytest.raises(BrokenResponse, match="answer for 2026-10-15 to 2026-11-21 is malformed: line ") as refusal:
            bank.sync("rates")
    finally:
        bank.no_faults()
    assert words in str(refusal.value)
    assert "/ecb/service/data/EXR/D..EUR.SP00.A?" in str(refusal.value)
    assert bank.written() == before


@pytest.mark.parametrize(
    ("kind", "options", "error", "words"),
    [
        ("truncated", {}, BrokenResponse, "columns, the header has 32"),
        ("html", {}, BrokenResponse, "<!doctype html><title>Maintenance</title>"),
        ("substituted", {"find": "1.0", "put": "\xff"}, BrokenResponse, "malformed: 'utf-8' codec can't decode"),
        ("http_5xx", {"status": 503}, VendorUnavailable, "HTTP 503"),
        ("expired_token", {"status": 404, "body": {"detail": "No results found."}}, RequestRefused, "May 2025"),
        ("expired_token", {"status": 400, "body": {}}, RequestRefused, "data API has changed"),
    ],
)
def test_a_bank_that_fails_takes_nothing_away(
    kind: str, options: dict[str, Any], error: type[Exception], words: str, bank: Road, slept: list[float]
) -> None:
    bank.sync("rates")
    before = bank.written()
    slept.clear()
    bank.sandbox.fault(kind, None, 0, ROUTE, **options)
    try:
        with pytest.raises(error) as failure:
            bank.sync("rates")
    finally:
        bank.no_faults()
    assert words in str(failure.value)
    assert len(slept) == (0 if error is RequestRefused else 2)
    assert bank.written() == before
    assert bank.sync("rates").counts.unchanged == 33


def test_an_answer_without_any_quotation_is_an_error(bank: Road) -> None:
    for day in days(date(2026, 11, 1), TODAY):
        correct(bank, day, None)
    api = bank.api()
    with pytest.raises(BrokenResponse, match=r"no quotation from 2026-11-03 to 2026-11-15.*Nothing was taken for gone"):
        api.quotations(date(2026, 11, 3), date(2026, 11, 15))


def test_the_present_is_the_banks(bank: Road, slept: list[float]) -> None:
    api = ecb(f"{bank.sandbox.url}/ecb", slept, lambda: NOW - timedelta(days=2))
    assert abs(api.now() - NOW) <= timedelta(seconds=1)
    api.close()


def test_a_dead_letter_is_judged_again() -> None:
    payload = {"date": "2026-11-07", "quoted_on": "2026-11-06", "base": "EUR", "rates": {"USD": "1.0873"}}

    def judged(**change: Any) -> Page:
        return replayed(None, msgspec.json.encode(payload | change))

    [record] = judged().records
    assert (record.record_id, record.event_at, record.updated_at) == (
        "2026-11-07",
        noon(date(2026, 11, 7)),
        record.event_at,
    )
    for change in ({"rates": {"USD": "1,08"}}, {"rates": {"usd": "1"}}, {"rates": {"USD": 1.08}}, {"quoted_on": ""}):
        [letter] = judged(**change).rejects
        assert letter.record_id == "2026-11-07"
