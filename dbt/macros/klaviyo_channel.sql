{#- What a message went out by: Klaviyo's name, but for `push-notification`, which campaigns call otherwise. -#}
{% macro klaviyo_channel(send_channel) -%}
    case {{ send_channel }} when 'push-notification' then 'push' else {{ send_channel }} end
{%- endmacro %}
