set local role tributary_pipeline;

create table ops.vendor_tokens (
    grant_key text primary key,
    connection text not null,
    pair bytea not null,
    access_ends_at timestamptz not null,
    authorisation_ends_at timestamptz not null,
    replaced_at timestamptz not null default now()
);
comment on table ops.vendor_tokens is
'access and refresh tokens of authorisations that vendors renew, encrypted with the key of Airflow''s connections';
comment on column ops.vendor_tokens.grant_key is
'digest of the refresh token that the authorisation began with: a new authorisation gets a row of its own';
comment on column ops.vendor_tokens.connection is 'the Airflow connection that last used it';
