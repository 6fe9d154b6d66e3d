-- GMV Max campaigns sell in TikTok Shop; they have a report of their own, and the other one leaves them out. What a
-- report does not tell of a campaign that did nothing is 0; of one that did something, its spend is unknown.
with

auction as (

    select * from {{ ref('stg_tiktok_ads__campaign_days') }}

),

gmv_max as (

    select * from {{ ref('stg_tiktok_ads__gmv_max_days') }}

),

final as (

    select
        auction.merchant_id,
        'tiktok_ads' as channel,
        auction.account_id,
        auction.account_name,
        auction.campaign_id,
        auction.campaign_name,
        'auction' as campaign_type,
        auction.account_currency,
        auction.account_time_zone,

        coalesce(auction.spend, case when coalesce(auction.impressions, 0) = 0 then 0.00 end) as account_spend,
        coalesce(auction.impressions, 0) as impressions,
        coalesce(auction.clicks, 0) as clicks,
        coalesce(auction.purchases, 0) as claimed_conversions,
        coalesce(auction.purchase_value, 0.00) as account_claimed_value,

        {{ ad_is_final('auction', 'tiktok_ads', 'campaign_days', 28) }} as is_final,

        auction.measured_at,
        auction.api_version
    from auction
    union all
    select
        gmv_max.merchant_id,
        'tiktok_ads' as channel,
        gmv_max.account_id,
        gmv_max.account_name,
        gmv_max.campaign_id,
        gmv_max.campaign_name,
        'gmv_max' as campaign_type,
        gmv_max.account_currency,
        gmv_max.account_time_zone,

        coalesce(gmv_max.spend, case when coalesce(gmv_max.orders, 0) = 0 then 0.00 end) as account_spend,
        null::bigint as impressions,
        null::bigint as clicks,
        coalesce(gmv_max.orders, 0) as claimed_conversions,
        coalesce(gmv_max.gross_revenue, 0.00) as account_claimed_value,

        {{ ad_is_final('gmv_max', 'tiktok_ads', 'gmv_max_days', 28) }} as is_final,

        gmv_max.measured_at,
        gmv_max.api_version
    from gmv_max

)

select * from final
