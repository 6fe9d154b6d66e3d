-- The vendor tells how many have saved a video so far: what a day gained is that less the reading previous. A first
-- reading is a day's own only when the video was posted on that day; the days are UTC's.
with

videos as (

    select * from {{ ref('stg_tiktok_organic__videos') }}

),

final as (

    select
        videos.merchant_id,
        videos.record_id,
        videos.favorites as saves_total,
        videos.favorites - case
            when previous.record_id is not null then previous.favorites
            when videos.posted_at >= videos.measured_at - interval '12 hours' then 0
        end as saves
    from videos
    -- the readings of a video are a range of raw's primary key
    left join lateral (
        select candidates.*
        from {{ ref('stg_tiktok_organic__videos') }} as candidates
        where
            candidates.merchant_id = videos.merchant_id
            and candidates.record_id > videos.video_id || '/'
            and candidates.record_id < videos.record_id
        order by candidates.record_id desc
        limit 1
    ) as previous on true

)

select * from final
