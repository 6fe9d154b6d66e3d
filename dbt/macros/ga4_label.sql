{#- A source, medium, campaign or page as GA4 names it; what it leaves empty is not set, as it mostly says itself. -#}
{% macro ga4_label(text) -%}
    coalesce(nullif({{ without_contacts(text) }}, ''), '(not set)')
{%- endmacro %}
