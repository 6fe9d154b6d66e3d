"""What Klaviyo gives Tributary."""

from __future__ import annotations

from datetime import timedelta

from tributary.channels.klaviyo import (
    campaign_values,
    campaigns,
    days,
    events,
    flow_values,
    flows,
    metrics,
    profiles,
)
from tributary.channels.klaviyo.api import REVISION
from tributary.channels.klaviyo.records import with_older
from tributary.declaration import Channel, Personal, Stream

# Nothing says how fast Klaviyo's lists show a change; re-reading what did not change costs little.
AN_HOUR = timedelta(hours=1)
A_MONTH, A_YEAR = timedelta(days=30), timedelta(days=365)
A_REPORT = 10_000
"""Rows that are taken to be in one report; Klaviyo does not say after how many it begins another page."""

METRICS = Stream(
    name="metrics",
    changed=metrics.all_metrics,
    happened=metrics.metrics_created,
    by_id=metrics.metrics_by_id,
    replay=metrics.METRICS.replayed,
    history=metrics.one_reading,
    cursor="none: all are read each time",
    slice_length=A_YEAR,
    look_back=timedelta(0),
    sla=timedelta(hours=6),
    budget=metrics.BUDGET,
    per_request=metrics.PAGE_SIZE,
    api_version=REVISION,
    quiet=frozenset({"metrics"}),
)

CAMPAIGNS = Stream(
    name="campaigns",
    changed=campaigns.changed_campaigns,
    happened=campaigns.campaigns_that_happened,
    by_id=campaigns.campaigns_by_id,
    replay=campaigns.CAMPAIGNS.replayed,
    history=with_older(campaigns.changed_campaigns, A_YEAR),
    cursor="updated_at",
    slice_length=A_YEAR,
    look_back=AN_HOUR,
    sla=timedelta(hours=6),
    budget=campaigns.BUDGET,
    per_request=campaigns.PAGE_SIZE,
    requests_a_window=2 * len(campaigns.CHANNELS),
    api_version=REVISION,
    quiet=frozenset({"campaigns"}),
)

FLOWS = Stream(
    name="flows",
    changed=flows.changed_flows,
    happened=flows.flows_created,
    by_id=flows.flows_by_id,
    replay=flows.FLOWS.replayed,
    history=with_older(flows.changed_flows, A_YEAR),
    cursor="updated",
    slice_length=A_YEAR,
    look_back=AN_HOUR,
    sla=timedelta(hours=6),
    budget=flows.BUDGET,
    per_request=flows.PAGE_SIZE,
    requests_a_window=2,
    api_version=REVISION,
    quiet=frozenset({"flows"}),
)

PROFILES = Stream(
    name="profiles",
    changed=profiles.changed_profiles,
    happened=profiles.profiles_created,
    by_id=profiles.profiles_by_id,
    replay=profiles.PROFILES.replayed,
    history=with_older(profiles.changed_profiles, A_MONTH),
    cursor="updated",
    slice_length=A_MONTH,
    look_back=AN_HOUR,
    sla=timedelta(hours=6),
    budget=profiles.BUDGET,
    per_request=profiles.PAGE_SIZE,
    api_version=REVISION,
    quiet=frozenset({"profiles"}),
    # Who clicked is told by the shop's id or by the address.
    identities={
        "customer": "payload #>> '{attributes,external_id}'",
        "email": "nullif(lower(btrim(payload #>> '{attributes,email}')), '')",
    },
    # A profile changes with every event of its person.
    matters={"profiles": "jsonb_build_array(payload #> '{attributes,external_id}', payload #> '{attributes,email}')"},
    # The rest may be anything that a form, a shop or an import brought.
    personal=Personal(
        identities={"attributes,email": "email", "attributes,external_id": "shopify"},
        links={"id": "klaviyo_profile"},
        kept={"attributes": ("email", "external_id", "created", "updated")},
    ),
)

EVENTS = Stream(
    name="events",
    changed=events.changed,
    happened=events.happened,
    by_id=events.by_id,
    replay=events.replayed,
    history=events.history,
    cursor="datetime",
    slice_length=events.SLICE,
    look_back=events.LOOK_BACK,
    sla=timedelta(hours=6),
    budget=events.BUDGET,
    per_request=events.PAGE_SIZE,
    requests_a_window=len(events.METRICS),
    api_version=REVISION,
    # A click may win an order for a week, and stands in the ledger of those of the week after as too old.
    reach=timedelta(hours=336),
    personal=Personal(
        links={"event,relationships,profile,data,id": "klaviyo_profile"},
        kept={"event,attributes,event_properties": ("$value", "$message", "$flow", "Campaign Name")},
    ),
)

DAYS = Stream(
    name="days",
    changed=days.changed,
    happened=days.happened,
    by_id=days.by_id,
    replay=days.replayed,
    history=days.history,
    cursor="date",
    slice_length=days.SLICE,
    look_back=days.LOOK_BACK,
    sla=timedelta(hours=6),
    budget=days.BUDGET,
    per_request=days.MOST_DAYS,
    api_version=REVISION,
    # A conversion is credited to the day of the message: by default up to five days after it was sent.
    restated_for=timedelta(days=6),
)

CAMPAIGN_VALUES = Stream(
    name="campaign_values",
    changed=campaign_values.changed,
    happened=campaign_values.happened,
    by_id=campaign_values.by_id,
    replay=campaign_values.replayed,
    history=campaign_values.history,
    cursor="send_time",
    slice_length=campaign_values.SLICE,
    look_back=campaign_values.LOOK_BACK,
    sla=timedelta(hours=6),
    budget=campaign_values.BUDGET,
    per_request=A_REPORT,
    api_version=REVISION,
    write="replace_slice",
    # A deleted campaign keeps its figures and loses its send time; that is no reason to fail for months.
    max_dead_letter_rate=0.2,
)

FLOW_VALUES = Stream(
    name="flow_values",
    changed=flow_values.changed,
    happened=flow_values.happened,
    by_id=flow_values.by_id,
    replay=flow_values.replayed,
    history=flow_values.history,
    cursor="date",
    slice_length=flow_values.SLICE,
    look_back=flow_values.LOOK_BACK,
    sla=timedelta(hours=6),
    budget=flow_values.BUDGET,
    per_request=A_REPORT,
    api_version=REVISION,
    write="replace_slice",
)

KLAVIYO = Channel(
    name="klaviyo",
    conn_type="klaviyo",
    hook="tributary.channels.klaviyo.hook.KlaviyoHook",
    schedule="@hourly",
    pool="klaviyo",
    streams=(METRICS, CAMPAIGNS, FLOWS, PROFILES, EVENTS, DAYS, CAMPAIGN_VALUES, FLOW_VALUES),
)
