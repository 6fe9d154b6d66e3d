{#- The TikTok Shop order that a Shopify order is a copy of, by the tag that TikTok's connector writes. The declared
    identity `tiktok_order` of Shopify's orders says the same. -#}
{% macro shopify_mirrors_order_id(tags) -%}
    left(
        nullif(
            btrim(
                substr(jsonb_path_query_first({{ tags }}, '$[*] ? (@ starts with "TikTokOrderID:")') #>> '{}', 15)
            ),
            ''
        ),
        500
    )
{%- endmacro %}

{#- The channel that sold what a Shopify order only copies; null for an order of Shopify's own. -#}
{% macro shopify_mirrors_channel(tags, source_name) -%}
    case
        when {{ shopify_mirrors_order_id(tags) }} is not null or {{ source_name }} ilike 'tiktok%' then 'tiktok_shop'
    end
{%- endmacro %}
