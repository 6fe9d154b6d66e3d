{#- Whether a Shopify order counts; null-safe, since the vendor may leave the status out. -#}
{% macro shopify_is_counted(order) -%}
    coalesce(
        {{ order }}.financial_status in ('PAID', 'PARTIALLY_PAID', 'PARTIALLY_REFUNDED', 'REFUNDED')
        and not {{ order }}.is_cancelled
        and not {{ order }}.is_test,
        false
    )
{%- endmacro %}
