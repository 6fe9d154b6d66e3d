{#- Whether GA4 has stopped restating a day: the property's figures of the day five days later were read. It is that very
    day, so that its arrival touches exactly one other (`restated_for` of the stream). A day without visitors has a
    report too. -#}
{% macro ga4_is_final(reading) -%}
    exists (
        select 1
        from {{ ref('stg_ga4__reports') }} as later
        where
            later.merchant_id = {{ reading }}.merchant_id
            and later.report = 'days'
            and later.measured_at = {{ reading }}.measured_at + interval '120 hours'
        offset 0
    )
{%- endmacro %}
