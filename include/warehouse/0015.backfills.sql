-- What backfills did, for ever: rows are added, never changed, and belong to a role that nobody can log in as.
do $$
begin
    -- Since PostgreSQL 16 whoever creates a role may administer it, but not yet act as it: that is until the end here.
    begin
        set local role tributary_audit;
        set local role none;
    exception
        when insufficient_privilege then execute format('grant tributary_audit to %I', current_user);
    end;
end
$$;

set local role tributary_audit;

create table audit.backfill_events (
    event_id bigint generated always as identity primary key,
    backfill_id uuid not null,
    kind text not null check (kind in ('backfill', 'rollback')),
    status text not null check (
        status in (
            'refused', 'running', 'waiting', 'dry run', 'rejected', 'expired', 'failed', 'published', 'restored',
            'rolled back'
        )
    ),
    recorded_at timestamptz not null default clock_timestamp(),
    triggered_by text,
    triggered_at timestamptz not null,
    environment text not null,
    role text not null,
    merchants text[] not null,
    date_range_start date,
    date_range_end date,
    channels text[] not null,
    models_affected text[] not null,
    mode text not null,
    is_dry_run boolean not null,
    reason text not null,
    incident text,
    restores uuid,
    approved_by text,
    rows_affected bigint,
    duration_seconds numeric(12, 1),
    code_version text,
    error text
);
create index backfill_events_by_backfill on audit.backfill_events (backfill_id, event_id);
comment on table audit.backfill_events is
'what became of every backfill and rollback, refused ones too; rows are added, never changed';
comment on column audit.backfill_events.restores is 'the backfill that a rollback takes back';

create view audit.backfills as
select distinct on (backfill_id) *
from audit.backfill_events
order by backfill_id asc, event_id desc;
comment on view audit.backfills is 'the latest state of every backfill and rollback';

-- Its owner, too.
revoke update, delete, truncate on audit.backfill_events from tributary_audit;
grant select, insert on audit.backfill_events to tributary_pipeline;
grant select on audit.backfills to tributary_pipeline;
grant select on audit.backfill_events, audit.backfills to tributary_reader;

set local role none;
do $$
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        execute format('revoke tributary_audit from %I', current_user);
    end if;
exception
    -- whoever else made this user a member has to take it back
    when insufficient_privilege then null;
end
$$;

set local role tributary_pipeline;

create table ops.backfills (
    backfill_id uuid primary key,
    kind text not null check (kind in ('backfill', 'rollback')),
    dag_id text not null,
    run_id text not null,
    run_url text not null,
    requested_by text,
    requested_at timestamptz not null default clock_timestamp(),
    environment text not null,
    role text not null,
    merchants text[] not null,
    first_day date,
    last_day date,
    channels text[] not null,
    models text[] not null,
    mode text not null,
    is_dry_run boolean not null,
    needs_approval boolean not null,
    reason text not null,
    incident text,
    restores uuid,
    code_version text,
    build_schema text not null,
    status text not null,
    step text not null,
    thread_id bigint,
    compared_at timestamptz,
    approved_by text,
    rows_affected bigint,
    error text
);
create index backfills_by_status on ops.backfills (status);
comment on table ops.backfills is 'backfills and rollbacks as they go on; what became of them: audit.backfills';
comment on column ops.backfills.models is 'the marts that it publishes';
comment on column ops.backfills.build_schema is 'where it builds beside production';
comment on column ops.backfills.step is 'the task that it came to';
comment on column ops.backfills.thread_id is 'the message in ops.messages that its story is told below';
comment on column ops.backfills.compared_at is 'when the difference was taken that people saw';

create table ops.leases (
    merchant_id text primary key,
    backfill_id uuid not null,
    holder text not null,
    reason text not null,
    since timestamptz not null default clock_timestamp(),
    heartbeat_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    days date[] not null
);
comment on table ops.leases is 'which merchants'' days are being reprocessed: their scheduled publication waits';
comment on column ops.leases.expires_at is 'its holder is taken for dead after it';

