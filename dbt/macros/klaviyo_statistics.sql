{#- What Klaviyo's reports say of a message, by its own names; to be read as numeric, because it writes 7 as 7.0. -#}
{% macro klaviyo_statistics() -%}
    recipients numeric,
    delivered numeric,
    opens numeric,
    opens_unique numeric,
    clicks numeric,
    clicks_unique numeric,
    conversions numeric,
    conversion_uniques numeric,
    conversion_value numeric,
    unsubscribes numeric,
    unsubscribe_uniques numeric,
    bounced numeric,
    failed numeric,
    spam_complaints numeric
{%- endmacro %}

{#- The same by the names of this project. -#}
{% macro klaviyo_figures(statistics) -%}
    {{ statistics }}.recipients::bigint as recipients,
    {{ statistics }}.delivered::bigint as delivered,
    {{ statistics }}.opens::bigint as opens,
    {{ statistics }}.opens_unique::bigint as unique_opens,
    {{ statistics }}.clicks::bigint as clicks,
    {{ statistics }}.clicks_unique::bigint as unique_clicks,
    {{ statistics }}.conversions::bigint as conversions,
    {{ statistics }}.conversion_uniques::bigint as unique_conversions,
    {{ statistics }}.conversion_value as claimed_value,
    {{ statistics }}.unsubscribes::bigint as unsubscribes,
    {{ statistics }}.unsubscribe_uniques::bigint as unique_unsubscribes,
    {{ statistics }}.bounced::bigint as bounces,
    {{ statistics }}.failed::bigint as failures,
    {{ statistics }}.spam_complaints::bigint as spam_complaints
{%- endmacro %}
