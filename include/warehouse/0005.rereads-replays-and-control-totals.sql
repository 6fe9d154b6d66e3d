set local role tributary_pipeline;

alter table ops.syncs
add column kind text not null default 'sync' check (kind in ('sync', 'reread', 'replay'));
comment on column ops.syncs.kind is
'a sync goes on from the checkpoint, a reread reads a past window again, a replay takes dead letters up again';

create table ops.control_totals (
    merchant_id text not null,
    channel text not null,
    date_day date not null,
    shop_orders bigint not null,
    shop_gross_sales numeric(38, 2),
    warehouse_orders bigint not null,
    warehouse_gross_sales numeric(38, 2) not null,
    agrees boolean not null,
    rereads integer not null default 0,
    asked_at timestamptz not null default now(),
    primary key (merchant_id, channel, date_day)
);
comment on table ops.control_totals is
'what the shop says of its closed days by another road than the sync, and what raw holds of them';
