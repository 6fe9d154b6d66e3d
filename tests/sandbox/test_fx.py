"""The central bank's rates in the sandbox, held to what the ECB documents and to the form of what it publishes."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from sandbox.business.rates import CURRENCIES, FIRST, LAST, csv_text, quotations
from tributary.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tests.sandbox.conftest import Client

ALL = "EXR/D..EUR.SP00.A"
WEEK = {"startPeriod": "2026-11-07", "endPeriod": "2026-11-15", "format": "csvdata"}
# As the data API sends them without `detail`.
COLUMNS = (
    "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE,OBS_STATUS,OBS_CONF,OBS_PRE_BREAK,"
    "OBS_COM,TIME_FORMAT,BREAKS,COLLECTION,COMPILING_ORG,DISS_ORG,DOM_SER_IDS,PUBL_ECB,PUBL_MU,PUBL_PUBLIC,"
    "UNIT_INDEX_BASE,COMPILATION,COVERAGE,DECIMALS,NAT_TITLE,SOURCE_AGENCY,SOURCE_PUB,TITLE,TITLE_COMPL,UNIT,UNIT_MULT"
)
RATES = "/fx/rates/2026-11-12"


def asked(sandbox: Client, series: str = ALL, **query: str) -> requests.Response:
    return sandbox.session.get(f"{sandbox.url}/ecb/service/data/{series}", params={**WEEK, **query}, timeout=20)


def table(answer: requests.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_committed_file_is_what_the_function_gives() -> None:
    """Make it anew with `python -c "from sandbox.business.rates import csv_text; print(csv_text(), end='')"`."""
    assert (ROOT / "include/sandbox/fx_rates.csv").read_text() == csv_text()


def test_the_file_has_the_form_of_the_ecbs() -> None:
    header, *lines = csv_text().splitlines()
    assert header == "Date,USD,GBP,CAD,"
    assert all(line.endswith(",") for line in lines)
    days = [line.partition(",")[0] for line in lines]
    assert days == sorted(set(days), reverse=True)
    rates = [rate for line in lines for rate in line.split(",")[1:-1]]
    assert not [rate for rate in rates if not re.fullmatch(r"[1-9]?[0-9][.][0-9]{0,4}[1-9]", rate)]


def test_no_rates_on_days_without_business() -> None:
    quoted = {day for day, _ in quotations(FIRST, LAST)}
    assert {day.weekday() for day in quoted} == {0, 1, 2, 3, 4}
    holidays = [(2026, 1, 1), (2026, 4, 3), (2026, 4, 6), (2026, 5, 1), (2026, 12, 25), (2028, 4, 14), (2028, 12, 26)]
    assert not {date(*day) for day in holidays} & quoted
    assert {date(2026, 4, 2), date(2026, 4, 7), date(2026, 12, 24), date(2026, 12, 31)} <= quoted
    ordered = sorted(quoted)
    assert {(two - one).days for one, two in pairwise(ordered)} == {1, 2, 3, 4, 5}
    moves = [
        abs(float(two[name]) / float(one[name]) - 1)
        for (_, one), (_, two) in pairwise(quotations(FIRST, LAST))
        for name in CURRENCIES
    ]
    assert 0.001 < max(moves) < 0.02


def test_the_answer_has_the_ecbs_columns(sandbox: Client) -> None:
    answer = asked(sandbox)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines()[0] == COLUMNS
    rows = table(answer)
    assert {name: rows[0][name] for name in COLUMNS.split(",")[:7]} == {
        "KEY": "EXR.D.CAD.EUR.SP00.A", "FREQ": "D", "CURRENCY": "CAD", "CURRENCY_DENOM": "EUR", "EXR_TYPE": "SP00",
        "EXR_SUFFIX": "A", "TIME_PERIOD": "2026-11-09",
    }  # fmt: skip
    assert [(row["CURRENCY"], row["TIME_PERIOD"]) for row in rows] == [
        (currency, f"2026-11-{day:02}") for currency in ("CAD", "GBP", "USD") for day in range(9, 14)
    ]
    told = dict(quotations(date(2026, 11, 7), date(2026, 11, 15)))
    assert {row["OBS_VALUE"] for row in rows} == {rate for rates in told.values() for rate in rates.values()}
    assert asked(sandbox, detail="dataonly").text.splitlines()[0] == COLUMNS.partition(",OBS_STATUS")[0]


def test_one_currency_or_some(sandbox: Client) -> None:
    assert {row["CURRENCY"] for row in table(asked(sandbox, "EXR/D.USD.EUR.SP00.A"))} == {"USD"}
    assert {row["CURRENCY"] for row in table(asked(sandbox, "EXR/D.USD+CAD+XXX.EUR.SP00.A"))} == {"USD", "CAD"}


@pytest.mark.parametrize(
    "query", [{"startPeriod": "2026-11-14"}, {"startPeriod": "2027-01-04", "endPeriod": "2027-01-08"}]
)
def test_a_period_without_a_quotation_is_an_empty_answer(query: dict[str, str], sandbox: Client) -> None:
    answer = asked(sandbox, **query)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("series", "query", "status", "words"),
    [
        ("EXR/D.XXX.EUR.SP00.A", {}, 404, "No results found."),
        ("EXR/M.USD.EUR.SP00.A", {}, 404, "No results found."),
        ("EXR/D.USD.GBP.SP00.A", {}, 404, "No results found."),
        ("FM/D..EUR.SP00.A", {}, 404, "No results found."),
        ("EXR/D..EUR.SP00", {}, 400, "4 dimensions"),
        (ALL, {"startPeriod": "2026-11-31"}, 400, "startPeriod: 2026-11-31"),
        (ALL, {"endPeriod": "20261115"}, 400, "endPeriod: 20261115"),
        (ALL, {"startPeriod": "yesterday"}, 400, "startPeriod: yesterday"),
        (ALL, {"startPeriod": "2026-11-16"}, 400, "startPeriod is after endPeriod"),
        (ALL, {"detail": "some"}, 400, "detail: some"),
        (ALL, {"start": "2026-11-07"}, 400, "Unknown parameters ['start']"),
        (ALL, {"format": "xlsx"}, 406, "csvdata"),
    ],
)
def test_it_refuses_what_the_ecb_refuses(
    series: str, query: dict[str, str], status: int, words: str, sandbox: Client
) -> None:
    answer = asked(sandbox, series, **query)
    assert answer.status_code == answer.json()["status"] == status
    assert words in answer.json()["detail"]


def test_a_days_rates_come_out_at_four_in_frankfurt(fresh: Client) -> None:
    def newest() -> str:
        return max(row["TIME_PERIOD"] for row in table(asked(fresh, endPeriod="2026-12-31")))

    fresh.admin("POST", "/clock", {"freeze": "2026-11-16T14:59:59Z"})
    assert newest() == "2026-11-13"
    fresh.admin("POST", "/clock", {"freeze": "2026-11-16T15:00:00Z"})
    assert newest() == "2026-11-16"


def test_a_quotation_is_corrected_or_withheld_and_comes_back(fresh: Client) -> None:
    before = fresh.admin("GET", RATES)
    assert before["rates"].keys() == set(CURRENCIES)

    assert fresh.admin("POST", RATES, {"rates": {"USD": "1.2345"}})["rates"] == {"USD": "1.2345"}
    shown = [row["OBS_VALUE"] for row in table(asked(fresh)) if row["TIME_PERIOD"] == "2026-11-12"]
    assert shown == ["1.2345"]

    assert fresh.admin("POST", RATES, {"rates": None})["rates"] is None
    assert "2026-11-12" not in {row["TIME_PERIOD"] for row in table(asked(fresh))}

    assert fresh.admin("DELETE", RATES) == before
    assert len(table(asked(fresh))) == 15


@pytest.mark.parametrize("rates", [{"XXX": "1"}, {"USD": 1.1}, {"USD": "0"}, {"USD": "much"}])
def test_an_impossible_correction_is_refused(rates: dict[str, object], sandbox: Client) -> None:
    assert next(iter(rates)) in sandbox.admin("POST", RATES, {"rates": rates}, status=400)["error"]


def test_rates_are_the_same_in_every_world(sandbox: Client, start: Callable[..., Client]) -> None:
    assert asked(start(seed=8)).content == asked(sandbox).content
