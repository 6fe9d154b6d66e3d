with

source as (

    select * from {{ source('raw', 'tiktok_shop_videos') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        title text,
        username text,
        video_post_time text,
        gmv jsonb,
        -- numeric, because the vendor may write a whole number as 7.0
        views numeric,
        sku_orders numeric,
        items_sold numeric
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        split_part(fields.record_id, '/', 1) as video_id,
        {{ without_contacts('fields.title') }} as title,
        ltrim(fields.username, '@') as username,
        fields.gmv ->> 'currency' as currency,

        fields.views::bigint as views,
        fields.sku_orders::bigint as orders,
        fields.items_sold::bigint as items_sold,
        nullif(fields.gmv ->> 'amount', '')::numeric as gmv,

        nullif(fields.video_post_time, '')::timestamptz as posted_at,
        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
