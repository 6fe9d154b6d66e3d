{#- The rows of a relation on the days that this build is about. OFFSET 0 keeps the planner from folding the inner
    query, so that the bounds of each day reach the index (merchant_id, event_at) below the views, through a union of
    channels too. -#}
{% macro in_scope(relation, at) -%}
    {%- set days = scope_days() -%}
    {%- if days -%}
        (
            select in_day.*
            from {{ days }} as days
            inner join lateral (
                select candidates.*
                from {{ relation }} as candidates
                where
                    candidates.merchant_id = days.merchant_id
                    and candidates.{{ at }} >= days.starts_at
                    and candidates.{{ at }} < days.ends_at
                offset 0
            ) as in_day on true
        )
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
