"""Whatever the window and the time zone: its days are whole, follow each other, and leave no moment out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tributary.channels.klaviyo.whole_days import Days, midnight, standing, touched
from tributary.channels.records import noon

moments = st.timedeltas(timedelta(0), timedelta(days=730)).map(lambda since: datetime(2026, 1, 1, tzinfo=UTC) + since)
zones = st.sampled_from(["America/New_York", "Europe/Berlin", "UTC", "Pacific/Auckland", "Asia/Kolkata"]).map(ZoneInfo)


@given(start=moments, length=st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), zone=zones)
def test_the_touched_days_cover_the_window(start: datetime, length: timedelta, zone: ZoneInfo) -> None:
    days = touched(start, start + length, zone)
    assert midnight(days.first, zone) <= start < midnight(days.first + timedelta(days=1), zone)
    assert midnight(days.last, zone) < start + length <= midnight(days.after, zone)


@given(start=moments, length=st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), most=st.integers(1, 90))
def test_parts_stand_in_slices_that_touch(start: datetime, length: timedelta, most: int) -> None:
    days = touched(start, start + length, ZoneInfo("UTC"))
    parts = list(days.parts(most))
    assert [day for part in parts for day in part] == list(days)
    assert all(len(list(part)) == most for part in parts[:-1])
    # A slice from noon to noon gives back its own days.
    assert [standing(noon(part.first), noon(part.after)) for part in parts] == parts


@given(start=moments, length=st.timedeltas(timedelta(0), timedelta(days=5)))
def test_a_date_stands_in_the_window_of_its_noon(start: datetime, length: timedelta) -> None:
    end = start + length
    around = Days(start.date() - timedelta(days=1), end.date() + timedelta(days=1))
    assert list(standing(start, end)) == [day for day in around if start <= noon(day) < end]
