"""Whatever Google writes into a row, it has an id of its own, always the same one."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tributary.channels.ga4 import records
from tributary.channels.ga4.reports import AMOUNTS, DAYS, REPORTS, SESSIONS, Report
from tributary.declaration import Record, Reject

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
"""What a message of Google's can hold."""
ALIKE = st.sampled_from(["", "a", "aa", "/", "a/a", '","', "(other)"])
"""What runs together when it is put side by side."""
DAYS_OF_ALL_TIME = st.dates(date(2005, 1, 1), date(2099, 12, 31))


def row(report: Report, values: Sequence[str], metric: str = "1") -> dict[str, str]:
    return dict(zip(report.dimensions, values, strict=True)) | dict.fromkeys(report.metrics, metric)


def taken(report: Report, on: date, values: Sequence[str], metric: str = "1") -> Record | Reject:
    return records.taken(report, records.row_payload(f"{on:%Y%m%d}", row(report, values, metric)))


@given(st.data(), st.sampled_from([report for report in REPORTS if report.dimensions]), DAYS_OF_ALL_TIME)
def test_ids_are_unique_and_the_same_in_any_order(data: st.DataObject, report: Report, on: date) -> None:
    width = len(report.dimensions)
    rows = data.draw(
        st.lists(st.lists(ALIKE | TEXT, min_size=width, max_size=width).map(tuple), unique=True, max_size=20)
    )
    ids = {values: taken(report, on, values).record_id for values in rows}
    assert len(set(ids.values())) == len(rows)
    shuffled = data.draw(st.permutations(rows))
    assert {values: taken(report, on, values, "2").record_id for values in shuffled} == ids
    for record_id in ids.values():
        assert record_id is not None
        assert record_id.startswith(f"{on}/")
        assert len(record_id) == 43


@given(st.lists(ALIKE | TEXT, min_size=4, max_size=4), st.integers(0, 2), st.text('a/,"', min_size=1, max_size=3))
def test_text_that_moves_to_the_next_dimension_makes_another_id(values: list[str], place: int, text: str) -> None:
    here, there = list(values), list(values)
    here[place] += text
    there[place + 1] = text + there[place + 1]
    ids = {taken(SESSIONS, date(2026, 11, 3), one).record_id for one in (here, there)}
    assert len(ids) == 2


@given(st.lists(TEXT, min_size=4, max_size=4), DAYS_OF_ALL_TIME)
def test_a_record_holds_what_was_sent_and_only_nul_is_refused(values: list[str], on: date) -> None:
    found = taken(SESSIONS, on, values)
    assert json.loads(found.payload) == {"date": f"{on:%Y%m%d}", "row": row(SESSIONS, values)}
    assert isinstance(found, Reject) == any("\0" in value for value in values)
    if isinstance(found, Record):
        assert found.event_at == found.updated_at
        assert found.event_at.isoformat() == f"{on}T12:00:00+00:00"
        assert records.replayed(SESSIONS, found.payload).records == [found]


@given(TEXT | st.integers().map(str) | st.floats().map(str), st.sampled_from(SESSIONS.metrics))
def test_what_a_metric_may_be_is_what_staging_can_cast(text: str, name: str) -> None:
    sent = row(SESSIONS, ["a", "b", "c", "d"]) | {name: text}
    found = records.taken(SESSIONS, records.row_payload("20261103", sent))
    if isinstance(found, Reject):
        return
    assert text.isascii()
    assert float(text) == float(text)
    if name not in AMOUNTS:
        assert 0 <= int(text) < 10**18


@pytest.mark.parametrize("text", ["12", "0", "12.5", "1.2E-5", "-3.10"])
def test_amounts_come_in_any_of_these_forms(text: str) -> None:
    sent = row(SESSIONS, ["a", "b", "c", "d"]) | {"purchaseRevenue": text}
    assert isinstance(records.taken(SESSIONS, records.row_payload("20261103", sent)), Record)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "truncated"),
        (b'{"date":"20261103"}', "either a row or a report"),
        (b'{"date":"20261103","row":{},"report":{"rowCount":1,"metadata":{}}}', "either a row or a report"),
        (b'{"date":"20261103","row":{}}', "lacks the dimension 'sessionSource'"),
        (b'{"date":"20261103","row":{"sessions":1}}', "Expected `str`"),
        (b'{"date":"2026-11-03","report":{"rowCount":1,"metadata":{}}}', "Expected a date"),
    ],
)
def test_a_payload_that_is_none_of_ours_is_refused_with_the_reason(payload: bytes, reason: str) -> None:
    found = records.taken(SESSIONS, payload)
    assert isinstance(found, Reject)
    assert reason in found.reason
    assert found.payload == payload


def test_a_report_of_totals_has_one_row_a_day() -> None:
    assert taken(DAYS, date(2026, 11, 3), ()).record_id == "2026-11-03/total"
    told = records.taken(DAYS, records.report_payload(date(2026, 11, 3), 1, {"currencyCode": "USD"}))
    assert told.record_id == "2026-11-03"
