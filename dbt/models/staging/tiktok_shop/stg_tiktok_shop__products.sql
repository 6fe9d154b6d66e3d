with

source as (

    select * from {{ source('raw', 'tiktok_shop_products') }}

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
        status text,
        skus jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as product_id,
        {{ without_contacts('fields.title') }} as product_name,
        fields.status,

        coalesce(jsonb_array_length(fields.skus), 0) as variants,

        fields.event_at as created_at,
        fields.updated_at
    from fields

)

select * from final
