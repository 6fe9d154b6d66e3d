set local role tributary_pipeline;

create table ops.secrets (
    name text primary key,
    value bytea not null
);
-- Two random uuids carry 244 bits from the server's strong random source, without an extension.
insert into ops.secrets (name, value)
values ('customer_key', sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));

-- Readers may not call it either: whoever can hash a guessed e-mail can find its owner. So it runs with the caller's
-- rights, and the secret stays out of query plans because it is read by the function, not folded into the query.
create function ops.customer_key(merchant_id text, identity text) returns text
language sql stable strict parallel safe
as $$
    select encode(
        sha256(
            (select value from ops.secrets where name = 'customer_key')
            || convert_to(customer_key.merchant_id || '/' || customer_key.identity, 'UTF8')
        ),
        'hex'
    )
$$;
revoke execute on function ops.customer_key from public;
