{#- The rows of a mart on a merchant's last closed days, with its own `today`, as readers will see them after this build:
    built, or published before and not built anew. LATERAL, so that each merchant's days are looked up in the primary
    keys, and years of other days are not read every hour. -#}
{% macro recent_days(mart, columns, length) -%}
    {%- set published = published_mart(mart) -%}
    {%- set days = scope_days() -%}
    (
        select
            merchants.today,
            known.*
        from (
            select
                merchant_id,
                (now() at time zone time_zone)::date as today
            from {{ source('ops', 'merchants') }}
            {%- if days %}
            where merchant_id in (select merchant_id from {{ days }})
            {%- endif %}
        ) as merchants
        inner join lateral (
            select
                built.merchant_id,
                built.date_day,
                {{ columns | join(', ') }}
            from {{ ref(mart) }} as built
            where
                built.merchant_id = merchants.merchant_id
                and built.date_day between merchants.today - {{ length }} and merchants.today - 1
            {%- if published and days %}
            union all
            select
                published.merchant_id,
                published.date_day,
                {{ columns | join(', ') }}
            from {{ published }} as published
            where
                published.merchant_id = merchants.merchant_id
                and published.date_day between merchants.today - {{ length }} and merchants.today - 1
                and not exists (
                    select 1
                    from {{ days }} as days
                    where published.merchant_id = days.merchant_id and published.date_day = days.date_day
                )
            {%- endif %}
        ) as known on true
    )
{%- endmacro %}
