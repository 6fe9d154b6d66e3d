set local role tributary_pipeline;

alter table ops.check_results
add column dag_id text,
add column schema_name text,
add column owner text,
add column runbook text,
add column looks_back boolean not null default false,
add column root text;
comment on column ops.check_results.schema_name is 'where the dataset was judged: raw, build, a backfill''s schema';
comment on column ops.check_results.root is
'the dataset whose absence is why this one could not be judged; nobody has to look at both';
create index check_results_by_dataset on ops.check_results (merchant_id, dataset, checked_at desc);

create table ops.failed_rows (
    failed_row_id bigint generated always as identity primary key,
    dag_id text not null,
    run_id text not null,
    merchant_id text,
    dataset text not null,
    check_name text not null,
    row jsonb not null,
    failed_at timestamptz not null default now()
);
comment on table ops.failed_rows is 'keys and figures of rows that a check objected to, never people; kept for 30 days';
create index failed_rows_by_run on ops.failed_rows (run_id, merchant_id, dataset);

create table ops.messages (
    message_id bigint generated always as identity primary key,
    service text not null check (service in ('slack', 'pagerduty')),
    channel text not null,
    body jsonb not null,
    thread_id bigint references ops.messages on delete cascade,
    created_at timestamptz not null default now(),
    attempted_at timestamptz,
    attempts integer not null default 0,
    is_unclear boolean not null default false,
    error text,
    sent_at timestamptz,
    sent_body jsonb,
    sent_as text,
    sent_to text
);
comment on table ops.messages is
'what is to be said, written together with what it is about; sent afterwards, once, when the service answers';
comment on column ops.messages.channel is
'Slack''s channel; of PagerDuty the key that one alert has from trigger to resolve';
comment on column ops.messages.thread_id is 'the message that this one answers, in its thread';
comment on column ops.messages.is_unclear is
'an attempt was not answered: it is looked for at the service before it is sent again';
comment on column ops.messages.sent_body is 'what the service has; a message whose body is another one is edited';
comment on column ops.messages.sent_as is 'the service''s own name of it, Slack''s ts';
comment on column ops.messages.sent_to is 'the service''s own name of the channel: Slack edits and reads by no other';
create index messages_to_send on ops.messages (message_id) where sent_body is null or sent_body <> body;

create table ops.incidents (
    incident_id bigint generated always as identity primary key,
    merchant_id text,
    dataset text not null,
    check_name text not null,
    severity text not null check (severity in ('blocking', 'warning')),
    status text not null default 'open' check (status in ('open', 'resolved')),
    holds_back boolean not null,
    what text not null,
    examples jsonb not null default '[]',
    remedy text,
    owner text,
    runbook text,
    dag_id text not null,
    run_id text not null,
    run_url text not null,
    run_started_at timestamptz not null,
    opened_at timestamptz not null,
    last_seen_at timestamptz not null,
    told_at timestamptz,
    resolved_at timestamptz,
    escalated_at timestamptz,
    muted_until timestamptz,
    occurrences integer not null default 1,
    root_id bigint references ops.incidents on delete set null,
    message_id bigint references ops.messages
);
comment on table ops.incidents is 'what is or was wrong: one open row per check, dataset, merchant and severity';
comment on column ops.incidents.merchant_id is 'null when it is about no merchant alone, as a run that failed';
comment on column ops.incidents.what is 'what was measured, in words, at the latest time';
comment on column ops.incidents.run_id is 'the run that saw it last';
comment on column ops.incidents.told_at is
'when people were called: at first, at its return, at the end of a mute; the time to respond counts from it';
comment on column ops.incidents.muted_until is 'as long as it is muted nobody hears of it';
comment on column ops.incidents.root_id is 'the incident that explains this one; only that one is told';
comment on column ops.incidents.message_id is 'the message that told it, whose thread goes on with it';
create unique index incidents_open on ops.incidents (merchant_id, dataset, check_name, severity)
nulls not distinct where status = 'open';

create table ops.mutes (
    mute_id bigint generated always as identity primary key,
    merchant_id text,
    dataset text not null,
    check_name text not null,
    severity text not null check (severity in ('blocking', 'warning')),
    muted_by text not null,
    reason text not null,
    muted_at timestamptz not null default now(),
    expires_at timestamptz not null
);
comment on table ops.mutes is
'who silenced which incident, why, and until when; it holds for the same incident when it returns';
comment on column ops.mutes.severity is 'a warning that was muted is heard of when it becomes blocking';
create index mutes_by_incident on ops.mutes (dataset, check_name, expires_at);

create view ops.open_incidents as
select
    incident_id as number,
    severity,
    merchant_id,
    dataset,
    check_name,
    opened_at as since,
    occurrences as times,
    case when muted_until > now() then muted_until end as muted_until,
    root_id as explained_by,
    owner,
    runbook
from ops.incidents
where status = 'open'
order by severity, opened_at, incident_id;
comment on view ops.open_incidents is 'what is wrong now, for people: the most severe first, then the oldest';
comment on column ops.open_incidents.explained_by is 'the number of the incident to look at instead';
