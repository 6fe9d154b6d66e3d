-- The total is what the seller is due: what the buyer paid, and what the platform pays on top. It comes from the
-- payment alone and its components from the units too, so that one checks the other. Tax is the marketplace's to remit.
with

orders as (

    select * from {{ ref('stg_tiktok_shop__orders') }}

),

priced as (

    select
        *,
        -- in the collation of the identities' indexes, which raw's own ids are not in
        order_id collate "default" as order_key,
        original_shipping_fee - shipping_seller_discount - shipping_cofunded_discount as shipping,
        sub_total + platform_discount + shipping_fee + shipping_platform_discount as total_price
    from orders

),

final as (

    select
        orders.merchant_id,
        'tiktok_shop' as sales_channel,
        orders.order_id,
        orders.order_id as order_name,
        orders.currency,
        orders.status as financial_status,

        orders.shipping,
        0.00 as tax_charged,
        0.00 as duties,
        0.00 as tips,
        orders.total_price,
        refunded.refunds,
        0.00 as tax_refunded,
        0.00 as duties_refunded,
        settled.fees,

        null as mirrors_channel,
        null as mirrors_order_id,

        {{ tiktok_shop_is_counted('orders') }} as is_counted,
        orders.is_cancelled,
        orders.is_sample as is_test,
        coalesce(refunded.refunds > 0 and refunded.refunds >= orders.total_price, false) as is_fully_refunded,
        -- its last refund is settled, so all are; one that waits for its payment may still count
        (
            settled.fees is not null
            or orders.is_cancelled
            or orders.is_sample
            or orders.is_replacement
            or orders.is_exchange
        )
        and coalesce(settled.refund_settled_at >= refunded.changed_at, refunded.changed_at is null) as is_final,

        orders.ordered_at
    from priced as orders
    inner join lateral (
        select
            coalesce(sum(refunds.refunded_total), 0.00) as refunds,
            max(refunds.changed_at) as changed_at
        from {{ ref('int_tiktok_shop__refund_amounts') }} as refunds
        where refunds.merchant_id = orders.merchant_id and refunds.order_id = orders.order_key
    ) as refunded on true
    inner join lateral (
        select
            sum(transactions.fees) as fees,
            max(transactions.settled_at) filter (where transactions.refunded_subtotal <> 0) as refund_settled_at
        from {{ ref('stg_tiktok_shop__statement_transactions') }} as transactions
        where transactions.merchant_id = orders.merchant_id and transactions.order_id = orders.order_key
    ) as settled on true

)

select * from final
