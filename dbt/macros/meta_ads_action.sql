{#- What Meta's list of actions, or of their values, says of one kind; null where the kind is not in it. -#}
{% macro meta_ads_action(actions, kind) -%}
    (jsonb_path_query_first({{ actions }}, '$[*] ? (@.action_type == "{{ kind }}")') ->> 'value')::numeric
{%- endmacro %}
