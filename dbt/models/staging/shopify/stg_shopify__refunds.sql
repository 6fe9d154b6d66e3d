with

source as (

    select * from {{ source('raw', 'shopify_refunds') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        "refundLineItems" jsonb,
        "refundShippingLines" jsonb,
        duties jsonb,
        transactions jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        split_part(fields.record_id, '/', 1) as order_id,
        split_part(fields.record_id, '/', 2) as refund_id,

        returned.amount as returned_amount,
        returned.transactions as successful_transactions,
        lines.quantity as refunded_quantity,
        lines.amount as line_amount,
        lines.tax as line_tax,
        shipping.amount as shipping_amount,
        shipping.tax as shipping_tax,
        duties.amount as duties,

        fields.event_at as refunded_at
    from fields
    inner join lateral (
        select
            coalesce(sum((payment.value #>> '{amountSet,shopMoney,amount}')::numeric), 0.00) as amount,
            count(*) as transactions
        from jsonb_array_elements(fields.transactions -> 'nodes') as payment (value)
        where payment.value ->> 'kind' = 'REFUND' and payment.value ->> 'status' = 'SUCCESS'
    ) as returned on true
    inner join lateral (
        select
            coalesce(sum((line.value ->> 'quantity')::integer), 0)::integer as quantity,
            coalesce(sum((line.value #>> '{subtotalSet,shopMoney,amount}')::numeric), 0.00) as amount,
            coalesce(sum((line.value #>> '{totalTaxSet,shopMoney,amount}')::numeric), 0.00) as tax
        from jsonb_array_elements(fields."refundLineItems" -> 'nodes') as line (value)
    ) as lines on true
    inner join lateral (
        select
            coalesce(sum((line.value #>> '{subtotalAmountSet,shopMoney,amount}')::numeric), 0.00) as amount,
            coalesce(sum((line.value #>> '{taxAmountSet,shopMoney,amount}')::numeric), 0.00) as tax
        from jsonb_array_elements(fields."refundShippingLines" -> 'nodes') as line (value)
    ) as shipping on true
    inner join lateral (
        select coalesce(sum((duty.value #>> '{amountSet,shopMoney,amount}')::numeric), 0.00) as amount
        from jsonb_array_elements(fields.duties) as duty (value)
    ) as duties on true

)

select * from final
