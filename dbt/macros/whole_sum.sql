{#- A sum that is null when one of its parts is: what is missing never makes it too small. -#}
{% macro whole_sum(amount) -%}
    case when bool_and({{ amount }} is not null) then sum({{ amount }}) end
{%- endmacro %}