create table ops.backfill_reads (
    backfill_id uuid not null,
    merchant_id text not null,
    channel text not null,
    stream text not null,
    window_start timestamptz not null,
    window_end timestamptz not null,
    sync_id uuid not null,
    records_read bigint not null,
    differing bigint not null,
    finished_at timestamptz not null default clock_timestamp(),
    primary key (backfill_id, merchant_id, channel, stream, window_start)
);
comment on table ops.backfill_reads is 'which windows a backfill has read again: a retry goes on behind the last one';

create table ops.backfill_differences (
    backfill_id uuid not null,
    merchant_id text not null,
    date_day date not null,
    measure text not null,
    channel text not null default '',
    is_asked boolean not null,
    old numeric,
    new numeric,
    primary key (backfill_id, merchant_id, date_day, measure, channel)
);
comment on table ops.backfill_differences is 'what readers see of a day, and what they would see after a backfill';
comment on column ops.backfill_differences.is_asked is 'false for days outside the range that was asked for';

create table ops.backfill_rows (
    backfill_id uuid not null,
    merchant_id text not null,
    mart text not null,
    date_day date not null,
    is_asked boolean not null,
    added bigint not null,
    removed bigint not null,
    changed bigint not null,
    primary key (backfill_id, merchant_id, mart, date_day)
);
comment on table ops.backfill_rows is 'how many rows of a mart''s day a backfill adds, removes and changes';

alter table ops.syncs drop constraint syncs_kind_check;
alter table ops.syncs add constraint syncs_kind_check check (kind in ('sync', 'reread', 'replay', 'backfill'));
comment on column ops.syncs.kind is
'a sync goes on from the checkpoint, a reread reads a past window again, a replay takes dead letters up again, '
'a backfill reads a past window to be published later';

-- As before, and whether a backfill is at work on the merchant's days.
create or replace view marts.fct_freshness with (security_barrier) as
select
    aged.merchant_id,
    aged.channel,
    aged.stream,
    aged.connected_at,
    aged.horizon,
    aged.read_at,
    round((extract(epoch from aged.behind) / 3600)::numeric, 2) as hours_behind,
    round((extract(epoch from aged.sla) / 3600)::numeric, 2) as sla_hours,
    round((extract(epoch from aged.blocks_after) / 3600)::numeric, 2) as blocks_after_hours,
    aged.read_at is null as is_loading,
    -- An hourly run takes its time: without it a healthy stream would be late for some minutes of every hour.
    aged.behind > aged.sla + interval '15 minutes' as is_beyond_sla,
    aged.behind > aged.blocks_after as is_stale,
    leases.merchant_id is not null as is_reprocessed,
    leases.since as reprocessed_since
from (
    select
        connected.merchant_id,
        connected.channel,
        streams.stream,
        connected.connected_at,
        checkpoints.read_at,
        streams.sla,
        streams.blocks_after,
        -- Both of them pass over what is null.
        least(checkpoints.position, checkpoints.as_of) as horizon,
        greatest(checkpoints.as_of - checkpoints.position, interval '0')
        + (now() - greatest(coalesce(checkpoints.read_at, checkpoints.updated_at), connected.connected_at)) as behind
    from ops.merchant_channels as connected
    inner join ops.streams as streams on connected.channel = streams.channel
    left join ops.checkpoints as checkpoints
        on
            connected.merchant_id = checkpoints.merchant_id
            and connected.channel = checkpoints.channel
            and streams.stream = checkpoints.stream
) as aged
left join ops.leases as leases on aged.merchant_id = leases.merchant_id and leases.expires_at > now()
where
    pg_has_role('tributary_pipeline', 'usage')
    or pg_has_role('tributary_reader', 'usage')
    or aged.merchant_id = any(ops.readable_merchants());
