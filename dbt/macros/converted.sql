{#- An account's amount in the merchant's currency. It is multiplied before it is divided, so that no digit of the rate
    between them is lost; null when one of the two rates is missing. -#}
{% macro converted(amount, rated) -%}
    case
        when {{ rated }}.is_merchant_currency then {{ amount }}
        else round({{ amount }} * {{ rated }}.merchant_rate / {{ rated }}.account_rate, 6)
    end
{%- endmacro %}
