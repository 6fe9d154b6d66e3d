{#- Whether a touch may be credited with an order: it is neither direct nor left out by choice, not after the order, and
    not too long before it; both ends belong to the window. Hours, because a day of a clock change has 23 or 25. -#}
{% macro is_candidate(touch, order) -%}
    {{ touch }}.occurred_at <= {{ order }}.ordered_at
    and {{ touch }}.occurred_at >= {{ order }}.ordered_at - interval '{{ var('attribution_window_hours') }} hours'
    and not {{ touch }}.is_direct
    and not {{ touch }}.is_excluded
{%- endmacro %}

{#- Whether a touch's marketing channel was left out by choice; what a channel sold itself stays its own. -#}
{% macro is_excluded(touch) -%}
    {%- set channels = var('attribution_excluded_channels') -%}
    {%- if channels -%}
        ({{ touch }}.channel in ('{{ channels | join("', '") }}') and {{ touch }}.resolved_by <> 'native')
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}
