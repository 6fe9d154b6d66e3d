{{ config(materialized='table') }}

-- Tests are nobody's first order; ids break ties as numbers.
with

orders as (

    select * from {{ ref('int_customer_orders') }}

),

first_orders as (

    select distinct on (merchant_id, customer_identity)
        merchant_id,
        customer_identity,
        order_id,
        ordered_at
    from orders
    where not is_test
    order by merchant_id, customer_identity, ordered_at, length(order_id), order_id

),

final as (

    select
        orders.merchant_id,
        orders.sales_channel,
        orders.order_id,
        orders.customer_identity,
        first_orders.order_id as first_order_id,
        first_orders.ordered_at as first_ordered_at
    from orders
    left join first_orders
        on
            orders.merchant_id = first_orders.merchant_id
            and orders.customer_identity = first_orders.customer_identity

)

select * from final
