{{ config(materialized='table') }}

-- The latest touch that is not direct, of the order's customer or of the order itself, at most a week before it. A sale
-- that its channel made itself comes before all, what analytics saw of the order only when there is nothing else. So a
-- click in a mail and the visit that it led to need not be made one: the visit is the later of the two.
with

-- With the best of what is tied to the order and to nobody. In the order of customers, in which their touches are
-- looked up: so the pages of the index come one after the other.
orders as (

    select distinct on (orders.merchant_id, customers.customer_identity, orders.sales_channel, orders.order_id)
        orders.merchant_id,
        customers.customer_identity,
        orders.sales_channel,
        orders.order_id,
        orders.ordered_at,
        own.touchpoint_id,
        own.is_native,
        own.is_fallback
    from {{ ref('fct_orders') }} as orders
    left join {{ ref('int_order_customers') }} as customers
        on
            orders.merchant_id = customers.merchant_id
            and orders.sales_channel = customers.sales_channel
            and orders.order_id = customers.order_id collate "default"
    left join {{ ref('int_touchpoints') }} as own
        on
            orders.merchant_id = own.merchant_id
            and orders.sales_channel = own.sales_channel
            and orders.order_id = own.order_id
            -- a customer's own are looked at with all that the customer did
            and own.customer_identity is null
            and {{ is_candidate('own', 'orders') }}
    where orders.is_counted
    order by
        orders.merchant_id asc,
        customers.customer_identity asc,
        orders.sales_channel asc,
        orders.order_id asc,
        own.is_native desc nulls last,
        own.is_fallback asc,
        own.occurred_at desc,
        own.priority asc,
        own.touchpoint_id asc

),

final as (

    select
        orders.merchant_id,
        orders.sales_channel,
        orders.order_id,
        coalesce(clicks.touchpoint_id, orders.touchpoint_id) as touchpoint_id,
        case
            when orders.is_native then 'native'
            when clicks.touchpoint_id is null and orders.is_fallback then 'ga4_session'
            else 'last_click'
        end as rule
    from orders
    left join lateral (
        select touchpoints.touchpoint_id
        from {{ ref('int_touchpoints') }} as touchpoints
        where
            touchpoints.merchant_id = orders.merchant_id
            and touchpoints.customer_identity = orders.customer_identity
            and orders.is_native is not true
            and {{ is_candidate('touchpoints', 'orders') }}
        -- as the index has them, which has all that is asked for
        order by touchpoints.occurred_at desc, touchpoints.priority asc, touchpoints.touchpoint_id asc
        limit 1
    ) as clicks on true
    where clicks.touchpoint_id is not null or orders.touchpoint_id is not null

)

select * from final
