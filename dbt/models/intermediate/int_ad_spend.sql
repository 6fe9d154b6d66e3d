-- What was spent is converted at the rate of its own day, through the base of that day's rates. Where a rate is missing
-- the amounts are null, never taken at 1; the gate then holds the merchant back.
with

spend as (

    {{ union_channels('ad_spend', 'ad_channels') }}

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

rated as (

    select
        spend.*,
        merchants.currency,
        spend.account_currency = merchants.currency as is_merchant_currency,
        account.rate as account_rate,
        merchant.rate as merchant_rate,
        merchant.quoted_on
    from spend
    inner join merchants on spend.merchant_id = merchants.merchant_id
    left join lateral (
        select candidates.*
        from {{ ref('stg_fx__rates') }} as candidates
        where
            candidates.merchant_id = spend.merchant_id
            and candidates.measured_at = spend.measured_at
            and candidates.currency = spend.account_currency
            and spend.account_currency <> merchants.currency
        offset 0
    ) as account on true
    left join lateral (
        select candidates.*
        from {{ ref('stg_fx__rates') }} as candidates
        where
            candidates.merchant_id = spend.merchant_id
            and candidates.measured_at = spend.measured_at
            and candidates.currency = merchants.currency
            and spend.account_currency <> merchants.currency
        offset 0
    ) as merchant on true

),

final as (

    select
        rated.merchant_id,
        rated.channel,
        rated.account_id,
        rated.account_name,
        rated.campaign_id,
        rated.campaign_name,
        rated.campaign_type,

        {{ converted('rated.account_spend', 'rated') }} as spend,
        {{ converted('rated.account_claimed_value', 'rated') }} as claimed_value,
        rated.currency,
        case
            when rated.is_merchant_currency then 1
            else round(rated.merchant_rate / rated.account_rate, 12)
        end as fx_rate,
        rated.quoted_on as fx_quoted_on,
        rated.account_spend,
        rated.account_claimed_value,
        rated.account_currency,
        rated.account_time_zone,
        rated.impressions,
        rated.clicks,
        rated.claimed_conversions,

        rated.is_final,
        rated.measured_at,
        rated.api_version
    from rated

)

select * from final
