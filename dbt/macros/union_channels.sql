{#- The same model of every channel of a list, one after the other: int_<channel>__<entity> have identical columns. -#}
{% macro union_channels(entity, channels='channels') -%}
    {%- for channel in var(channels) %}
    select * from {{ ref('int_' ~ channel ~ '__' ~ entity) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}
