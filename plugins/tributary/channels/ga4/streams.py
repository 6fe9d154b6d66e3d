"""What Google Analytics 4 gives Tributary."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tributary.channels.ga4 import reports
from tributary.channels.ga4.reading import Daily
from tributary.channels.ga4.records import ONE_DAY
from tributary.declaration import Channel, Stream

if TYPE_CHECKING:
    from tributary.channels.ga4.reports import Report

API_VERSION = "v1beta"
LOOK_BACK = timedelta(days=4)
"""For how long Google Analytics goes on processing a day's events."""


def _stream(report: Report, *, is_quiet: bool = True, restated_for: timedelta | None = None) -> Stream:
    daily = Daily(report)
    return Stream(
        name=report.name,
        changed=daily.changed,
        happened=daily.happened,
        by_id=daily.by_id,
        replay=daily.replay,
        history=daily.history,
        cursor="none: every sync reads the last days again",
        slice_length=ONE_DAY,
        look_back=LOOK_BACK,
        sla=timedelta(hours=2),
        budget="tokens",
        per_request=reports.PAGE_SIZE,
        requests_a_day=1,
        write="replace_slice",
        restated_for=restated_for,
        api_version=API_VERSION,
        quiet=frozenset({report.name}) if is_quiet else frozenset(),
    )


DAYS = _stream(reports.DAYS, is_quiet=False, restated_for=LOOK_BACK + ONE_DAY)
SESSIONS = _stream(reports.SESSIONS, is_quiet=False)
FUNNEL_EVENTS = _stream(reports.FUNNEL_EVENTS, is_quiet=False)
TRANSACTIONS = replace(
    _stream(reports.TRANSACTIONS),
    links={"transaction": "payload #>> '{row,transactionId}'"},
    # Its amounts are claims; what counts is where the buyer came from.
    matters={
        "transactions": "jsonb_build_array(payload #> '{row,sessionSource}', payload #> '{row,sessionMedium}', "
        "payload #> '{row,sessionCampaignName}')"
    },
)
AD_COST = _stream(reports.AD_COST)

GA4 = Channel(
    name="ga4",
    conn_type="ga4",
    hook="tributary.channels.ga4.hook.Ga4Hook",
    schedule="@hourly",
    pool="ga4",
    streams=(DAYS, SESSIONS, FUNNEL_EVENTS, TRANSACTIONS, AD_COST),
)
