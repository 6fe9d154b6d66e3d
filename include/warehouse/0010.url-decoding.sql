set local role tributary_pipeline;

-- Bytes that are no UTF-8 are told by their pattern: an error that is caught would keep a query from running in parallel.
create function ops.url_decoded(encoded text) returns text
language sql immutable strict parallel safe
as $$
    select
        case
            when encoded !~ '%[0-9A-Fa-f]{2}' then encoded
            else (
                select
                    case
                        when
                            bytes.hex ~ (
                                '^(0[1-9a-f]|[1-7][0-9a-f]|(c[2-9a-f]|d[0-9a-f])[89ab][0-9a-f]'
                                || '|e0[ab][0-9a-f][89ab][0-9a-f]|ed[89][0-9a-f][89ab][0-9a-f]'
                                || '|e[1-9a-cef]([89ab][0-9a-f]){2}|f0[9ab][0-9a-f]([89ab][0-9a-f]){2}'
                                || '|f[1-3]([89ab][0-9a-f]){3}|f48[0-9a-f]([89ab][0-9a-f]){2})*$'
                            )
                            then convert_from(decode(bytes.hex, 'hex'), 'UTF8')
                        else encoded
                    end
                from (
                    select
                        string_agg(
                            case
                                when length(part.found[1]) = 3 then lower(substr(part.found[1], 2))
                                else encode(convert_to(part.found[1], 'UTF8'), 'hex')
                            end,
                            '' order by part.position
                        ) as hex
                    from regexp_matches(encoded, '%[0-9A-Fa-f]{2}|.', 'g') with ordinality as part (found, position)
                ) as bytes
            )
        end
$$;
comment on function ops.url_decoded is
'a value of a web address with %41 and the like as the characters that they mean; what they do not mean stays';
