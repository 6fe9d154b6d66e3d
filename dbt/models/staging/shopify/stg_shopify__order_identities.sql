-- The two identities are written exactly as the stream declares and raw indexes them, so that a look-up uses the index.
with

source as (

    select * from {{ source('raw', 'shopify_orders') }}

),

final as (

    select
        source.merchant_id,
        source.record_id as order_id,
        left(source.payload -> 'customer' ->> 'legacyResourceId', 500) as customer_id,
        left(nullif(lower(btrim(source.payload ->> 'email')), ''), 500) as email,
        coalesce((source.payload ->> 'test')::boolean, false) as is_test,
        source.event_at as ordered_at
    from source

)

select * from final
