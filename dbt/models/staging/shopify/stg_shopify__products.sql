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
        {{ without_contacts('fields.title') }} as product_name,
        fields.handle,
        {{ without_contacts('fields."productType"') }} as product_type,
        {{ without_contacts('fields.vendor') }} as vendor,
        fields.status,

        fields.event_at as created_at,
        fields.updated_at
    from fields

)

select * from final
