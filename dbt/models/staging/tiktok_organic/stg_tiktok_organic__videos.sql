with

source as (

    select * from {{ source('raw', 'tiktok_organic_videos') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload -> 'video') as unpacked (
        item_id text,
        share_url text,
        create_time bigint,
        video_views bigint,
        likes bigint,
        comments bigint,
        shares bigint,
        favorites bigint
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        -- the readings of a video are a range of raw's primary key
        (
            select max(earlier.record_id)
            from {{ source('raw', 'tiktok_organic_videos') }} as earlier
            where
                earlier.merchant_id = fields.merchant_id
                and earlier.record_id > split_part(fields.record_id, '/', 1) || '/'
                and earlier.record_id < fields.record_id
        ) as previous_record_id,
        fields.item_id as video_id,
        fields.share_url,

        fields.video_views as views,
        fields.likes,
        fields.comments,
        fields.shares,
        fields.favorites,

        to_timestamp(fields.create_time) as posted_at,
        fields.event_at as measured_at
    from fields

)

select * from final
