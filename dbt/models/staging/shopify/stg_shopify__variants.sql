with

source as (

    select * from {{ source('raw', 'shopify_variants') }}

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
        sku text,
        barcode text,
        price numeric,
        "inventoryItem" jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        split_part(fields.record_id, '/', 1) as product_id,
        split_part(fields.record_id, '/', 2) as variant_id,
        {{ without_contacts('fields.title') }} as variant_name,
        nullif(fields.sku, '') as sku,
        nullif(fields.barcode, '') as barcode,
        fields."inventoryItem" #>> '{unitCost,currencyCode}' as unit_cost_currency,

        fields.price,
        (fields."inventoryItem" #>> '{unitCost,amount}')::numeric as unit_cost,

        fields.event_at as created_at,
        fields.updated_at
    from fields

)

select * from final
