"""Campaigns' days of a range: at once if it is short, in the background if it is long, halved if it is too much."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec

from tributary.channels.ad_days import ONE_DAY, AdAccount
from tributary.channels.meta_ads.refusals import Error, RunFailed, RunUnfinished, TooMuchData, meant
from tributary.channels.meta_ads.shapes import Identity
from tributary.channels.payloads import neutralised
from tributary.http import BrokenResponse, HttpError, RateLimited, VendorUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tributary.channels.meta_ads.api import MetaAdsApi
    from tributary.channels.records import Rows

log = logging.getLogger(__name__)

AT_ONCE = timedelta(days=31)
"""The widest range that one synchronous request asks for: a sync's, with its look-back."""
PATIENCE = 20 * 60.0
"""Seconds that a run may take. Meta says up to an hour, but half of the range is sooner made."""
LONGEST_WAIT = 60.0
FIELDS = (
    "campaign_id",
    "campaign_name",
    "objective",
    "account_currency",
    "spend",
    "impressions",
    "clicks",
    "actions",
    "action_values",
)
# Without these Meta leaves out what was spent on campaigns that were deleted or archived since.
STATUSES = ("ACTIVE", "PAUSED", "DELETED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES")
_DONE, _FAILED = "Job Completed", {"Job Failed", "Job Skipped"}
_WHOSE = msgspec.json.Decoder(Identity)


def report(api: MetaAdsApi, account: AdAccount, first: date, last: date) -> Iterator[Rows]:
    """The rows of these days, both included."""
    waiting = [(first, last)]
    while waiting:
        since, until = waiting.pop()
        try:
            pages = _pages(api, account, since, until)
        except (TooMuchData, RunFailed) as error:
            if since == until:
                remedy = "There is no smaller report: if it stays so, Meta's support has to help."
                error.args = (f"Ad account {account.id} ({account.name}), {since} alone: {error} {remedy}",)
                raise
            log.warning("%s The range of %s to %s is halved.", error, since, until)
            middle = since + (until - since) // 2
            waiting += [(middle + ONE_DAY, until), (since, middle)]
            continue
        for rows in pages:
            _check(rows, since, until)
            yield rows


def asked(since: date, until: date) -> Mapping[str, str]:
    """The parameters of a report."""
    statuses = {"field": "campaign.effective_status", "operator": "IN", "value": STATUSES}
    return {
        "level": "campaign",
        "time_increment": "1",
        "time_range": _json({"since": since, "until": until}),
        "fields": ",".join(FIELDS),
        "filtering": _json([statuses]),
        "use_unified_attribution_setting": "true",
    }


def _pages(api: MetaAdsApi, account: AdAccount, since: date, until: date) -> Iterable[Rows]:
    """The pages, or an error before the first of them: halves would bring again what was passed on."""
    params = asked(since, until)
    if until - since < AT_ONCE:
        try:
            return list(api.insights(account, params))
        except TooMuchData:
            if since < until:
                raise
    return api.results(account, _made(api, account, since, until))


def _made(api: MetaAdsApi, account: AdAccount, since: date, until: date) -> str:
    """The id of a run that is complete; one that failed is tried once more."""
    try:
        return _run(api, account, since, until)
    except RunUnfinished:
        raise
    except RunFailed as error:
        log.warning("%s It is tried once more.", error)
        return _run(api, account, since, until)


def _run(api: MetaAdsApi, account: AdAccount, since: date, until: date) -> str:
    run_id = api.start(account, asked(since, until))
    where = f"run {run_id}"
    waited, wait = 0.0, 1.0
    while (run := api.run(account, run_id)).async_status != _DONE:
        what = f"Meta's report of ad account {account.id} ({account.name}), {since} to {until}"
        if run.async_status in _FAILED:
            raise _failure(api, account, f"{what}: {run.async_status}", run.error, where)
        if waited >= PATIENCE:
            progress = f"{run.async_status}, {run.async_percent_completion}%"
            raise RunUnfinished(f"{what} was not made in {PATIENCE / 60:.0f} minutes: {progress}", where=where)
        api.sleep(wait)
        waited += wait
        wait = min(2 * wait, LONGEST_WAIT)
    return run_id


def _failure(api: MetaAdsApi, account: AdAccount, what: str, error: Error | None, where: str) -> HttpError:
    """What a failed run's own error means; without one that says more, the run failed."""
    if error is None:
        return RunFailed(what, where=where)
    found = meant(error, where)
    if isinstance(found, VendorUnavailable):
        return RunFailed(f"{what}: {error}", where=where)
    if isinstance(found, RateLimited) and found.retry_after is not None:
        api.close_quota(account, found.retry_after, found.what)
    return found


def _check(rows: Rows, since: date, until: date) -> None:
    """A row of another day would count for a day that was not read; one that tells no day becomes a dead letter."""
    for payload in rows.payloads:
        try:
            on = _WHOSE.decode(neutralised(payload)).on
        except msgspec.DecodeError:
            continue
        if not since <= on <= until:
            raise BrokenResponse(f"Meta shows a row of {on} where {since} to {until} were asked for")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
