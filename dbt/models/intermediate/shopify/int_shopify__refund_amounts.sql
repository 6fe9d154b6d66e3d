-- A refund is money that went back: without a successful transaction it is only a note about returned units.
with

refunds as (

    select
        *,
        successful_transactions > 0 as is_money_returned
    from {{ ref('stg_shopify__refunds') }}

),

final as (

    select
        merchant_id,
        order_id,
        refund_id,
        refunded_quantity as quantity,
        is_money_returned,
        case when is_money_returned then returned_amount else 0.00 end as refunded_total,
        case when is_money_returned then line_amount + shipping_amount else 0.00 end as item_amount,
        case when is_money_returned then line_tax + shipping_tax else 0.00 end as tax_refunded,
        case when is_money_returned then duties else 0.00 end as duties_refunded,
        refunded_at,
        record_id
    from refunds

)

select * from final
