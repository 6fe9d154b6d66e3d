{#- What the merchant's list of traffic sources says of a row's source and medium: at most one row, exact names first. -#}
{% macro traffic_source_of(row) -%}
    (
        select
            candidates.channel,
            candidates.is_paid,
            candidates.ad_platform
        from {{ source('ops', 'traffic_sources') }} as candidates
        where
            candidates.merchant_id = {{ row }}.merchant_id
            and candidates.source in ({{ row }}.source, '*')
            and candidates.medium in ({{ row }}.medium, '*')
        order by candidates.source = '*', candidates.medium = '*'
        limit 1
    )
{%- endmacro %}
