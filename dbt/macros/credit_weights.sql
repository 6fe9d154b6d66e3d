{#- What each model gives a touch, in any unit: whoever reads it divides by the sum of the order's touches. `kept` is a
    row with step (1 is the earliest), steps, and hours_before_last. The place decides by whole parts, so that no third
    is rounded; of time, what is older than 60 half lives weighs no less than that, and a double of each row is rounded
    before it is summed, so that no order of rows shows. -#}
{% macro credit_weights(kept) -%}
    {%- set places = var('attribution_position_weights') -%}
    {%- set half_life = var('attribution_half_life_hours') -%}
    {%- if half_life <= 0 -%}
        {{ exceptions.raise_compiler_error(
            'attribution_half_life_hours is ' ~ half_life ~ ': make it more than 0, as 168'
        ) }}
    {%- endif -%}
    {%- if [places.first, places.middle, places.last] | min < 0 or places.first + places.last == 0 -%}
        {{ exceptions.raise_compiler_error(
            'attribution_position_weights is ' ~ places ~ ': make none negative, and first or last more than 0'
        ) }}
    {%- endif -%}
    (
        values
        ('last_click', case when {{ kept }}.step = {{ kept }}.steps then 1 else 0 end::numeric),
        ('first_click', case when {{ kept }}.step = 1 then 1 else 0 end),
        ('linear', 1),
        (
            'position_based',
            case
                when {{ kept }}.steps = 1 then 1
                when {{ kept }}.step = 1 then {{ places.first }} * greatest({{ kept }}.steps - 2, 1)
                when {{ kept }}.step = {{ kept }}.steps then {{ places.last }} * greatest({{ kept }}.steps - 2, 1)
                else {{ places.middle }}
            end
        ),
        ('time_decay', round(power(2, -least({{ kept }}.hours_before_last / {{ half_life }}, 60))::numeric, 15))
    )
{%- endmacro %}
