"""`Retry-After` in all its spellings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tributary.http.retry import retry_after

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.floats(0, 1e6))
def test_seconds(seconds: float) -> None:
    assert retry_after({"Retry-After": str(seconds)}, lambda: NOW) == seconds


@given(moments, st.integers(0, 100_000), st.booleans())
def test_an_http_date_counts_from_the_answers_own_date(sent: datetime, wait: int, usegmt: bool) -> None:
    sent = sent.replace(microsecond=0)
    headers = {
        "Retry-After": format_datetime(sent + timedelta(seconds=wait), usegmt=usegmt),
        "Date": format_datetime(sent, usegmt=True),
    }
    assert retry_after(headers, lambda: NOW) == wait


def test_an_http_date_counts_from_now_when_the_answer_has_no_date() -> None:
    headers = {"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}
    assert retry_after(headers, lambda: NOW) == 90


@pytest.mark.parametrize("value", ["-5", "Fri, 20 Nov 2020 12:00:00 GMT"])
def test_the_past_means_now(value: str) -> None:
    assert retry_after({"Retry-After": value}, lambda: NOW) == 0


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "-inf", "Fri, 99 Nov"])
def test_the_unreadable_is_no_wait_asked_for(value: str) -> None:
    assert retry_after({"Retry-After": value}, lambda: NOW) is None


@given(st.text())
def test_no_header_breaks_it(value: str) -> None:
    seconds = retry_after({"Retry-After": value, "Date": value}, lambda: NOW)
    assert seconds is None or seconds >= 0


def test_absent() -> None:
    assert retry_after({}, lambda: NOW) is None
