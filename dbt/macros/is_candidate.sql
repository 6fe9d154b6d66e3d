{#- Whether a touch may be credited with an order: it is not direct, not after the order, and not too long before it;
    both ends belong to the window. Hours, because a day of a clock change has 23 or 25 of them. -#}
{% macro is_candidate(touch, order) -%}
    {{ touch }}.occurred_at <= {{ order }}.ordered_at
    and {{ touch }}.occurred_at >= {{ order }}.ordered_at - interval '{{ var('attribution_window_hours') }} hours'
    and not {{ touch }}.is_direct
{%- endmacro %}
