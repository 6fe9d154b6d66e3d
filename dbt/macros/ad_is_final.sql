{#- Whether a platform has stopped restating an account's day: the same account's day so many days later was read, with
    or without campaigns. It is that very day, so that its arrival touches exactly one other (`restated_for` of the
    stream). -#}
{% macro ad_is_final(reading, channel, report, days) -%}
    exists (
        select 1
        from {{ ref('stg_' ~ channel ~ '__account_days') }} as later
        where
            later.merchant_id = {{ reading }}.merchant_id
            and later.report = '{{ report }}'
            and later.record_id
            = to_char({{ reading }}.measured_at at time zone 'UTC' + interval '{{ days }} days', 'YYYY-MM-DD')
            || '/'
            || {{ reading }}.account_id
        offset 0
    )
{%- endmacro %}
