-- What the channel claims of each of its days; what it does not say is null.
with

days as (

    select * from {{ ref('stg_tiktok_shop__shop_performance') }}

),

final as (

    select
        days.merchant_id,
        'tiktok_shop' as channel,
        days.currency,
        watched.impressions,
        watched.engagements,
        watched.clicks,
        null::numeric as spend,
        days.orders,
        days.gmv as claimed_value,
        {{ tiktok_shop_is_final('days') }} as is_final,
        days.measured_at
    from days
    inner join lateral (
        select
            sum(videos.views)::bigint as impressions,
            (sum(videos.likes) + sum(videos.comments) + sum(videos.shares) + coalesce(sum(videos.saves), 0))::bigint
                as engagements,
            sum(videos.product_clicks)::bigint as clicks
        from {{ ref('int_tiktok_shop__videos') }} as videos
        where videos.merchant_id = days.merchant_id and videos.measured_at = days.measured_at
    ) as watched on true

)

select * from final
