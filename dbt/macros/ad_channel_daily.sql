{#- What an ad platform says of each of its days: all its accounts and campaigns together, in the merchant's currency. -#}
{% macro ad_channel_daily(channel) -%}
with

spend as (

    select * from {{ ref('int_ad_spend') }} where channel = '{{ channel }}'

),

final as (

    select
        merchant_id,
        channel,
        currency,
        sum(impressions)::bigint as impressions,
        null::bigint as engagements,
        sum(clicks)::bigint as clicks,
        {{ whole_sum('spend') }} as spend,
        sum(claimed_conversions) as orders,
        {{ whole_sum('claimed_value') }} as claimed_value,
        bool_and(is_final) as is_final,
        measured_at
    from spend
    group by merchant_id, channel, currency, measured_at

)

select * from final
{%- endmacro %}
