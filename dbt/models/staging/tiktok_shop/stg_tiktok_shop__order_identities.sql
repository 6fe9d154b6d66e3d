-- The buyer is written exactly as the stream declares and raw indexes it, so that a look-up uses the index.
with

source as (

    select * from {{ source('raw', 'tiktok_shop_orders') }}

),

final as (

    select
        source.merchant_id,
        source.record_id as order_id,
        left(source.payload ->> 'user_id', 500) as buyer_id,
        coalesce((source.payload ->> 'is_sample_order')::boolean, false) as is_sample,
        source.event_at as ordered_at
    from source

)

select * from final
