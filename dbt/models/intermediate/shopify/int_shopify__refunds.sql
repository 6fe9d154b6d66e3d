-- Money that the refund's items do not explain settles what was received beyond the order's total, as long as that
-- lasts: an order's refunds take from it in their order. The rest is a refund.
with

refunds as (

    select * from {{ ref('int_shopify__refund_amounts') }}

),

settled as (

    select
        refunds.*,
        coalesce(
            least(taken.overpaid, taken.earlier + taken.own) - least(taken.overpaid, taken.earlier), 0.00
        ) as overpayment_returned
    from refunds
    -- asked only where there may be such money; the refunds of an order are a range of raw's primary key
    left join lateral (
        select
            orders.overpaid,
            {{ shopify_beyond_items('refunds', 'orders') }} as own,
            (
                select coalesce(sum({{ shopify_beyond_items('siblings', 'orders') }}), 0.00)
                from {{ ref('int_shopify__refund_amounts') }} as siblings
                where
                    siblings.merchant_id = refunds.merchant_id
                    and siblings.record_id > refunds.order_id || '/'
                    and siblings.record_id < refunds.order_id || '0'
                    and (siblings.refunded_at, length(siblings.refund_id), siblings.refund_id)
                    < (refunds.refunded_at, length(refunds.refund_id), refunds.refund_id)
            ) as earlier
        from {{ ref('stg_shopify__orders') }} as orders
        where
            refunds.refunded_total > refunds.item_amount + refunds.duties_refunded
            and orders.merchant_id = refunds.merchant_id
            and orders.order_id = refunds.order_id
            and orders.overpaid > 0
        offset 0
    ) as taken on true

),

final as (

    select
        merchant_id,
        'shopify' as sales_channel,
        order_id,
        refund_id,
        quantity,
        is_money_returned,
        refunded_total,
        tax_refunded,
        duties_refunded,
        overpayment_returned,
        refunded_total - tax_refunded - duties_refunded - overpayment_returned as refunds,
        true as is_final,
        refunded_at
    from settled

)

select * from final
