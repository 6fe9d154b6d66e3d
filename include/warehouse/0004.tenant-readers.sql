set local role tributary_pipeline;

-- The row-level security of every mart asks this. It must see the reader's own role, hence no security definer.
create function ops.readable_merchants() returns text[]
language sql stable parallel safe
as $$
    select coalesce(array_agg(substr(rolname, length('tributary_reader_') + 1)), '{}')
    from pg_catalog.pg_roles
    where rolname like 'tributary\_reader\_%' and pg_catalog.pg_has_role(oid, 'usage')
$$;
