{#- The days that this build is about, as (merchant_id, date_day, starts_at, ends_at); none when it is about all. -#}
{% macro scope_days() -%}
    {%- if execute -%}
        {{ return(adapter.get_relation(
            database=target.database, schema=env_var('TRIBUTARY_BUILD_SCHEMA', 'build'), identifier='scope'
        )) }}
    {%- endif -%}
{%- endmacro %}

{#- A mart as it is published; none before its first publication. -#}
{% macro published_mart(name) -%}
    {%- if execute -%}
        {{ return(adapter.get_relation(database=target.database, schema='marts', identifier=name)) }}
    {%- endif -%}
{%- endmacro %}
