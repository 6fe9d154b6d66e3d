with

source as (

    select * from {{ source('raw', 'shopify_products') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.updated_at,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        title text,
        handle text,
        vendor text,
        status text,
        "productType" text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as product_id,
        fields.title as product_name,
        fields.handle,
        fields."productType" as product_type,
        fields.vendor,
        fields.status,

        fields.event_at as created_at,
        fields.updated_at
    from fields

)

select * from final
