-- A copy of an order that another channel sold counts until the original is there, whichever came first.
with

orders as (

    select * from {{ ref('int_channel_orders') }}

),

final as (

    select
        orders.merchant_id,
        orders.sales_channel,
        orders.order_id,
        orders.order_name,
        orders.currency,
        orders.financial_status,
        orders.shipping,
        orders.tax_charged,
        orders.duties,
        orders.tips,
        orders.total_price,
        orders.refunds,
        orders.tax_refunded,
        orders.duties_refunded,
        orders.fees,
        orders.mirrors_channel,
        orders.mirrors_order_id,
        orders.is_counted and originals.order_id is null as is_counted,
        orders.is_cancelled,
        orders.is_test,
        orders.is_fully_refunded,
        orders.is_final or originals.order_id is not null as is_final,
        orders.ordered_at
    from orders
    left join lateral (
        select candidates.order_id
        from {{ ref('int_channel_orders') }} as candidates
        where
            orders.mirrors_order_id is not null
            and candidates.merchant_id = orders.merchant_id
            and candidates.sales_channel = orders.mirrors_channel
            and candidates.order_id = orders.mirrors_order_id
        offset 0
    ) as originals on true

)

select * from final
