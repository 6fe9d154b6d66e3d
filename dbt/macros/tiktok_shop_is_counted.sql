{#- Whether a TikTok Shop order counts. Samples are given away, and replacements and exchanges were sold before. -#}
{% macro tiktok_shop_is_counted(order) -%}
    (
        {{ order }}.is_paid
        and not {{ order }}.is_cancelled
        and not {{ order }}.is_sample
        and not {{ order }}.is_replacement
        and not {{ order }}.is_exchange
    )
{%- endmacro %}
