set local role tributary_pipeline;

create table ops.merchants (
    merchant_id text primary key,
    name text not null,
    time_zone text not null,
    currency text not null,
    revenue_includes_tax boolean not null,
    history_start date not null,
    updated_at timestamptz not null default now()
);

create table ops.checkpoints (
    merchant_id text not null,
    channel text not null,
    stream text not null,
    position timestamptz not null,
    sync_id uuid not null,
    updated_at timestamptz not null default now(),
    primary key (merchant_id, channel, stream)
);
comment on column ops.checkpoints.sync_id is 'the sync that moved it last; the next one compares before it moves it';

create table ops.syncs (
    sync_id uuid primary key,
    merchant_id text not null,
    channel text not null,
    stream text not null,
    window_start timestamptz not null,
    window_end timestamptz not null,
    status text not null default 'running' check (status in ('running', 'succeeded', 'failed')),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    records_read bigint,
    inserted bigint,
    updated bigint,
    removed bigint,
    unchanged bigint,
    rejected bigint,
    error text
);
create index syncs_by_stream on ops.syncs (merchant_id, channel, stream, started_at);

create table ops.changes (
    change_id bigint generated always as identity primary key,
    merchant_id text not null,
    channel text not null,
    stream text not null,
    record_id text collate "C",
    operation text not null check (operation in ('insert', 'update', 'delete', 'settings')),
    old_event_at timestamptz,
    new_event_at timestamptz,
    old_payload jsonb,
    sync_id uuid,
    changed_at timestamptz not null default now(),
    build_id uuid
);
comment on table ops.changes is 'what is not published yet; a build claims rows, its publication deletes them';

create table ops.dead_letters (
    dead_letter_id bigint generated always as identity primary key,
    merchant_id text not null,
    channel text not null,
    stream text not null,
    record_id text collate "C",
    reason text not null,
    payload bytea not null,
    payload_hash bytea not null,
    sync_id uuid not null,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    times_seen integer not null default 1,
    resolved_at timestamptz,
    unique (merchant_id, channel, stream, payload_hash)
);
comment on column ops.dead_letters.payload is 'bytes, since jsonb refuses NUL and lone surrogates';

create table ops.publications (
    build_id uuid not null,
    merchant_id text not null,
    date_day date not null,
    published_at timestamptz not null default now(),
    models text[] not null,
    rows bigint not null,
    primary key (build_id, merchant_id, date_day)
);

create table ops.check_results (
    check_result_id bigint generated always as identity primary key,
    run_id text not null,
    merchant_id text,
    dataset text not null,
    check_name text not null,
    column_name text,
    level text not null check (level in ('fail', 'warn')),
    outcome text not null check (outcome in ('passed', 'failed', 'warned', 'error')),
    measured text,
    threshold text,
    remedy text,
    examples jsonb not null default '[]',
    checked_at timestamptz not null default now()
);
create index check_results_by_run on ops.check_results (run_id);
