with

orders as (

    select * from {{ ref('stg_shopify__orders') }}

),

final as (

    select
        orders.merchant_id,
        'shopify' as sales_channel,
        orders.order_id,
        orders.order_name,
        orders.currency,
        orders.financial_status,

        -- gross sales and discounts are the sums of the order's lines
        case
            when orders.has_taxes_included then orders.shipping_price - orders.shipping_tax
            else orders.shipping_price
        end as shipping,
        orders.total_tax as tax_charged,
        orders.duties,
        orders.tips,
        orders.total_price,
        refunded.refunds,
        refunded.tax_refunded,
        refunded.duties_refunded,
        orders.fees,

        orders.mirrors_channel,
        orders.mirrors_order_id,

        {{ shopify_is_counted('orders') }} as is_counted,
        orders.is_cancelled,
        orders.is_test,
        coalesce(orders.financial_status = 'REFUNDED', false) as is_fully_refunded,
        orders.is_cancelled
        or orders.is_test
        or coalesce(orders.financial_status not in ('PENDING', 'AUTHORIZED', 'PARTIALLY_PAID'), true) as is_final,

        orders.ordered_at
    from orders
    -- The ids of an order's refunds begin with the order's id: a range of raw's primary key. What they settle of an
    -- overpayment is known from their sum, whichever of them did.
    inner join lateral (
        select
            coalesce(
                sum(refunds.refunded_total - refunds.tax_refunded - refunds.duties_refunded)
                - least(orders.overpaid, sum({{ shopify_beyond_items('refunds', 'orders') }})),
                0.00
            ) as refunds,
            coalesce(sum(refunds.tax_refunded), 0.00) as tax_refunded,
            coalesce(sum(refunds.duties_refunded), 0.00) as duties_refunded
        from {{ ref('int_shopify__refund_amounts') }} as refunds
        where
            refunds.merchant_id = orders.merchant_id
            and refunds.record_id > orders.order_id || '/'
            and refunds.record_id < orders.order_id || '0'
    ) as refunded on true

)

select * from final
