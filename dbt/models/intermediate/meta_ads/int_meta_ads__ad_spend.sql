-- Purchases that Meta tells under both names are the same: `omni_purchase` counts all, `purchase` those outside of its
-- own shops.
with

days as (

    select * from {{ ref('stg_meta_ads__campaign_days') }}

),

final as (

    select
        days.merchant_id,
        'meta_ads' as channel,
        days.account_id,
        days.account_name,
        days.campaign_id,
        days.campaign_name,
        coalesce(nullif(lower(days.objective), ''), '(not set)') as campaign_type,
        days.account_currency,
        days.account_time_zone,

        days.spend as account_spend,
        days.impressions,
        days.clicks,
        coalesce(days.omni_purchases, days.purchases, 0) as claimed_conversions,
        coalesce(days.omni_purchase_value, days.purchase_value, 0.00) as account_claimed_value,

        {{ ad_is_final('days', 'meta_ads', 'campaign_days', 28) }} as is_final,

        days.measured_at,
        days.api_version
    from days

)

select * from final
