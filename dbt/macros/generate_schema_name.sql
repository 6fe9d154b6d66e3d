{#- Views over raw live in `staging` and `intermediate`; everything else is built beside production, in the build
    schema. A backfill names its own build schema, and then every layer goes there: nothing it builds is seen. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set build_schema = env_var('TRIBUTARY_BUILD_SCHEMA', 'build') -%}
    {%- if build_schema == 'build' and custom_schema_name in ['staging', 'intermediate'] -%}
        {{ custom_schema_name }}
    {%- else -%}
        {{ build_schema }}
    {%- endif -%}
{%- endmacro %}
