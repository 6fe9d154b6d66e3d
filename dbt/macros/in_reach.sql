{#- The rows of a relation on the days that this build is about and some hours before each of them, every row once:
    spans that overlap are one. Fenced as in_scope is. -#}
{% macro in_reach(relation, at, hours) -%}
    {%- set days = scope_days() -%}
    {%- if days -%}
        (
            select in_span.*
            from (
                select
                    merchant_id,
                    unnest(range_agg(tstzrange(starts_at - interval '{{ hours }} hours', ends_at))) as span
                from {{ days }}
                group by merchant_id
            ) as spans
            inner join lateral (
                select candidates.*
                from {{ relation }} as candidates
                where
                    candidates.merchant_id = spans.merchant_id
                    and candidates.{{ at }} >= lower(spans.span)
                    and candidates.{{ at }} < upper(spans.span)
                offset 0
            ) as in_span on true
        )
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
