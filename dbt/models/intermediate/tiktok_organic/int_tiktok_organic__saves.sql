-- The vendor tells how many have saved a video so far: what a day gained is that less the reading before. A first
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
            when videos.previous_record_id is not null then previous.favorites
            when videos.posted_at >= videos.measured_at - interval '12 hours' then 0
        end as saves
    from videos
    left join lateral (
        select candidates.favorites
        from {{ ref('stg_tiktok_organic__videos') }} as candidates
        where candidates.merchant_id = videos.merchant_id and candidates.record_id = videos.previous_record_id
        offset 0
    ) as previous on true

)

select * from final
