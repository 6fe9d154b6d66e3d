set local role tributary_pipeline;

alter table ops.merchants
add column domains text[] not null default '{}',
add column personal_data_days integer;
comment on column ops.merchants.domains is 'the shop''s own: who comes from there was there already';
comment on column ops.merchants.personal_data_days is 'how long raw keeps people''s data; null: as long as the rest';

create table ops.product_costs (
    merchant_id text not null,
    sku text not null,
    valid_from date not null,
    unit_cost numeric(38, 6) not null,
    primary key (merchant_id, sku, valid_from)
);
comment on table ops.product_costs is
'what a unit costs the merchant, in the merchant''s currency, from a day on until the next row''s day';

create table ops.traffic_sources (
    merchant_id text not null,
    source text not null,
    medium text not null,
    channel text not null,
    is_paid boolean not null,
    ad_platform text,
    primary key (merchant_id, source, medium)
);
comment on table ops.traffic_sources is
'the marketing channel of a source and medium; * is any, exact beats an exact source, that beats an exact medium';

create table ops.referrers (
    merchant_id text not null,
    domain text not null,
    source text not null,
    medium text not null,
    primary key (merchant_id, domain)
);
comment on table ops.referrers is
'source and medium of who comes from a domain without saying so; the longest domain that the referrer ends with counts';
