{#- The money of a refund that none of its items explains. Where prices include tax, the items' amounts do too. -#}
{% macro shopify_beyond_items(refund, order) -%}
    greatest(
        {{ refund }}.refunded_total - {{ refund }}.item_amount - {{ refund }}.duties_refunded
        - case when {{ order }}.has_taxes_included then 0.00 else {{ refund }}.tax_refunded end,
        0.00
    )
{%- endmacro %}
