-- What must never be changed again belongs to a role that nobody can log in as. Roles belong to the whole server.
do $$
begin
    if not exists (select from pg_roles where rolname = 'tributary_audit') then
        begin
            create role tributary_audit nologin;
        exception
            when duplicate_object or unique_violation then null;
        end;
    end if;
    -- Since PostgreSQL 16 whoever creates a role may administer it, but not yet act as it: that is until the end here.
    begin
        set local role tributary_audit;
        set local role none;
    exception
        when insufficient_privilege then execute format('grant tributary_audit to %I', current_user);
    end;
end
$$;
-- The owner of a schema may drop what is in it, so the schema goes the same way.
alter schema audit owner to tributary_audit;

set local role tributary_audit;
grant usage on schema audit to tributary_pipeline, tributary_reader;

create table audit.erasures (
    erasure_id uuid primary key default gen_random_uuid(),
    merchant_id text not null,
    asked_by text not null,
    asked_at timestamptz not null default now(),
    reason text not null,
    is_dry_run boolean not null,
    key_digest text not null,
    new_key text,
    outcome text not null check (outcome in ('dry run', 'erased', 'erased before', 'refused')),
    remark text,
    rows jsonb not null default '{}'
);
comment on table audit.erasures is 'who had whom erased, when and why; rows are added, never changed';
comment on column audit.erasures.key_digest is 'digest of the customer_key that was asked for; the key itself is nowhere';
comment on column audit.erasures.new_key is 'the customer_key that the figures have instead';
comment on column audit.erasures.rows is 'how many rows of which tables';
grant select, insert on audit.erasures to tributary_pipeline;
grant select on audit.erasures to tributary_reader;

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

-- A value that is masked already carries its key, so that figures know the person by it.
create or replace function ops.customer_key(merchant_id text, identity text) returns text
language sql stable strict parallel safe
as $$
    select case
        when strpos(customer_key.identity, ':masked:') > 0
            then split_part(customer_key.identity, ':masked:', 2)
        else encode(
            sha256(
                (select value from ops.secrets where name = 'customer_key')
                || convert_to(customer_key.merchant_id || '/' || customer_key.identity, 'UTF8')
            ),
            'hex'
        )
    end
$$;

create table ops.erased_identities (
    merchant_id text not null,
    identity_digest text not null,
    token text not null,
    erased_at timestamptz not null default now(),
    looked_at timestamptz not null default now(),
    primary key (merchant_id, identity_digest)
);
comment on table ops.erased_identities is 'who was erased, by keyed digests: what of them comes back is masked again';
comment on column ops.erased_identities.identity_digest is 'ops.customer_key of the identity as it was';
comment on column ops.erased_identities.looked_at is 'what was loaded until then has been looked through';

create function ops.without(payload jsonb, path text[]) returns jsonb
language plpgsql immutable parallel safe
as $$
begin
    if path[1] = '*' and jsonb_typeof(payload) = 'array' then
        return (
            select coalesce(jsonb_agg(ops.without(element.value, path[2:]) order by element.position), '[]')
            from jsonb_array_elements(payload) with ordinality as element (value, position)
        );
    elsif jsonb_typeof(payload) is distinct from 'object' or not payload ? path[1] then
        return payload;
    elsif cardinality(path) = 1 then
        return payload - path[1];
    end if;
    return jsonb_set(payload, path[:1], ops.without(payload -> path[1], path[2:]));
end
$$;
comment on function ops.without is 'the payload without what is at the path; * in it is every element of a list';

create function ops.with_only(payload jsonb, path text[], keys text[]) returns jsonb
language plpgsql immutable parallel safe
as $$
declare
    few jsonb;
begin
    if jsonb_typeof(payload #> path) is distinct from 'object' then
        return payload;
    end if;
    select coalesce(jsonb_object_agg(field.key, field.value), '{}')
    into few
    from jsonb_each(payload #> path) as field
    where field.key = any(keys);
    return case when path = '{}' then few else jsonb_set(payload, path, few) end;
end
$$;
comment on function ops.with_only is 'the payload with no other fields at the path than these';
