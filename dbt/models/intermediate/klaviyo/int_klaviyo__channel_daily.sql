-- What each way of sending claims of each day on which it sent or was credited something.
with

days as (

    select
        days.merchant_id,
        days.measured_at,
        merchants.time_zone,
        (days.measured_at at time zone merchants.time_zone)::date as date_day
    from {{ ref('stg_klaviyo__days') }} as days
    inner join {{ source('ops', 'merchants') }} as merchants on days.merchant_id = merchants.merchant_id

),

final as (

    select
        days.merchant_id,
        claimed.channel,
        claimed.currency,
        claimed.impressions,
        claimed.engagements,
        claimed.clicks,
        null::numeric as spend,
        claimed.orders,
        claimed.claimed_value,
        claimed.is_final,
        days.measured_at
    from days
    inner join lateral (
        select
            messages.channel,
            max(messages.currency) as currency,
            sum(messages.delivered)::bigint as impressions,
            sum(messages.opens)::bigint as engagements,
            sum(messages.clicks)::bigint as clicks,
            sum(messages.conversions)::bigint as orders,
            sum(messages.claimed_value) as claimed_value,
            bool_and(messages.is_final) as is_final
        from {{ ref('int_klaviyo__messages') }} as messages
        where
            messages.merchant_id = days.merchant_id
            and messages.measured_at >= days.date_day::timestamp at time zone days.time_zone
            and messages.measured_at < (days.date_day + 1)::timestamp at time zone days.time_zone
        group by messages.channel
        offset 0
    ) as claimed on true

)

select * from final
