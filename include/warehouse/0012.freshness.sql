set local role tributary_pipeline;

alter table ops.checkpoints
add column read_at timestamptz,
add column as_of timestamptz;
comment on column ops.checkpoints.read_at is
'when a sync last went through all of its slices, by the warehouse''s clock; null until one did';
comment on column ops.checkpoints.as_of is 'the vendor''s own present, up to which that sync read';

create table ops.merchant_channels (
    merchant_id text not null,
    channel text not null,
    connected_at timestamptz not null default now(),
    primary key (merchant_id, channel)
);
comment on table ops.merchant_channels is 'which merchant has which channel, as merchants.yaml says';

create table ops.streams (
    channel text not null,
    stream text not null,
    sla interval not null,
    blocks_after interval not null,
    primary key (channel, stream)
);
comment on table ops.streams is 'what the channels declare of their streams; filled by the migration of the warehouse';
comment on column ops.streams.blocks_after is 'beyond it nothing of the merchant is published';

-- Whether a day was published since it ended is asked of every build.
create index publications_by_day on ops.publications (merchant_id, date_day, published_at);

-- How old what was read is: what the last whole sync left out of the vendor's present, and what has passed since. So it
-- does not matter that the vendor's clock and this one differ, nor that a quiet shop has no new rows. What a later sync
-- read that did not come to its end does not count. A stream that was never read whole is judged by its progress: a
-- long history must not hold its merchant back while it moves.
-- The row-level security of the marts does not reach a view, so the view asks the same itself.
create view marts.fct_freshness with (security_barrier) as
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
    aged.behind > aged.blocks_after as is_stale
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
where
    pg_has_role('tributary_pipeline', 'usage')
    or pg_has_role('tributary_reader', 'usage')
    or aged.merchant_id = any(ops.readable_merchants());
comment on view marts.fct_freshness is 'how far each stream of each merchant was read, and whether that is late';
grant select on marts.fct_freshness to tributary_reader, tributary_merchant_reader;
