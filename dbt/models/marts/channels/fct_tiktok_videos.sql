with

videos as (

    select scoped.* from {{ in_scope(ref('int_tiktok_shop__videos'), 'measured_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

final as (

    select
        videos.merchant_id,
        (videos.measured_at at time zone merchants.time_zone)::date as date_day,
        videos.video_id,
        videos.title,
        videos.username,
        videos.currency,
        videos.views,
        videos.likes,
        videos.comments,
        videos.shares,
        videos.saves,
        videos.product_clicks,
        videos.orders,
        videos.items_sold,
        videos.gmv,
        videos.likes_total,
        videos.comments_total,
        videos.shares_total,
        videos.saves_total,
        videos.is_final,
        videos.posted_at,
        videos.api_version,
        1 as metric_version
    from videos
    inner join merchants on videos.merchant_id = merchants.merchant_id

)

select * from final
