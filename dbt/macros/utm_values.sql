{#- A tag as it is read: decoded, trimmed, in lower case; none when nothing is left. -#}
{% macro utm_value(told) -%}
    nullif(lower(btrim(ops.url_decoded({{ told }}), e' \t\r\n')), '')
{%- endmacro %}

{#- Whether somebody should look at a tag: encoded still or anew, a template that nobody filled, or, in what a source or
    a medium is read as, blanks. Names of campaigns have blanks. -#}
{% macro is_malformed_utm(told, read=none) -%}
    coalesce(
        {{ told }} ~* '%[0-9a-f]{2}|[{}]|^__[a-z0-9_]+__$'
        {%- if read %} or {{ read }} ~ '\s'{% endif %}, false
    )
{%- endmacro %}
