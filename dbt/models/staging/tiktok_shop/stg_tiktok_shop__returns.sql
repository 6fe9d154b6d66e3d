-- The order's id is written exactly as the stream declares and raw indexes it, so that a look-up uses the index.
with

source as (

    select * from {{ source('raw', 'tiktok_shop_returns') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        left(source.payload ->> 'order_id', 500) as order_id,
        source.event_at,
        unpacked.*,
        refund.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        return_type text,
        return_status text,
        pre_return_id text,
        next_return_id text,
        refund_amount jsonb,
        discount_amount jsonb,
        return_line_items jsonb
    ) on true
    inner join lateral jsonb_to_record(unpacked.refund_amount) as refund (
        refund_subtotal text,
        refund_shipping_fee text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.order_id,
        fields.record_id as return_id,
        nullif(fields.pre_return_id, '') as previous_return_id,
        nullif(fields.next_return_id, '') as next_return_id,
        fields.return_type,
        fields.return_status,

        coalesce(jsonb_array_length(fields.return_line_items), 0) as quantity,
        {{ amount('fields.refund_subtotal') }} as subtotal,
        {{ amount('fields.refund_shipping_fee') }} as shipping,
        platform.discount as platform_discount,
        platform.shipping_discount as shipping_platform_discount,

        fields.event_at as changed_at
    from fields
    inner join lateral (
        select
            coalesce(sum({{ amount('part.product_platform_discount') }}), 0.00) as discount,
            coalesce(sum({{ amount('part.shipping_fee_platform_discount') }}), 0.00) as shipping_discount
        from jsonb_to_recordset(fields.discount_amount) as part (
            product_platform_discount text,
            shipping_fee_platform_discount text
        )
    ) as platform on true

)

select * from final
