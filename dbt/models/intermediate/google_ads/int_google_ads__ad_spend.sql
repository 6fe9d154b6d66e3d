with

days as (

    select * from {{ ref('stg_google_ads__campaign_days') }}

),

final as (

    select
        days.merchant_id,
        'google_ads' as channel,
        days.account_id,
        days.account_name,
        days.campaign_id,
        days.campaign_name,
        coalesce(nullif(lower(days.advertising_channel_type), ''), '(not set)') as campaign_type,
        days.account_currency,
        days.account_time_zone,

        -- multiplied, because a division would leave sixteen decimals
        days.cost_micros * 0.000001 as account_spend,
        days.impressions,
        days.clicks,
        days.conversions as claimed_conversions,
        days.conversions_value as account_claimed_value,

        {{ ad_is_final('days', 'google_ads', 'campaign_days', 30) }} as is_final,

        days.measured_at,
        days.api_version
    from days

)

select * from final
