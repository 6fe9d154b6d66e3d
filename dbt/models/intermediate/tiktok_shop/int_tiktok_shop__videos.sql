-- The vendor tells lifetime totals of likes, comments and shares: what a day gained is its total less that of the
-- reading before. The totals of a first reading are a day's own only when the video was posted on that day.
with

details as (

    select
        details.*,
        listed.title,
        listed.username,
        listed.orders,
        listed.posted_at,
        (listed.posted_at at time zone merchants.time_zone)::date >= details.measured_on as is_posted_then
    from {{ ref('stg_tiktok_shop__video_details') }} as details
    inner join {{ source('ops', 'merchants') }} as merchants on details.merchant_id = merchants.merchant_id
    left join lateral (
        select candidates.*
        from {{ ref('stg_tiktok_shop__videos') }} as candidates
        where candidates.merchant_id = details.merchant_id and candidates.record_id = details.record_id
        offset 0
    ) as listed on true

),

compared as (

    select
        details.*,
        previous.likes_total as likes_before,
        previous.comments_total as comments_before,
        previous.shares_total as shares_before,
        case when details.previous_record_id is null and details.is_posted_then then 0 end as nothing_before
    from details
    left join lateral (
        select candidates.*
        from {{ ref('stg_tiktok_shop__video_details') }} as candidates
        where candidates.merchant_id = details.merchant_id and candidates.record_id = details.previous_record_id
        offset 0
    ) as previous on true

),

final as (

    select
        compared.merchant_id,
        compared.video_id,
        compared.title,
        compared.username,
        compared.currency,

        compared.views,
        compared.likes_total - coalesce(compared.likes_before, compared.nothing_before) as likes,
        compared.comments_total - coalesce(compared.comments_before, compared.nothing_before) as comments,
        compared.shares_total - coalesce(compared.shares_before, compared.nothing_before) as shares,
        saved.saves,
        compared.product_clicks,
        compared.orders,
        compared.items_sold,
        compared.gmv,
        compared.likes_total,
        compared.comments_total,
        compared.shares_total,
        saved.saves_total,

        {{ tiktok_shop_is_final('compared') }} as is_final,
        compared.posted_at,
        compared.measured_at,
        compared.api_version
    from compared
    left join lateral (
        select candidates.*
        from {{ ref('int_tiktok_organic__saves') }} as candidates
        where candidates.merchant_id = compared.merchant_id and candidates.record_id = compared.record_id
        offset 0
    ) as saved on true

)

select * from final
