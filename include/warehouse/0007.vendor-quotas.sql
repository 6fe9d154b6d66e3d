set local role tributary_pipeline;

create table ops.vendor_quotas (
    account text not null,
    quota text not null,
    uses timestamptz[] not null default '{}',
    closed_until timestamptz,
    reason text,
    primary key (account, quota)
);
comment on table ops.vendor_quotas is
'what all tasks on all machines together have used of quotas that are too small to be learnt by refusals';
comment on column ops.vendor_quotas.account is 'whom the vendor counts: a connection''s key as a digest, or a property';
comment on column ops.vendor_quotas.uses is 'when it was used, as far back as its longest window reaches';
comment on column ops.vendor_quotas.closed_until is 'until then the vendor refuses, so nothing is asked';
comment on column ops.vendor_quotas.reason is 'in whose words it is closed';
