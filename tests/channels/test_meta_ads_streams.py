"""Campaigns' days equal the truth: through restatement, other names, deleted campaigns and rows that vanish."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession

from tests.channels.meta_ads_road import A_DAY, APP_SECRET, CANADA, NOW, START, STREAM, TODAY, TOKEN, US
from tributary.channels.meta_ads.insights import FIELDS, asked
from tributary.channels.meta_ads.streams import CAMPAIGN_DAYS
from tributary.http import BrokenResponse, PagingError, RequestRefused

if TYPE_CHECKING:
    from tests.channels.meta_ads_road import Road

RETARGETING, RENAMED = "120210000000000102", "120210000000000202"
DELETED, FORGOTTEN = "120210000000000203", "120210000000000104"


def every_day() -> list[date]:
    return [START.date() + n * A_DAY for n in range((TODAY - START.date()).days + 1)]


def test_every_campaigns_day_of_both_accounts_equals_the_truth(meta_road: Road) -> None:
    report = meta_road.sync()
    truth = meta_road.truth()
    assert meta_road.held() == truth
    assert {key.split("/")[1] for key in truth} == {US, CANADA}
    assert {day.currency for day in truth.values()} == {"USD", "CAD"}
    # Days without delivery are known to have been read.
    assert meta_road.days_read() == {f"{on}/{account}" for on in every_day() for account in (US, CANADA)}
    assert (report.counts.rejected, report.position, report.slices) == (0, NOW, 1)
    assert meta_road.slept == [1, 2, 4] * 2


def test_a_long_first_range_is_made_in_the_background_and_the_next_syncs_at_once(meta_road: Road) -> None:
    before = len(meta_road.runs())
    meta_road.sync()
    ranges = [(account, str(START.date()), str(TODAY), "Job Completed") for account in (US, CANADA)]
    assert meta_road.runs()[before:] == ranges
    meta_road.sync()
    assert len(meta_road.runs()) == before + 2


def test_rows_stand_at_noon_of_their_day_under_the_vendors_version(meta_road: Road) -> None:
    meta_road.sync()
    columns = "array[event_at::text, updated_at::text, api_version]"
    for record_id, (event_at, updated_at, version) in meta_road.raw(STREAM, columns).items():
        assert event_at == updated_at == f"{record_id[:10]} 12:00:00+00"
        assert version == "v26.0"


def test_four_weeks_of_restatement_end_where_the_truth_does(moving_meta: Road) -> None:
    """Read every week: what is older than four weeks is final, and all of it is as Meta shows it."""
    road = moving_meta
    road.sync()
    happened: set[str] = set()
    for _ in range(5):
        road.forget_changes()
        road.advance(timedelta(days=7))
        road.sync()
        happened.update(road.changed().values())
        assert road.held() == road.truth()
    assert happened == {"insert", "update", "delete"}
    final = {key: day for key, day in road.truth(final=True).items() if key[:10] <= f"{TODAY + timedelta(days=7)}"}
    assert {key: day for key, day in road.held().items() if key[:10] <= f"{TODAY + timedelta(days=7)}"} == final
    # Today is what it is where each account is: 01:00 in New York, 22:00 of the day before in Vancouver.
    road.advance(timedelta(hours=18))
    road.sync()
    assert [max(key for key in road.days_read() if key.endswith(account)) for account in (US, CANADA)] == [
        f"{TODAY + 36 * A_DAY}/{US}",
        f"{TODAY + 35 * A_DAY}/{CANADA}",
    ]


def test_a_second_sync_writes_only_what_changed(meta_road: Road) -> None:
    road = meta_road
    road.sync()
    road.forget_changes()
    counts = road.sync().counts
    assert (counts.inserted, counts.updated, counts.removed, counts.rejected) == (0, 0, 0, 0)
    assert road.changed() == {}
    road.happens(f"days/{TODAY - 20 * A_DAY}/{RETARGETING}/adjust", counter="value", by="12.50")
    counts = road.sync().counts
    assert (counts.inserted, counts.updated, counts.removed) == (0, 1, 0)
    assert road.changed() == {f"{TODAY - 20 * A_DAY}/{US}/{RETARGETING}": "update"}
    assert road.held() == road.truth()


def test_a_renamed_campaign_keeps_its_id_and_days_their_name_of_when_they_were_read(meta_road: Road) -> None:
    road = meta_road
    road.sync()
    before = road.held()
    road.happens(f"campaigns/{RENAMED}/rename", name="Québec")
    road.sync()
    after = road.held()
    assert after.keys() == before.keys()
    first_again = f"{(NOW - timedelta(days=28)).date()}"
    assert {(key[:10] >= first_again, day.name) for key, day in after.items() if key.endswith(RENAMED)} == {
        (True, "Québec"),
        (False, "Québec, plein air"),
    }
    assert {day._replace(name="") for day in after.values()} == {day._replace(name="") for day in before.values()}


@pytest.mark.parametrize(("campaign", "forget"), [(DELETED, False), (FORGOTTEN, True)])
def test_a_campaign_that_is_no_more_keeps_its_history(campaign: str, forget: bool, meta_road: Road) -> None:
    road = meta_road
    road.sync()
    before = road.held()
    road.happens(f"campaigns/{campaign}/delete", forget=forget)
    assert road.sync().counts.removed == 0
    assert road.held() == before
    shown = {key for key in road.truth() if key.endswith(campaign)}
    assert shown == (set() if forget else {key for key in before if key.endswith(campaign)})


def test_a_day_that_turns_out_to_be_nothing_is_gone_and_an_older_one_when_it_is_read_again_by_hand(
    meta_road: Road,
) -> None:
    road = meta_road
    road.sync()
    vanished, older = (f"{TODAY - days * A_DAY}/{US}/{RETARGETING}" for days in (9, 31))
    of_a_deleted_campaign = next(key for key in road.held() if key.endswith("105"))
    for record_id in (vanished, older, of_a_deleted_campaign):
        road.vanishes(record_id)
    road.forget_changes()
    assert road.sync().counts.removed == 1
    assert road.changed() == {vanished: "delete"}
    assert road.reread(STREAM, START, NOW + 9 * A_DAY).removed == 2
    assert road.changed().keys() == {vanished, older, of_a_deleted_campaign}
    assert road.held() == road.truth()
    # A day that has not begun is not known to be empty.
    assert max(road.days_read())[:10] == str(TODAY)


def test_small_pages_bring_the_same(meta_road: Road) -> None:
    meta_road.sync(api=meta_road.api(page_size=21))
    assert meta_road.held() == meta_road.truth()


def test_pages_that_repeat_are_noticed_and_nothing_of_them_is_kept(meta_road: Road) -> None:
    meta_road.fault("repeated", "/v26.0/*/insights", times=None, skip=1)
    with pytest.raises(PagingError):
        meta_road.sync(api=meta_road.api(page_size=50))
    assert meta_road.raw(STREAM) == {}


def test_a_row_of_another_day_is_refused(meta_road: Road) -> None:
    meta_road.sync()
    other = {"data": {"*": {"date_start": "2026-10-12", "date_stop": "2026-10-12"}}}
    meta_road.fault("merged", merge=other)
    with pytest.raises(BrokenResponse, match="a row of 2026-10-12 where 2026-10-23 to 2026-11-20 were asked for"):
        meta_road.sync()
    assert meta_road.held() == meta_road.truth()


def test_what_meta_has_forgotten_is_not_asked_for(meta_road: Road) -> None:
    assert CAMPAIGN_DAYS.history is not None
    first, *_ = CAMPAIGN_DAYS.history(meta_road.api(), datetime(2015, 1, 1, tzinfo=UTC), NOW)
    assert (first.start, first.end - first.start) == (
        datetime(2023, 11, 1, 12, tzinfo=UTC),
        timedelta(days=90),
    )
    assert list(meta_road.api().insights(meta_road.api().accounts()[0], asked(first.start.date(), first.start.date())))
    with pytest.raises(RequestRefused, match=r"beyond 37 months .* Meta keeps 37 months; name a later first day"):
        meta_road.reread(STREAM, datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 1, 9, tzinfo=UTC))


def test_the_official_client_reads_the_same_rows(meta_road: Road) -> None:
    meta_road.sync()
    session = FacebookSession("90000000000001", APP_SECRET, TOKEN)
    session.GRAPH = meta_road.sandbox.url
    account = AdAccount(f"act_{US}", api=FacebookAdsApi(session, api_version="v26.0"))
    since = TODAY - timedelta(days=20)
    params: dict[str, Any] = dict(asked(since, TODAY))
    params |= {name: json.loads(params[name]) for name in ("time_range", "filtering")}
    del params["fields"]
    theirs = [row.export_all_data() for row in account.get_insights(list(FIELDS), params)]
    raw = meta_road.raw(STREAM)
    ours = [raw[key]["row"] for key in sorted(raw) if key[:10] >= f"{since}" and f"/{US}/" in key]
    assert theirs == ours
