-- The order's id is written exactly as the stream declares and raw indexes it, so that a look-up uses the index.
with

source as (

    select * from {{ source('raw', 'tiktok_shop_statement_transactions') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        left(source.payload ->> 'order_id', 500) as order_id,
        source.event_at,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        "type" text,
        revenue_amount text,
        fee_tax_amount text,
        shipping_cost_amount text,
        settlement_amount text,
        revenue_breakdown jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        split_part(fields.record_id, '/', 1) as statement_id,
        split_part(fields.record_id, '/', 2) as transaction_id,
        fields.order_id,
        fields."type" as transaction_type,

        nullif(fields.revenue_amount, '')::numeric as revenue,
        {{ amount('fields.fee_tax_amount') }} as fees,
        nullif(fields.shipping_cost_amount, '')::numeric as shipping_cost,
        nullif(fields.settlement_amount, '')::numeric as settlement,
        {{ amount("fields.revenue_breakdown ->> 'refund_subtotal_before_discount_amount'") }} as refunded_subtotal,

        fields.event_at as settled_at
    from fields

)

select * from final
