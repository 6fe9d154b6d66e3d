{#- Whether a merchant has declared a promotion on a day. -#}
{% macro is_promotion(merchant_id, date_day) -%}
    exists (
        select 1
        from {{ source('ops', 'promotions') }} as promotions
        where
            promotions.merchant_id = {{ merchant_id }}
            and {{ date_day }} between promotions.starts_on and promotions.ends_on
    )
{%- endmacro %}
