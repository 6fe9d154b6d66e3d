-- The sum on an order and the rows of fct_refunds are read from the same records by two ways. Full builds only.
{{ config(tags=['all_days']) }}

with

refunds as (

    select
        merchant_id,
        sales_channel,
        order_id,
        sum(refunds) as refunds,
        sum(tax_refunded) as tax_refunded,
        bool_or(is_counted) as is_counted
    from {{ ref('fct_refunds') }}
    group by merchant_id, sales_channel, order_id

)

select
    orders.merchant_id,
    orders.sales_channel,
    orders.order_id
from {{ ref('fct_orders') }} as orders
full join refunds
    on
        orders.merchant_id = refunds.merchant_id
        and orders.sales_channel = refunds.sales_channel
        and orders.order_id = refunds.order_id
where
    {{ 'false' if scope_days() else 'true' }}
    and (
        orders.refunds is distinct from coalesce(refunds.refunds, 0)
        or orders.tax_refunded is distinct from coalesce(refunds.tax_refunded, 0)
        or orders.is_counted is distinct from coalesce(refunds.is_counted, orders.is_counted)
    )
