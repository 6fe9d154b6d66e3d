{#- Up to when the stream of a raw table was read, at the merchant whose is oldest: by what the vendor had then, not by
    the newest row, since a quiet shop has none. A stream that nobody reads is not late. -#}
{% macro read_up_to(table) -%}
    select coalesce(min(now() - hours_behind * interval '1 hour'), now())
    from marts.fct_freshness
    where channel || '_' || stream = '{{ table.identifier }}'
{%- endmacro %}
