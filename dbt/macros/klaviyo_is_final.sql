{#- Whether Klaviyo has stopped crediting sales to a message: the account's figures of the day six days later are there,
    so its conversion window of five days is over. A campaign is sent at any hour, so this asks for the whole of the
    merchant's day: what a day's arrival touches (`restated_for` of the stream) is then what it makes final. -#}
{% macro klaviyo_is_final(reading, merchant) -%}
    {%- set day = '(' ~ reading ~ '.measured_at at time zone ' ~ merchant ~ '.time_zone)::date' -%}
    exists (
        select 1
        from {{ ref('stg_klaviyo__days') }} as later
        where
            later.merchant_id = {{ reading }}.merchant_id
            and later.measured_at
            >= {{ day }}::timestamp at time zone {{ merchant }}.time_zone + interval '144 hours'
            and later.measured_at
            < ({{ day }} + 1)::timestamp at time zone {{ merchant }}.time_zone + interval '144 hours'
        offset 0
    )
{%- endmacro %}
