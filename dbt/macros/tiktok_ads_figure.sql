{#- A figure of TikTok's reports, which write "-" where there is none. -#}
{% macro tiktok_ads_figure(text) -%}
    nullif({{ text }}, '-')::numeric
{%- endmacro %}
