{#- Whether TikTok has stopped restating a day: the shop's own figures of the day three days later are there. It is that
    very day, so that its arrival touches exactly one other (`restated_for` of the stream). -#}
{% macro tiktok_shop_is_final(reading) -%}
    exists (
        select 1
        from {{ ref('stg_tiktok_shop__shop_performance') }} as later
        where
            later.merchant_id = {{ reading }}.merchant_id
            and later.measured_at = {{ reading }}.measured_at + interval '72 hours'
        offset 0
    )
{%- endmacro %}
