set local role tributary_pipeline;

create table ops.promotions (
    merchant_id text not null,
    starts_on date not null,
    ends_on date not null,
    name text not null,
    primary key (merchant_id, starts_on, ends_on)
);
comment on table ops.promotions is
'days, both ends included, when a merchant expects other figures: they are no alarm, and nothing is measured by them';
