with

spend as (

    select scoped.* from {{ in_scope(ref('int_ad_spend'), 'measured_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

final as (

    select
        spend.merchant_id,
        (spend.measured_at at time zone merchants.time_zone)::date as date_day,
        spend.channel,
        spend.account_id,
        spend.account_name,
        spend.campaign_id,
        spend.campaign_name,
        spend.campaign_type,
        spend.spend,
        spend.claimed_value,
        spend.currency,
        spend.fx_rate,
        spend.fx_quoted_on,
        spend.account_spend,
        spend.account_claimed_value,
        spend.account_currency,
        spend.account_time_zone,
        spend.impressions,
        spend.clicks,
        spend.claimed_conversions,
        spend.is_final,
        spend.account_time_zone = merchants.time_zone as is_merchant_day,
        spend.measured_at,
        spend.api_version,
        1 as metric_version
    from spend
    inner join merchants on spend.merchant_id = merchants.merchant_id

)

select * from final
