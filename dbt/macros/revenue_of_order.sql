{#- What an order is worth, by the components of one row: the only place that says so. -#}
{% macro revenue_of_order(row) -%}
    case
        when not {{ row }}.is_counted then 0.00
        else
            {{ row }}.gross_sales - {{ row }}.discounts + {{ row }}.shipping - {{ row }}.refunds
            + case when {{ row }}.revenue_includes_tax then {{ row }}.tax_charged - {{ row }}.tax_refunded else 0.00 end
    end
{%- endmacro %}
