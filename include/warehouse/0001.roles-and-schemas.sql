-- Who may do what. Roles belong to the whole server, so another database may have made them already.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['tributary_pipeline', 'tributary_reader', 'tributary_merchant_reader'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            begin
                execute format('create role %I nologin', wanted);
            exception
                when duplicate_object or unique_violation then null;
            end;
        end if;
    end loop;
    -- Since PostgreSQL 16 whoever creates a role may administer it, but not yet act as it.
    begin
        set local role tributary_pipeline;
        set local role none;
    exception
        when insufficient_privilege then execute format('grant tributary_pipeline to %I', current_user);
    end;
    execute format('grant create, temporary on database %I to tributary_pipeline', current_database());
end
$$;

create schema if not exists raw authorization tributary_pipeline;
create schema if not exists staging authorization tributary_pipeline;
create schema if not exists intermediate authorization tributary_pipeline;
create schema if not exists build authorization tributary_pipeline;
create schema if not exists marts authorization tributary_pipeline;
create schema if not exists audit authorization tributary_pipeline;
create schema if not exists snapshots authorization tributary_pipeline;
-- The migration ledger lives in ops, so that schema is here already.
alter schema ops owner to tributary_pipeline;
grant all on all tables in schema ops to tributary_pipeline;

-- A merchant's own reader gets each mart together with its row-level security, never by default.
grant usage on schema marts to tributary_reader, tributary_merchant_reader;
grant usage on schema audit to tributary_reader;
alter default privileges for role tributary_pipeline in schema marts grant select on tables to tributary_reader;
alter default privileges for role tributary_pipeline in schema audit grant select on tables to tributary_reader;
