with

source as (

    select * from {{ source('raw', 'tiktok_shop_orders') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        unpacked.*,
        payment.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        status text,
        paid_time numeric,
        is_sample_order boolean,
        is_replacement_order boolean,
        is_exchange_order boolean,
        payment jsonb
    ) on true
    inner join lateral jsonb_to_record(unpacked.payment) as payment (
        currency text,
        sub_total text,
        platform_discount text,
        original_shipping_fee text,
        shipping_fee text,
        shipping_fee_seller_discount text,
        shipping_fee_cofunded_discount text,
        shipping_fee_platform_discount text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as order_id,
        fields.status,
        fields.currency,

        nullif(fields.sub_total, '')::numeric as sub_total,
        {{ amount('fields.platform_discount') }} as platform_discount,
        {{ amount('fields.original_shipping_fee') }} as original_shipping_fee,
        {{ amount('fields.shipping_fee') }} as shipping_fee,
        {{ amount('fields.shipping_fee_seller_discount') }} as shipping_seller_discount,
        {{ amount('fields.shipping_fee_cofunded_discount') }} as shipping_cofunded_discount,
        {{ amount('fields.shipping_fee_platform_discount') }} as shipping_platform_discount,

        coalesce(fields.paid_time, 0) > 0 as is_paid,
        coalesce(fields.status = 'CANCELLED', false) as is_cancelled,
        coalesce(fields.is_sample_order, false) as is_sample,
        coalesce(fields.is_replacement_order, false) as is_replacement,
        coalesce(fields.is_exchange_order, false) as is_exchange,

        fields.event_at as ordered_at
    from fields

)

select * from final
