with

source as (

    select * from {{ source('raw', 'tiktok_shop_products') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        unpacked.title,
        unpacked.status,
        sku.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        title text,
        status text,
        skus jsonb
    ) on true
    inner join lateral jsonb_to_recordset(unpacked.skus) as sku (
        id text,
        seller_sku text,
        price jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as product_id,
        fields.id as sku_id,
        {{ without_contacts('fields.title') }} as product_name,
        fields.status,
        nullif(fields.seller_sku, '') as seller_sku,
        fields.price ->> 'currency' as currency,

        nullif(fields.price ->> 'tax_exclusive_price', '')::numeric as price,

        fields.event_at as created_at
    from fields

)

select * from final
