-- The order's id is written exactly as the stream declares and raw indexes it, so that a look-up uses the index.
with

source as (

    select * from {{ source('raw', 'tiktok_shop_cancellations') }}

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
        cancel_type text,
        cancel_status text,
        refund_amount jsonb,
        cancel_line_items jsonb
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
        fields.record_id as cancel_id,
        fields.cancel_type,
        fields.cancel_status,

        coalesce(jsonb_path_query_array(fields.cancel_line_items, '$[*].order_line_item_id'), '[]') as line_ids,
        {{ amount('fields.refund_subtotal') }} as subtotal,
        {{ amount('fields.refund_shipping_fee') }} as shipping,

        fields.event_at as changed_at
    from fields

)

select * from final
