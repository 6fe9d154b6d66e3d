{#- An amount that the vendor sends as text, and as an empty text, or not at all, where there is none. -#}
{% macro amount(text) -%}
    coalesce(nullif({{ text }}, '')::numeric, 0.00)
{%- endmacro %}
