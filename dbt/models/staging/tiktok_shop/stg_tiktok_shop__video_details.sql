with

source as (

    select * from {{ source('raw', 'tiktok_shop_video_details') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        unpacked.start_date,
        traffic.*,
        sales.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        start_date date,
        traffic jsonb,
        sales jsonb
    ) on true
    inner join lateral jsonb_to_record(unpacked.traffic) as traffic (
        -- numeric, because the vendor may write a whole number as 7.0
        views numeric,
        likes numeric,
        comments numeric,
        shares numeric
    ) on true
    inner join lateral jsonb_to_record(unpacked.sales -> 'overall') as sales (
        gmv jsonb,
        items_sold numeric,
        product_clicks numeric
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        -- the readings of a video are a range of raw's primary key
        (
            select max(earlier.record_id)
            from {{ source('raw', 'tiktok_shop_video_details') }} as earlier
            where
                earlier.merchant_id = fields.merchant_id
                and earlier.record_id > split_part(fields.record_id, '/', 1) || '/'
                and earlier.record_id < fields.record_id
        ) as previous_record_id,
        split_part(fields.record_id, '/', 1) as video_id,
        fields.gmv ->> 'currency' as currency,

        fields.views::bigint as views,
        fields.product_clicks::bigint as product_clicks,
        fields.items_sold::bigint as items_sold,
        nullif(fields.gmv ->> 'amount', '')::numeric as gmv,
        fields.likes::bigint as likes_total,
        fields.comments::bigint as comments_total,
        fields.shares::bigint as shares_total,

        fields.start_date as measured_on,
        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
