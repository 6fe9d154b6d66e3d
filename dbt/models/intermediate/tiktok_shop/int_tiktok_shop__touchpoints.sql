-- Who buys on TikTok Shop was won there: the order is its own touch.
with

orders as (

    select * from {{ ref('fct_orders') }}
    where sales_channel = 'tiktok_shop'

),

final as (

    select
        merchant_id,
        'tiktok_shop/' || order_id collate "C" as touchpoint_id,
        'tiktok_shop/' || order_id collate "C" as contact_id,
        'tiktok_shop' as touch_channel,
        sales_channel,
        order_id collate "C" as order_id,
        null as customer_identity,
        ordered_at as occurred_at,
        'tiktok_shop' as utm_source,
        -- the vendor's orders do not say whether a video, a live stream or the shop's own page sold them
        'native' as utm_medium,
        null as utm_campaign,
        null as click_id,
        null as referrer_domain,
        true as is_native,
        false as is_fallback,
        1 as priority
    from orders

)

select * from final
